"""Random commands in random surroundings show no fault. This is the short form; `scripts/fuzz` is the long one."""

import pytest

from tests.fuzz.judge import Judge
from tests.fuzz.long_run import fuzz
from tests.fuzz.plans import make_plan
from tests.fuzz.runs import Outcome

SEED, RUNS, JOBS = 23, 150, 3


def judged(choose, **outcome):
    """Return the kinds of faults of an outcome, for the first plan that is chosen."""
    plan = next(plan for plan in (make_plan(1, index) for index in range(10_000)) if choose(plan))
    outputs = {"stdout": b"", "stderr": b"", "terminal": b"", **outcome.pop("outputs", {})}
    return [kind for kind, _ in Judge().faults(plan, Outcome(outputs=outputs, **outcome))]


@pytest.mark.timeout(180)
def test_no_run_shows_a_fault():
    reports, broken_servers = fuzz(SEED, list(range(RUNS)), JOBS)
    assert len(reports) == RUNS
    faults = [f"{report['index']}: {report['command_line']}\n{report['faults']}" for report in reports if report["faults"]]
    assert not faults, "\n".join(faults)
    assert broken_servers == []


def test_seed_and_index_decide_the_plan():
    assert make_plan(7, 11) == make_plan(7, 11)
    assert make_plan(7, 11) != make_plan(7, 12)
    assert make_plan(7, 11) != make_plan(8, 11)


@pytest.mark.parametrize("stream", ["stdout", "stderr", "terminal"])
def test_the_judge_finds_a_traceback(stream):
    assert judged(lambda plan: True, outputs={stream: b"x\nTraceback (most recent call last):\n"}) == ["traceback"]


def test_the_judge_finds_what_ends_late_or_never():
    assert judged(lambda plan: plan.command == "stats" and plan.sends("SIGTERM"), seconds_after_signal=3.5) == ["late"]
    assert judged(lambda plan: plan.command == "stats" and plan.sends("SIGTERM"), seconds_after_signal=2.5) == []
    assert judged(lambda plan: True, hung=True) == ["hangs"]


def test_the_judge_knows_the_exit_codes_of_the_reference_and_of_signals_that_were_sent():
    def is_quiet(plan):
        return not plan.events and plan.stdin == "null"

    assert [judged(is_quiet, code=code) for code in (0, 1, 2, 3, 78)] == [[]] * 5
    assert [judged(is_quiet, code=code) for code in (4, 120, 143, -15, -11)] == [["exit code"]] * 5
    assert [judged(lambda plan: plan.sends("SIGTERM"), code=code) for code in (143, -15)] == [[]] * 2


def test_the_judge_finds_a_line_that_is_not_json():
    def prints_json(plan):
        return plan.as_json and plan.stdout == "pipe" and not plan.events and not plan.limits

    assert judged(prints_json, outputs={"stdout": b'{"a": 1}\nx\n'}) == ["not JSON"]
    assert judged(prints_json, outputs={"stdout": b'{"a": 1}'}) == ["not JSON"]
    assert judged(prints_json, outputs={"stdout": b'{"a": 1}\n'}) == []
