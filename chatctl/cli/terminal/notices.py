"""Sentences on stderr for people, and the same as JSON for programs."""

import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from textwrap import wrap
from typing import Any, TextIO

from chatctl.cli.terminal.escape import escape_json, escape_lines
from chatctl.cli.terminal.styling import is_styled, terminal_columns


class Severity(StrEnum):
    """The colour of a sentence, as a parameter of its escape sequence."""

    INFO = "2"
    SUCCESS = "1;32"
    ERROR = "1;31"


NOTICE_PREFIX = "chatctl: "
MAX_LIMITED_NOTICES = 20  # of one kind; --json prints all of them
STDERR_ERRORS = (OSError, RuntimeError)  # the second one if a signal ends the process while it writes to stderr
_QUOTED_COMMAND = re.compile("`[^`]*`")
_WRAP_OPTIONS: Any = {"break_long_words": False, "break_on_hyphens": False}


def say(text: str, severity: Severity = Severity.INFO) -> None:
    """Print a sentence on stderr. An error of stderr itself is ignored."""
    with suppress(*STDERR_ERRORS):
        print(sentence(text, severity), file=sys.stderr, flush=True)


def sentence(text: str, severity: Severity = Severity.INFO) -> str:
    """Return a sentence as `say` prints it."""
    text = escape_lines(text)  # it may contain text of a server
    return _format_for_terminal(text, severity) if sys.stderr.isatty() else NOTICE_PREFIX + text


def _format_for_terminal(text: str, severity: Severity) -> str:
    """Wrap the text between words, but not in a `command`, so that it can be copied."""
    first, *more = [_QUOTED_COMMAND.sub(lambda quoted: quoted[0].replace(" ", "\0"), line) for line in text.split("\n")]
    columns = terminal_columns(sys.stderr)
    lines = wrap(first, columns, initial_indent=NOTICE_PREFIX, subsequent_indent=" " * len(NOTICE_PREFIX), **_WRAP_OPTIONS)
    output = "\n".join([*lines, *more]).replace("\0", " ")
    return (
        f"\x1b[{severity}m{NOTICE_PREFIX.rstrip()}\x1b[0m{output[len(NOTICE_PREFIX) - 1 :]}"
        if is_styled(sys.stderr)
        else output
    )


def json_for(stream: TextIO, line: str) -> str:
    """Return JSON for a stream: with dangerous characters escaped at a terminal, otherwise unchanged."""
    return escape_json(line) if stream.isatty() else line


def say_json(fields: dict[str, Any]) -> None:
    """Print one object on one line of stderr. An error of stderr itself is ignored."""
    with suppress(*STDERR_ERRORS):
        print(json_for(sys.stderr, json.dumps(fields, ensure_ascii=False)), file=sys.stderr, flush=True)


def notifier(as_json: bool) -> Callable[[str], None]:
    """Return a function that prints notices: sentences that do not end the command."""
    return _say_notice if as_json else say


def _say_notice(text: str) -> None:
    say_json({"notice": text})


class LimitedNotices:
    """Prints the first notices of one kind, and then one that there are more."""

    def __init__(self, more: str) -> None:
        """`more` is the sentence for the first notice over the limit."""
        self._more = more
        self._count = 0

    def say(self, text: str) -> None:
        """Print a notice, unless the limit is reached."""
        self._count += 1
        if self._count <= MAX_LIMITED_NOTICES:
            say(text)
        elif self._count == MAX_LIMITED_NOTICES + 1:
            say(self._more)


def report_error(text: str, reason: str, code: int, as_json: bool) -> int:
    """Print the error that ended a command, and return its exit code."""
    if as_json:
        say_json(_error_object(text, reason, code))
    else:
        say(text, Severity.ERROR)
    return code


def say_json_summary(counts: dict[str, Any], text: str, reason: str, code: int) -> None:
    """Print the last object of a command that counts records, with its error unless `text` is empty."""
    say_json({**(_error_object(text, reason, code) if text else {}), "summary": counts})


def _error_object(text: str, reason: str, code: int) -> dict[str, Any]:
    return {"error": text, "reason": reason, "exit_code": code}
