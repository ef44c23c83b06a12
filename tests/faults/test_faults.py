"""Senders and followers at work while everything around them fails: nothing is lost, doubled, swapped or skipped.

This is the short form; `scripts/faults` is the long one. The seed is new each time; a failure names it.
"""

import asyncio
import random
import signal
from collections import Counter

import faults
import pytest
from tails import SIGTERM_EXIT
from trial import Trial

SEED = random.randrange(1_000_000)
OTHERS = (
    faults.stop_server, faults.freeze_server, faults.kill_frozen_server, faults.fail_write, faults.fill_disk,
    faults.limit_size, faults.set_clock_back, faults.kill_sender, faults.freeze_sender, faults.cut,
    faults.half_close, faults.delay, faults.blackhole,
)  # fmt: skip


def try_out(directory, rounds, messages, **options):
    """Run a trial with a list of faults for each round; the trial, once all was found well."""

    async def run():
        async with Trial(directory, SEED, **options) as trial:
            for chosen in rounds:
                await trial.run_round(messages, chosen)
            await trial.final_check()
        return trial

    trial = asyncio.run(run())
    assert trial.checker.confirmed == trial.sent == messages * len(rounds)
    return trial


def test_senders_go_on_by_themselves_when_the_server_is_killed_again_and_again(tmp_path):
    """Each `chatctl send` ends with 0 at its first run."""
    trial = try_out(tmp_path, [[faults.kill_server] * 3] * 2, 3000, timeout="60s")
    assert trial.runs == 2 * len(trial.send_processes)
    assert 2 <= trial.keeper.kills <= 6  # two may meet the same server
    assert trial.reconnects >= 2


@pytest.mark.parametrize("fault", OTHERS, ids=lambda fault: fault.__name__)
def test_what_else_can_fail(tmp_path, fault):
    trial = try_out(tmp_path, [[fault]], 4000 if fault is faults.fill_disk else 2000, pipes=2)
    assert trial.checker.violations == []


def test_followers_of_the_command_line_that_are_killed_stopped_and_frozen(tmp_path):
    """After a SIGKILL they may see a page again, otherwise nothing; and never miss anything."""
    chosen = [faults.kill_follower, faults.stop_follower] * 2
    trial = try_out(tmp_path, [[*chosen, faults.kill_server], [faults.freeze_follower, *chosen]], 8000, pipes=2)
    ends = sum((tail.ends for tail in trial.follower_processes), Counter())
    assert ends[-signal.SIGKILL] == 4
    assert ends[SIGTERM_EXIT] + ends[-signal.SIGTERM] == 4
    assert ends[SIGTERM_EXIT] >= 1


def test_troubles_that_last_longer_than_the_patience_of_the_senders(tmp_path):
    """They give up, say so, and are run again."""
    rounds = [[faults.freeze_server_long, faults.kill_sender], [faults.blackhole_long, faults.kill_server]]
    trial = try_out(tmp_path, rounds, 1500)
    assert trial.checker.violations == []
