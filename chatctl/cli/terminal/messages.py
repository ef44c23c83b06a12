"""How things are written for programs and for terminals, without Rich."""

import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from textwrap import wrap
from typing import Any

from chatctl.cli.terminal.colours import colours_enabled
from chatctl.cli.terminal.escape import escape_lines
from chatctl.cli.terminal.screen import terminal_columns


class Severity(StrEnum):
    """What a sentence's colour says, as an escape sequence's number."""

    INFO = "2"
    SUCCESS = "1;32"
    ERROR = "1;31"


MESSAGE_PREFIX = "chatctl: "
_QUOTED_COMMAND = re.compile("`[^`]*`")
_WRAP_OPTIONS: Any = {"break_long_words": False, "break_on_hyphens": False}


def say(text: str, severity: Severity = Severity.INFO) -> None:
    """A sentence for the person at the terminal, on stderr. That nobody can read it changes nothing else."""
    text = escape_lines(text)  # a server may have words in it
    with suppress(OSError):
        output = _format_for_terminal(text, severity) if sys.stderr.isatty() else MESSAGE_PREFIX + text
        print(output, file=sys.stderr, flush=True)


def _format_for_terminal(text: str, severity: Severity) -> str:
    """The text as a terminal shows it well: broken at words, but never in a `command` that somebody may want to copy."""
    first, *more = [_QUOTED_COMMAND.sub(lambda quoted: quoted[0].replace(" ", "\0"), line) for line in text.split("\n")]
    columns = terminal_columns(sys.stderr)
    lines = wrap(first, columns, initial_indent=MESSAGE_PREFIX, subsequent_indent=" " * len(MESSAGE_PREFIX), **_WRAP_OPTIONS)
    output = "\n".join([*lines, *more]).replace("\0", " ")
    return (
        f"\x1b[{severity}m{MESSAGE_PREFIX.rstrip()}\x1b[0m{output[len(MESSAGE_PREFIX) - 1 :]}"
        if colours_enabled(sys.stderr)
        else output
    )


def say_json(fields: dict[str, Any]) -> None:
    """The same for a program: one object on one line of stderr."""
    with suppress(OSError):
        print(json.dumps(fields, ensure_ascii=False), file=sys.stderr, flush=True)


def notifier(as_json: bool) -> Callable[[str], None]:
    """How to say what does not end a command, for a person or a program."""
    return (lambda text: say_json({"notice": text})) if as_json else say


def report_error(text: str, reason: str, code: int, as_json: bool) -> int:
    """Say what ended a command, for a person or a program; its exit code comes back."""
    if as_json:
        say_json({"error": text, "reason": reason, "exit_code": code})
    else:
        say(text, Severity.ERROR)
    return code
