"""Carries out some runs, one after the other, and prints a line of JSON for each.

It imports chatctl once and forks for each run. It has no threads, as a fork copies only one.
"""

import gc
import json
import pkgutil
import shlex
import sys
from importlib import import_module

from tests.fuzz.judge import SHOWN_CHARS, Judge
from tests.fuzz.plans import make_plan
from tests.fuzz.runs import Run, World

PACKAGES = ("chatctl.cli", "chatctl.client", "chatctl.server", "chatctl.store")
SLOW_SECONDS = 3  # a run that is late by less than this is tried again: the machine may have been busy
TRIES = 3


def import_everything():
    program = import_module("chatctl.__main__")
    for package in PACKAGES:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            import_module(module.name)
    gc.freeze()
    return program


def carry_out(plan, world, judge, program):
    """Carry out a plan, and return what to tell of it."""
    for _ in range(TRIES):
        run = Run(plan, world, program.main)
        if run.carry_out():
            program.main()  # in the forked process: does not return
            raise SystemExit(0)
        faults = judge.faults(plan, run.outcome)
        late = [kind for kind, _ in faults] == ["late"]
        if not late or run.outcome.seconds_after_signal > plan.seconds + SLOW_SECONDS:
            break
    return run, faults


def report(plan, run, faults):
    outcome = run.outcome
    return {
        "index": plan.index,
        "faults": [{"kind": kind, "seen": seen} for kind, seen in faults],
        "command": plan.command,
        "command_line": shlex.join(["chatctl", *run.arguments])[: 4 * SHOWN_CHARS],
        "code": outcome.code,
        "seconds": round(outcome.seconds, 3),
        "seconds_after_signal": outcome.seconds_after_signal,
    }


def main(request):
    program, judge, world = import_everything(), Judge(), World(**request["world"])
    for index in request["indices"]:
        plan = make_plan(request["seed"], index)
        run, faults = carry_out(plan, world, judge, program)
        told = report(plan, run, faults)
        if request["verbose"]:
            told["plan"] = plan.as_dict()
            told["outputs"] = {name: data.decode(errors="replace") for name, data in run.outcome.outputs.items()}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
