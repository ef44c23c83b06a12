"""Run random chatctl commands in random surroundings, and look for tracebacks, hangs and undocumented exit codes.

Seed and index decide everything about a run but its timing. Prints each fault on stderr, and a table on stdout. The exit
code is 1 if there was a fault.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.peers import open_world

ROOT = Path(__file__).parents[2]
KINDS = ("traceback", "hangs", "late", "exit code", "not JSON", "server fault")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="how many runs (default 2000)")
    parser.add_argument("--seed", type=int, help="seed of the random choices (default: random)")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="runs at once (default 2 per CPU)")
    parser.add_argument("--first", type=int, default=0, help="index of the first run (default 0)")
    parser.add_argument("--only", type=int, action="append", metavar="INDEX", help="only this run, in detail; repeatable")
    parser.add_argument("--json", action="store_true", help="print the summary as a JSON object")
    chosen = parser.parse_args()
    chosen.seed = random.randrange(1_000_000) if chosen.seed is None else chosen.seed
    return chosen


def _reports(request, on_report):
    """Run a worker, and call `on_report` for each of its lines."""
    command = [sys.executable, "-m", "tests.fuzz.worker", json.dumps(request)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as worker:
        try:
            for line in worker.stdout:
                on_report(json.loads(line))
        finally:
            worker.terminate()
    assert worker.returncode == 0, f"a worker ended with {worker.returncode}"


def fuzz(seed, indices, jobs, on_report=lambda report: None, verbose=False):
    """Carry out runs, and return their reports in the order of indices, and the tracebacks of the servers."""
    reports = []

    def keep(report):
        reports.append(report)
        on_report(report)

    with open_world() as (world, server_lines), ThreadPoolExecutor(jobs) as threads:
        requests = [
            {"world": asdict(world), "seed": seed, "indices": indices[job::jobs], "verbose": verbose} for job in range(jobs)
        ]
        for done in [threads.submit(_reports, request, keep) for request in requests]:
            done.result()
        broken = [line for line in server_lines() if "Traceback" in line]
    return sorted(reports, key=lambda report: report["index"]), broken


def summary(chosen, reports, broken, seconds):
    kinds = Counter(fault["kind"] for report in reports for fault in report["faults"])
    after = [report["seconds_after_signal"] for report in reports if report["seconds_after_signal"] is not None]
    without = [report["seconds"] for report in reports if report["seconds_after_signal"] is None]
    commands = Counter(report["command"] or "no command" for report in reports)
    codes = Counter(report["code"] for report in reports)
    return {
        "runs": len(reports),
        **{f"runs of {name}": count for name, count in sorted(commands.items())},
        **{f"exit code {code}": count for code, count in sorted(codes.items())},
        "ended by SIGTERM": len(after),
        "longest end after SIGTERM, s": round(max(after, default=0), 2),
        "longest run without SIGTERM, s": round(max(without, default=0), 2),
        **{f"faults: {kind}": kinds[kind] for kind in KINDS},
        "tracebacks of servers": len(broken),
        "runs with a fault": sum(bool(report["faults"]) for report in reports),
        "seconds": round(seconds),
        "seed": chosen.seed,
    }


def log(text):
    print(text, file=sys.stderr, flush=True)


def main(chosen):
    start, done = time.monotonic(), Counter()
    log(f"seed {chosen.seed}")

    def tell(report):
        done["runs"] += 1
        for fault in report["faults"]:
            log(f"FAULT {report['index']}: {fault['kind']}: {report['command_line']}\n  {fault['seen']}")
        if done["runs"] % 500 == 0:
            log(f"{done['runs']} runs")

    indices = chosen.only or list(range(chosen.first, chosen.first + chosen.runs))
    reports, broken = fuzz(chosen.seed, indices, min(chosen.jobs, len(indices)), tell, verbose=bool(chosen.only))
    if chosen.only:
        print(json.dumps(reports, indent=2, ensure_ascii=False))
    else:
        found = summary(chosen, reports, broken, time.monotonic() - start)
        print(json.dumps(found) if chosen.json else "\n".join(f"{what:36}{count:>12,}" for what, count in found.items()))
    return 1 if broken or any(report["faults"] for report in reports) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(parse_arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
