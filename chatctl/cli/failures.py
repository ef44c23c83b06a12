"""Errors become sentences, reasons and exit codes here."""

import signal
from typing import NamedTuple

import typer

from chatctl.cli.exit_codes import FAILED, INTERRUPTED, SIGNAL_OFFSET, STATUS_OFFSET, USAGE
from chatctl.cli.streams import ending
from chatctl.cli.streams.descriptors import TerminalClosed
from chatctl.cli.streams.ending import OutputStalled
from chatctl.cli.terminal import notices
from chatctl.compat.typer_usage import UsageError, usage_message
from chatctl.errors import ChatError, InvalidValue, ListenError, StoreOpenError, TimedOut, Unavailable

REPORTED: tuple[type[BaseException], ...] = (
    *(ChatError, StoreOpenError, ListenError, InvalidValue, UsageError, OSError),
    *(KeyboardInterrupt, SystemExit, typer.Abort),
)
"""The exceptions that may end a command. Any other is a bug, and ends with a traceback."""

IO_FAILURES = {"stdout": "cannot write to stdout", "receipts": "cannot read the receipts"}
"""What failed, by the filename that the readers and writers of streams give an OSError."""


class Outcome(NamedTuple):
    """The end of a command: the sentence and reason of its error, both empty without one, and the exit code."""

    text: str = ""
    reason: str = ""
    code: int = 0


def report(error: BaseException, command: str, as_json: bool) -> int:
    """Report an error that ended a command, one of REPORTED, and return the exit code."""
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return INTERRUPTED
    if isinstance(error, (BrokenPipeError, SystemExit)):  # Typer turns the first into the second
        return 0  # the reader of stdout has read enough
    if isinstance(error, OutputStalled):
        return ending.exit_code()
    if isinstance(error, TerminalClosed):
        return SIGNAL_OFFSET + signal.SIGHUP
    text, reason, code = describe(error)
    if isinstance(error, UsageError) and not as_json:
        text = f"{text}\nTry `{f'chatctl {command}'.rstrip()} --help`."
    return notices.report_error(text, reason, code, as_json)


def describe(error: BaseException) -> Outcome:
    """Return the sentence, reason and exit code of an error."""
    if isinstance(error, TimedOut):  # for a caller it is no server, too: giving up has one exit code
        return Outcome(str(error), Unavailable.reason, STATUS_OFFSET + Unavailable.code)
    if isinstance(error, ChatError):
        return Outcome(str(error), error.reason, STATUS_OFFSET + error.code)
    if isinstance(error, OSError):  # such as a full disk behind stdout
        what = IO_FAILURES.get(error.filename, "cannot read or write")
        return Outcome(f"{what}: {error.strerror}", "INPUT_OUTPUT", FAILED)
    if isinstance(error, StoreOpenError | ListenError):
        return Outcome(str(error), "NOT_STARTED", FAILED)
    text = usage_message(error) if isinstance(error, UsageError) else str(error)
    return Outcome(text, "USAGE", USAGE)
