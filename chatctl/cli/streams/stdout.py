"""Messages as lines: JSON for programs, or the texts alone; and whoever reads them."""

import asyncio
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.terminal.escape import escape_lines

if TYPE_CHECKING:
    from chatctl.client import HistoryPage


STDOUT = 1


class Printer(Protocol):
    """Prints pages on stdout."""

    def print_page(self, page: "HistoryPage") -> bool:
        """Take a page; whether all so far is printed and flushed."""

    def flush(self) -> None:
        """Hold nothing back from here on."""

    def finish(self) -> None:
        """Print what was held back: no more comes."""


class LinePrinter:
    """Prints every message at once."""

    def __init__(self, format_page: "Callable[[HistoryPage], Iterable[str]]") -> None:
        self._format_page = format_page

    def print_page(self, page: "HistoryPage") -> bool:
        out = sys.stdout.buffer
        before = _append_offset(out.fileno())
        try:
            out.write("".join(self._format_page(page)).encode())
            out.flush()
        except OSError:
            if before is not None:  # half a line would spoil the next one, when there is space again
                with suppress(OSError):
                    os.ftruncate(out.fileno(), before)
            raise
        return True

    def flush(self) -> None:
        """See Printer."""

    def finish(self) -> None:
        """See Printer."""


def _append_offset(descriptor: int) -> int | None:
    """Where what is written will go, if that is the end of a file."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return None
    appends = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
    return status.st_size if appends or os.lseek(descriptor, 0, os.SEEK_CUR) == status.st_size else None


def on_stdout_closed(callback: Callable[[], None]) -> None:
    """Call this once nobody reads stdout any more.

    Whoever reads a pipe may go (`| grep -m1`) long before there is something to write into it again.
    """
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(STDOUT)
        callback()

    with suppress(OSError):
        write_only = fcntl.fcntl(STDOUT, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        if stat.S_ISFIFO(os.fstat(STDOUT).st_mode) and write_only:
            # Such an end of a pipe is never ready to be read, but for the error that nobody reads the other end.
            loop.add_reader(STDOUT, closed)


def text_lines(page: "HistoryPage") -> Iterable[str]:
    """The texts alone, raw in a pipe so that they come back as they were sent, escaped at a terminal."""
    escape = escape_lines if sys.stdout.isatty() else str
    for run in page.runs:
        for text in run.texts:
            yield escape(text) + "\n"
