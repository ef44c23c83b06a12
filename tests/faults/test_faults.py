"""Senders and followers at work while faults are injected: no message is lost, doubled, reordered or skipped.

This is the short form; `scripts/faults` is the long one. Each run has a new seed, which a failure names.
"""

import signal
from collections import Counter

import pytest

from tests.faults import injected_faults as faults
from tests.faults.follower_processes import SIGTERM_EXIT
from tests.faults.trial import run_trial

OTHERS = (
    faults.stop_server, faults.freeze_server, faults.kill_frozen_server, faults.fail_write, faults.fill_disk,
    faults.limit_size, faults.set_clock_back, faults.kill_sender, faults.freeze_sender, faults.restart_proxy, faults.cut,
    faults.half_close, faults.delay, faults.blackhole,
)  # fmt: skip


async def test_senders_reconnect_when_the_server_is_killed_repeatedly(tmp_path):
    """Each `chatctl send` succeeds at its first run."""
    trial = await run_trial(tmp_path, [[faults.kill_server] * 3] * 2, 3000, timeout="60s")
    assert trial.runs == 2 * len(trial.send_processes)
    assert 2 <= trial.supervisor.kills <= 6  # two kills may hit the same server
    assert trial.reconnects >= 2


@pytest.mark.parametrize("fault", OTHERS, ids=lambda fault: fault.__name__)
async def test_no_violation_after_a_fault(tmp_path, fault):
    trial = await run_trial(tmp_path, [[fault]], 4000 if fault is faults.fill_disk else 2000, pipes=2)
    assert trial.checker.violations == []


async def test_followers_of_the_command_line_that_are_killed_stopped_and_frozen(tmp_path):
    """After a SIGKILL they may see a page twice. They never miss a message."""
    chosen = [faults.kill_follower, faults.stop_follower] * 2
    trial = await run_trial(tmp_path, [[*chosen, faults.kill_server], [faults.freeze_follower, *chosen]], 8000, pipes=2)
    ends = sum((follower.exit_codes for follower in trial.follower_processes), Counter())
    assert ends[-signal.SIGKILL] == 4
    assert ends[SIGTERM_EXIT] + ends[-signal.SIGTERM] == 4
    assert ends[SIGTERM_EXIT] >= 1


async def test_faults_that_last_longer_than_the_timeout_of_the_senders(tmp_path):
    """The senders give up, and are run again."""
    rounds = [
        [faults.freeze_server_long, faults.kill_sender],
        [faults.blackhole_long, faults.kill_server],
    ]
    trial = await run_trial(tmp_path, rounds, 1500)
    assert trial.checker.violations == []
