"""Senders and followers at work while everything around them fails: nothing is lost, doubled, swapped or skipped.

This is the short form; `scripts/faults` is the long one. The seed is new each time; a failure names it.
"""

import signal
from collections import Counter

import pytest

from tests.faults import injected_faults
from tests.faults.follower_processes import SIGTERM_EXIT
from tests.faults.trial import run_trial

OTHERS = (
    injected_faults.stop_server, injected_faults.freeze_server, injected_faults.kill_frozen_server, injected_faults.fail_write, injected_faults.fill_disk,
    injected_faults.limit_size, injected_faults.set_clock_back, injected_faults.kill_sender, injected_faults.freeze_sender, injected_faults.cut,
    injected_faults.half_close, injected_faults.delay, injected_faults.blackhole,
)  # fmt: skip


async def test_senders_go_on_by_themselves_when_the_server_is_killed_again_and_again(tmp_path):
    """Each `chatctl send` ends with 0 at its first run."""
    trial = await run_trial(tmp_path, [[injected_faults.kill_server] * 3] * 2, 3000, timeout="60s")
    assert trial.runs == 2 * len(trial.send_processes)
    assert 2 <= trial.supervisor.kills <= 6  # two may meet the same server
    assert trial.reconnects >= 2


@pytest.mark.parametrize("fault", OTHERS, ids=lambda fault: fault.__name__)
async def test_what_else_can_fail(tmp_path, fault):
    trial = await run_trial(tmp_path, [[fault]], 4000 if fault is injected_faults.fill_disk else 2000, pipes=2)
    assert trial.checker.violations == []


async def test_followers_of_the_command_line_that_are_killed_stopped_and_frozen(tmp_path):
    """After a SIGKILL they may see a page again, otherwise nothing; and never miss anything."""
    chosen = [injected_faults.kill_follower, injected_faults.stop_follower] * 2
    trial = await run_trial(
        tmp_path, [[*chosen, injected_faults.kill_server], [injected_faults.freeze_follower, *chosen]], 8000, pipes=2
    )
    ends = sum((follower.exit_codes for follower in trial.follower_processes), Counter())
    assert ends[-signal.SIGKILL] == 4
    assert ends[SIGTERM_EXIT] + ends[-signal.SIGTERM] == 4
    assert ends[SIGTERM_EXIT] >= 1


async def test_troubles_that_last_longer_than_the_patience_of_the_senders(tmp_path):
    """They give up, say so, and are run again."""
    rounds = [
        [injected_faults.freeze_server_long, injected_faults.kill_sender],
        [injected_faults.blackhole_long, injected_faults.kill_server],
    ]
    trial = await run_trial(tmp_path, rounds, 1500)
    assert trial.checker.violations == []
