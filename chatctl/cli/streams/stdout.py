"""Writing data to stdout: what happens when its reader has gone or its disk is full is decided here."""

import asyncio
import os
import select
import signal
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.exit_codes import SIGNAL_OFFSET
from chatctl.cli.streams.descriptors import output
from chatctl.cli.streams.written_tail import WrittenTail
from chatctl.cli.terminal.escape import escape_json, escape_lines

if TYPE_CHECKING:
    from chatctl.client import HistoryPage

STDOUT = 1
PROBE_SECONDS = 30  # of silence, before a TCP connection behind stdout is probed


def write_lines(data: bytes, keep_whole_lines: bool = False) -> None:
    """Write whole lines. If that fails in a file, none of them, or no half one, is left there. Raises OSError."""
    try:
        sys.stdout.flush()
        descriptor = sys.stdout.fileno()
        if (stdout := output(descriptor)).is_file:
            WrittenTail(descriptor).write_all(data, keep_whole_lines)
        else:
            stdout.write(data)
    except OSError as error:
        error.filename = "stdout"  # for the sentence about it
        raise


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
    descriptor = sys.stdout.fileno()
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, descriptor)
    os.close(null)
    output(descriptor)  # closes what was open before, so that its reader sees the end


def on_stdout_closed(callback: Callable[[int], None], also_terminal: bool = True) -> None:
    """Call `callback` with the exit code when the reader of stdout has gone: that of a pipe, a socket or a terminal.

    It may go (`| grep -m1`) long before there is something to write again.
    """
    loop = asyncio.get_running_loop()
    at_terminal = os.isatty(STDOUT)  # false once it is closed
    if at_terminal and not also_terminal:
        return
    events = select.epoll()

    def closed() -> None:
        loop.remove_reader(events.fileno())
        events.close()
        callback(SIGNAL_OFFSET + signal.SIGHUP if at_terminal else 0)

    with suppress(OSError):  # of a file, which has no reader
        events.register(STDOUT, 0)  # only what is always reported: that the other side is closed
        if stat.S_ISSOCK(os.fstat(STDOUT).st_mode):
            _probe_connection(STDOUT)
        loop.add_reader(events.fileno(), closed)


def _probe_connection(descriptor: int) -> None:
    """Let the kernel ask now and then whether the other side of a TCP connection still exists.

    Its end is not reported otherwise: it looks like that of a client that has sent its input, and still reads.
    """
    import socket

    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_SECONDS)


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
