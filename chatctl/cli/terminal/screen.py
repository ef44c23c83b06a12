"""The terminal: its size and kind, keys, the alternate screen, and how it is restored."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


def has_light_background() -> bool:
    """Return whether the terminal reports a white background. Few terminals report anything."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


SHOW_CURSOR = b"\x1b[?25h\n"


def show_cursor() -> None:
    """Show the cursor again, which the progress line may have hidden."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), SHOW_CURSOR)


LEAVE_ALT_SCREEN = b"\x1b[?1049l\x1b[?25h"


def leave_alt_screen() -> None:
    """Return from the alternate screen, and show the cursor."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), LEAVE_ALT_SCREEN)


@contextmanager
def listen_for_keys(on_key: Callable[[bytes], None]) -> Iterator[None]:
    """Call `on_key` for each key pressed, if stdin is a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    saved_mode = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()
    try:
        tty.setcbreak(descriptor)
        mode = termios.tcgetattr(descriptor)
        mode[6][termios.VSUSP] = b"\0"  # after Ctrl-Z the shell would be on our screen
        termios.tcsetattr(descriptor, termios.TCSANOW, mode)
        loop.add_reader(descriptor, lambda: _read_key(loop, descriptor, on_key))
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, saved_mode)


def _read_key(loop: asyncio.AbstractEventLoop, descriptor: int, on_key: Callable[[bytes], None]) -> None:
    with suppress(OSError):
        if key := os.read(descriptor, 64):
            on_key(key)
            return
    loop.remove_reader(descriptor)  # the terminal was closed


# Turn off mouse, focus, paste and key reports, show the cursor, and leave the alternate screen.
RESET_SCREEN = b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[?25h\x1b[?1049l"


@contextmanager
def terminal_restorer() -> Iterator[Callable[[], None]]:
    """Provide a function that makes the terminal usable again, for an exit that leaves the app no time to do so."""
    descriptor = sys.stdin.fileno()
    saved_attributes = termios.tcgetattr(descriptor)

    def restore() -> None:
        with suppress(OSError, termios.error):
            os.write(sys.stderr.fileno(), RESET_SCREEN)
            termios.tcsetattr(descriptor, termios.TCSANOW, saved_attributes)

    yield restore
