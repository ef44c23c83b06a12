"""The fault tests at length: many kills of the server and many messages, with every other fault mixed in.

After each round (two kills, an end of a follower of the command line, and some of the other faults) the checker compares all
receipts, and what every reader saw, with the log; at the end all of it with what was sent. Prints progress on stderr and the
record on stdout. Exit code 1, and the store is left, if anything is wrong.
"""

import argparse
import asyncio
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults import injected_faults
from tests.faults.checker import ViolationKind
from tests.faults.follower_processes import SIGTERM_EXIT
from tests.faults.trial import Trial

KILLS_PER_ROUND = 2
OTHERS_PER_ROUND = (0, 1, 1, 2)
ROUNDS_BETWEEN_LONG_FAULTS = 12  # rounds between troubles that last longer than the senders' patience
MIN_ROUND_MESSAGES = 1000  # in a round that is only needed for more kills
OTHER_FAULTS = (
    injected_faults.kill_sender, injected_faults.kill_sender, injected_faults.freeze_sender, injected_faults.freeze_server, injected_faults.kill_frozen_server,
    injected_faults.freeze_follower,
    injected_faults.cut, injected_faults.half_close, injected_faults.delay, injected_faults.blackhole,
    injected_faults.stop_server, injected_faults.fail_write, injected_faults.fill_disk, injected_faults.limit_size, injected_faults.set_clock_back,
)  # fmt: skip
FOLLOWER_FAULTS = (
    injected_faults.kill_follower,
    injected_faults.kill_follower,
    injected_faults.stop_follower,
)  # one in each round
COUNTED_APART = ("kill_server", "kill_follower", "stop_follower")  # which are counted by themselves
LONG_FAULTS = (injected_faults.freeze_server_long, injected_faults.blackhole_long)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs of the server (default 200)")
    parser.add_argument("--messages", type=int, default=1_000_000, help="messages to send (default 1000000)")
    parser.add_argument(
        "--seed", type=int, help="decides what is random, as far as the machine lets it (default: a random one)"
    )
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="where the store is made (default /var/tmp)")
    chosen = parser.parse_args()
    chosen.seed = random.randrange(1_000_000) if chosen.seed is None else chosen.seed
    return chosen


def log(text):
    print(text, file=sys.stderr, flush=True)


async def run(trial: Trial, kills, messages, fault_counts):
    """Rounds until there were so many kills and messages."""
    messages_per_round = max(1, messages // max(1, kills // KILLS_PER_ROUND))
    number = 0
    while trial.sent < messages or trial.supervisor.kills < kills:
        number += 1
        others = trial.rng.sample(OTHER_FAULTS, trial.rng.choice(OTHERS_PER_ROUND))
        if number % ROUNDS_BETWEEN_LONG_FAULTS == 0:
            others.append(LONG_FAULTS[number // ROUNDS_BETWEEN_LONG_FAULTS % len(LONG_FAULTS)])
        chosen = [*[injected_faults.kill_server] * KILLS_PER_ROUND, *others, trial.rng.choice(FOLLOWER_FAULTS)]
        fault_counts.update(fault.__name__ for fault in chosen)
        await trial.run_round(max(min(messages_per_round, messages - trial.sent), MIN_ROUND_MESSAGES), chosen)
        log(
            f"round {number}: {trial.supervisor.kills} kills, {trial.sent:,} messages; {' '.join(f.__name__ for f in others)}"
        )
    log("reading the whole log again")
    await trial.final_check()


def summary(trial: Trial, fault_counts, seconds):
    """What happened, as (what, how much)."""
    checker, supervisor = trial.checker, trial.supervisor
    ends = sum((follower.exit_codes for follower in trial.follower_processes), Counter())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    violations = {what: checker.counts[kind] for what, kind in (
        ("lost", ViolationKind.LOST), ("doubled", ViolationKind.DOUBLED), ("out of order", ViolationKind.DISORDER), ("gaps", ViolationKind.GAP))}  # fmt: skip
    return {
        "kills of the server (SIGKILL)": supervisor.kills,
        "starts of the server": supervisor.starts,
        "messages sent": trial.sent,
        "messages with a receipt": checker.confirmed,
        "sent again and recognised as duplicates": checker.statuses["duplicate"],
        "runs of chatctl send": trial.runs,
        "followers": len(trial.followers) + len(trial.stream_clients),
        "reconnects of followers": trial.reconnects - ends.total(),
        "followers of the command line": len(trial.follower_processes),
        "ends of theirs by SIGKILL": ends[-signal.SIGKILL],
        "ends of theirs by SIGTERM": ends[SIGTERM_EXIT],
        "messages they saw again after a SIGKILL": sum(follower.check.repeated for follower in trial.follower_processes),
        "other faults": sum(count for name, count in fault_counts.items() if name not in COUNTED_APART),
        **violations,
        "otherwise wrong": checker.counts.total() - sum(violations.values()) + len(supervisor.unexpected_ends),
        "seconds": round(seconds),
        "memory of this checker, MB": round(peak_mb),
        "seed": trial.seed,
    }


async def main(chosen):
    directory = Path(tempfile.mkdtemp(dir=chosen.dir, prefix="chatctl-faults-"))
    fault_counts, start = Counter(), time.monotonic()
    log(f"seed {chosen.seed}, store {directory / 'chat.db'}")
    failure = ""
    async with Trial(directory, chosen.seed) as trial:
        try:
            await run(trial, chosen.kills, chosen.messages, fault_counts)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            log(f"the server's last words: {list(trial.supervisor.lines)}")
    for what, count in summary(trial, fault_counts, time.monotonic() - start).items():
        print(f"{what:42}{count:>12,}" if what != "seed" else f"{what:42}{count:>12}")
    if failure:
        log(f"FAILED: {failure}\nthe store is left in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(parse_arguments())))
    except KeyboardInterrupt:
        log("interrupted; the store is left")
        sys.exit(130)
