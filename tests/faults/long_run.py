"""The fault tests at length: many kills of the server and many messages, with all other faults mixed in.

After each round (two kills, an end of a follower of the command line, and some of the other faults) the checker compares all
receipts, and the messages of every reader, with the log; at the end all of it with the inputs. Prints progress on stderr
and a summary on stdout. On a violation the exit code is 1, and the store is kept.
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

from tests.faults import injected_faults as faults
from tests.faults.checker import ViolationKind
from tests.faults.follower_processes import SIGTERM_EXIT
from tests.faults.trial import Trial

KILLS_PER_ROUND = 2
OTHERS_PER_ROUND = (0, 1, 1, 2)
ROUNDS_BETWEEN_LONG_FAULTS = 12  # rounds between faults that last longer than the senders' timeout
MIN_ROUND_MESSAGES = 1000  # in a round that only adds kills
OTHER_FAULTS = (
    faults.kill_sender, faults.kill_sender, faults.freeze_sender, faults.freeze_server, faults.kill_frozen_server,
    faults.freeze_follower,
    faults.restart_proxy, faults.cut, faults.half_close, faults.delay, faults.blackhole,
    faults.stop_server, faults.fail_write, faults.fill_disk, faults.limit_size, faults.set_clock_back,
)  # fmt: skip
FOLLOWER_FAULTS = (faults.kill_follower, faults.kill_follower, faults.stop_follower)  # one in each round
COUNTED_APART = ("kill_server", "kill_follower", "stop_follower")  # faults with lines of their own in the summary
LONG_FAULTS = (faults.freeze_server_long, faults.blackhole_long)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs of the server (default 200)")
    parser.add_argument("--messages", type=int, default=1_000_000, help="messages to send (default 1000000)")
    parser.add_argument("--seed", type=int, help="seed of the random choices; timing differs between runs (default: random)")
    parser.add_argument("--dir", type=Path, default="/var/tmp", help="directory of the store (default /var/tmp)")
    chosen = parser.parse_args()
    chosen.seed = random.randrange(1_000_000) if chosen.seed is None else chosen.seed
    return chosen


def log(text):
    print(text, file=sys.stderr, flush=True)


async def run(trial: Trial, kills, messages, fault_counts):
    """Run rounds until there were this many kills and messages."""
    messages_per_round = max(1, messages // max(1, kills // KILLS_PER_ROUND))
    number = 0
    while trial.sent < messages or trial.supervisor.kills < kills:
        number += 1
        others = trial.rng.sample(OTHER_FAULTS, trial.rng.choice(OTHERS_PER_ROUND))
        if number % ROUNDS_BETWEEN_LONG_FAULTS == 0:
            others.append(LONG_FAULTS[number // ROUNDS_BETWEEN_LONG_FAULTS % len(LONG_FAULTS)])
        chosen = [*[faults.kill_server] * KILLS_PER_ROUND, *others, trial.rng.choice(FOLLOWER_FAULTS)]
        fault_counts.update(fault.__name__ for fault in chosen)
        await trial.run_round(max(min(messages_per_round, messages - trial.sent), MIN_ROUND_MESSAGES), chosen)
        names = " ".join(fault.__name__ for fault in others)
        log(f"round {number}: {trial.supervisor.kills} kills, {trial.sent:,} messages; {names}")
    log("reading the whole log again")
    await trial.final_check()


def summary(trial: Trial, fault_counts, seconds):
    """Return counts by their description."""
    checker, supervisor = trial.checker, trial.supervisor
    ends = sum((follower.exit_codes for follower in trial.follower_processes), Counter())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    violations = {
        "lost": checker.counts[ViolationKind.LOST],
        "doubled": checker.counts[ViolationKind.DOUBLED],
        "out of order": checker.counts[ViolationKind.DISORDER],
        "gaps": checker.counts[ViolationKind.GAP],
    }
    return {
        "kills of the server (SIGKILL)": supervisor.kills,
        "starts of the server": supervisor.starts,
        "messages sent": trial.sent,
        "messages with a receipt": checker.confirmed,
        "sent again, answered as duplicates": checker.statuses["duplicate"],
        "runs of chatctl send": trial.runs,
        "followers": len(trial.followers) + len(trial.stream_clients),
        "reconnects of followers": trial.reconnects - ends.total(),
        "follower processes": len(trial.follower_processes),
        "ended by SIGKILL": ends[-signal.SIGKILL],
        "ended by SIGTERM": ends[SIGTERM_EXIT],
        "messages repeated after a SIGKILL": sum(follower.check.repeated for follower in trial.follower_processes),
        "answers 502 and 504 of a proxy": trial.strict_proxy.refusals,
        "streams that the proxy cut": trial.strict_proxy.cuts,
        "other faults": sum(count for name, count in fault_counts.items() if name not in COUNTED_APART),
        **violations,
        "other violations": checker.counts.total() - sum(violations.values()) + len(supervisor.unexpected_ends),
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
            log(f"the last lines of the server: {list(trial.supervisor.lines)}")
    for what, count in summary(trial, fault_counts, time.monotonic() - start).items():
        print(f"{what:42}{count:>12,}" if what != "seed" else f"{what:42}{count:>12}")
    if failure:
        log(f"FAILED: {failure}\nthe store is kept in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(parse_arguments())))
    except KeyboardInterrupt:
        log("interrupted; the store is kept")
        sys.exit(130)
