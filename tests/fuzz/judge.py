"""Decides whether a run shows a fault."""

import json
import re
import signal
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs/reference.md"
UNCAUGHT = (
    "Traceback", "Exception ignored", "Fatal Python error", "exception was never retrieved", "was never awaited",
    "was destroyed but it is pending", "Exception in callback", "Unhandled exception",
)  # fmt: skip
SERVER_FAULT = 77  # an internal error in the server
READ_STDOUTS = ("pipe", "file", "socket", "nonblocking", "breaks")
SHOWN_CHARS = 300


def documented_codes():
    """Return the exit codes that docs/reference.md has in its table."""
    table = REFERENCE.read_text().partition("\n## Exit codes\n")[2].partition("\n### ")[0]
    codes = {int(code) for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\d+)`", row)}
    assert {0, 1, 2, 78} <= codes
    return {code for code in codes if code < 128}


class Judge:
    """Finds the faults of runs."""

    def __init__(self):
        self._documented = documented_codes()

    def faults(self, plan, outcome):
        """Return the faults of a run, each a kind and what was seen."""
        found = list(self._endings(plan, outcome))
        for name, data in outcome.outputs.items():
            text = data.decode(errors="replace")
            if not (plan.own_interpreter and _was_starting(text)):
                found += [("traceback", f"{name}: {_around(text, word)}") for word in UNCAUGHT if word in text][:1]
        if plan.as_json and plan.stdout in READ_STDOUTS and plan.stderr != "as stdout":
            found += [("not JSON", line) for line in _not_json(plan, outcome)][:1]
        return found

    def _endings(self, plan, outcome):
        if outcome.hung:
            yield "hangs", outcome.trace
            return
        after = outcome.seconds_after_signal
        if after is not None and after > plan.seconds:
            yield "late", f"{after:.1f} s after SIGTERM, allowed are {plan.seconds:g} s"
        if not self._is_documented(plan, outcome.code):
            yield "exit code", f"{outcome.code}: {outcome.outputs['stderr'][-SHOWN_CHARS:].decode(errors='replace')}"
        if outcome.code == SERVER_FAULT and plan.server in ("real", "unix", "cut"):
            yield "server fault", outcome.outputs["stderr"][-SHOWN_CHARS:].decode(errors="replace")

    def _is_documented(self, plan, code):
        signals = {name for _, name in plan.events if name.startswith("SIG")}
        signals |= {"SIGHUP"} if plan.sends("hang up") else set()
        signals |= {"SIGINT", "SIGQUIT"} if plan.stdin == "terminal" else set()  # by keys
        signals |= {"SIGTERM"} if any("kill -TERM" in word for word in plan.arguments) else set()
        numbers = {getattr(signal, name).value for name in signals}
        return code in self._documented or code - 128 in numbers or -code in numbers


def _not_json(plan, outcome):
    """Return the lines of stdout that are not JSON."""
    *lines, rest = outcome.outputs["stdout"].split(b"\n")
    may_be_cut = (
        plan.stdout == "breaks" or "FSIZE" in plan.limits or outcome.hung
        or sum(name.startswith("SIG") for _, name in plan.events) > 1
        or len(outcome.outputs["stdout"]) >= 1 << 22
    )  # fmt: skip
    for line in [*lines, *([rest] if rest and not may_be_cut else [])]:
        try:
            json.loads(line)
        except ValueError:
            yield line[:SHOWN_CHARS].decode(errors="replace")
    if rest and not may_be_cut:
        yield f"no newline after {rest[:SHOWN_CHARS].decode(errors='replace')}"


def _was_starting(text):
    """Return whether Ctrl-C ended an interpreter before it ran a line of chatctl."""
    return "KeyboardInterrupt" in text and "/chatctl/" not in text


def _around(text, word):
    place = text.index(word)
    shown = text[max(0, place - SHOWN_CHARS // 4) : place + 10_000].strip()
    return shown if len(shown) <= 2 * SHOWN_CHARS else f"{shown[: SHOWN_CHARS // 3]} … {shown[-2 * SHOWN_CHARS :]}"
