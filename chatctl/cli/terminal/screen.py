"""One run of `stats --watch`: an answer every so many seconds, through restarts of the server."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from chatctl.cli.streams.stdin import STDIN

DUMB_TERMINALS = ("dumb", "unknown")
"""Values of TERM: terminals that can show lines and no more."""


def terminal_columns(stream: TextIO) -> int:
    """How wide the terminal is that a stream goes to; COLUMNS, if that is set; 80, if nobody knows."""
    if (wanted := os.environ.get("COLUMNS", "")).isdecimal() and int(wanted):
        return int(wanted)
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or 80
    return 80


SHOW_CURSOR = b"\x1b[?25h\n"


def show_cursor() -> None:
    """The progress may have hidden it."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), SHOW_CURSOR)


LEAVE_ALT_SCREEN = b"\x1b[?1049l\x1b[?25h"


@contextmanager
def listen_for_keys(on_key: Callable[[bytes], None]) -> Iterator[None]:
    """Hear of keys as they are pressed, if there is a keyboard."""
    if not sys.stdin.isatty():
        yield
        return
    saved_mode = termios.tcgetattr(STDIN)
    loop = asyncio.get_running_loop()
    try:
        tty.setcbreak(STDIN)
        mode = termios.tcgetattr(STDIN)
        mode[6][termios.VSUSP] = b"\0"  # stopped by Ctrl-Z, it would leave its screen to the shell
        termios.tcsetattr(STDIN, termios.TCSANOW, mode)
        loop.add_reader(STDIN, lambda: _read_key(loop, on_key))
        yield
    finally:
        loop.remove_reader(STDIN)
        termios.tcsetattr(STDIN, termios.TCSADRAIN, saved_mode)


def _read_key(loop: asyncio.AbstractEventLoop, on_key: Callable[[bytes], None]) -> None:
    with suppress(OSError):
        if key := os.read(STDIN, 64):
            on_key(key)
            return
    loop.remove_reader(STDIN)  # the terminal has gone


def leave_alt_screen() -> None:
    """Return from the alternate screen, and show the cursor."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), LEAVE_ALT_SCREEN)


# Mouse, focus, paste and keys as they were, the cursor, and the screen that was there before.
LEAVE_SCREEN = b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[?25h\x1b[?1049l"


@contextmanager
def terminal_restorer() -> Iterator[Callable[[], None]]:
    """Gives what makes the terminal usable again, for an end that leaves the app no time to do so."""
    descriptor = sys.stdin.fileno()
    saved_attributes = termios.tcgetattr(descriptor)

    def restore() -> None:
        with suppress(OSError, termios.error):
            os.write(sys.stderr.fileno(), LEAVE_SCREEN)
            termios.tcsetattr(descriptor, termios.TCSANOW, saved_attributes)

    yield restore
