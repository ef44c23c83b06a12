"""Writing data to stdout: what happens when its reader has gone or its disk is full is decided here."""

import asyncio
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.streams.written_tail import WrittenTail
from chatctl.cli.terminal.escape import escape_json, escape_lines

if TYPE_CHECKING:
    from chatctl.client import HistoryPage

STDOUT = 1


def write_lines(data: bytes, keep_whole_lines: bool = False) -> None:
    """Write whole lines. If that fails in a file, none of them, or no half one, is left there. Raises OSError."""
    sys.stdout.flush()
    WrittenTail(sys.stdout.fileno()).write_all(data, keep_whole_lines)


def write_or_discard(data: bytes) -> OSError | None:
    """Write and flush. After an error, discard this and all later output: the command goes on without stdout.

    Returns the error, or None if the reader of a pipe has gone: then it has read enough.
    """
    try:
        write_lines(data, keep_whole_lines=True)
    except OSError as error:
        discard_output()
        return None if isinstance(error, BrokenPipeError) else error
    return None


def discard_output() -> None:
    """Discard all later output, and what is in the buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def on_stdout_closed(callback: Callable[[], None]) -> None:
    """Call `callback` when the reader of stdout closes it.

    The reader of a pipe may end (`| grep -m1`) long before there is something to write again.
    """
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(STDOUT)
        callback()

    with suppress(OSError):
        write_only = fcntl.fcntl(STDOUT, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        if stat.S_ISFIFO(os.fstat(STDOUT).st_mode) and write_only:
            # This end of a pipe is never readable; it only polls as ready when the other end is closed.
            loop.add_reader(STDOUT, closed)


class Printer(Protocol):
    """Prints pages of messages on stdout."""

    for_people: bool
    """True if people read the format, who are told that there are no messages."""

    def print_page(self, page: "HistoryPage") -> bool:
        """Print a page, and return whether everything so far is printed and flushed."""

    def flush(self) -> None:
        """Print what is held back, and hold nothing back from now on."""

    def finish(self) -> None:
        """Print what is held back, after the last page."""


class LinePrinter:
    """Prints every message at once, as lines."""

    for_people = False

    def __init__(self, format_page: "Callable[[HistoryPage], Iterable[str]]") -> None:
        self._format_page = format_page
        self._at_terminal = sys.stdout.isatty()

    def print_page(self, page: "HistoryPage") -> bool:
        lines = "".join(self._format_page(page))
        write_lines((escape_json(lines) if self._at_terminal else lines).encode())
        return True

    def flush(self) -> None:
        pass

    def finish(self) -> None:
        pass


def text_lines(page: "HistoryPage") -> Iterable[str]:
    """Yield the texts, escaped at a terminal and unchanged elsewhere."""
    escape = escape_lines if sys.stdout.isatty() else str
    for run in page.runs:
        for text in run.texts:
            yield escape(text) + "\n"
