"""The terminal: its size and kind, keys, the alternate screen, and how it is restored."""

import asyncio
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

STALL_SECONDS = 0.5  # how long an exit waits for a terminal that takes no output


def has_light_background() -> bool:
    """Return whether the terminal reports a white background. Few terminals report anything."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


SHOW_CURSOR = b"\x1b[?25h\n"


def show_cursor() -> None:
    """Show the cursor again, which the progress line may have hidden."""
    if sys.stderr.isatty():
        write_to_terminal(sys.stderr.fileno(), SHOW_CURSOR)


ENTER_ALT_SCREEN, LEAVE_ALT_SCREEN = b"\x1b[?1049h\x1b[?25l", b"\x1b[?1049l\x1b[?25h"


class FullScreen:
    """The terminal of a view that draws all of stdout: its keys, sizes and suspension. A context manager.

    The view enters and leaves the alternate screen itself; other ways out call `restore`.
    """

    def __init__(self, on_key: Callable[[bytes], None], on_closed: Callable[[], None], redraw: Callable[[], None]) -> None:
        """`on_closed` is called when the terminal of stdin is gone."""
        self._on_key, self._on_closed, self._redraw = on_key, on_closed, redraw
        self._loop = asyncio.get_running_loop()
        self._keyboard = sys.stdin.fileno()
        self._saved_mode: list[Any] | None = None  # of the keyboard; None if stdin is not a terminal

    def __enter__(self) -> Self:
        with suppress(OSError, termios.error):  # termios.error is not an OSError
            self._saved_mode = termios.tcgetattr(self._keyboard)
            self._read_single_keys()
            self._loop.add_reader(self._keyboard, self._read_key)
        self._loop.add_signal_handler(signal.SIGWINCH, self._redraw)
        self._loop.add_signal_handler(signal.SIGCONT, self._resume)
        if signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:  # shells without job control set it
            self._loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._keyboard)
        for number in (signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP):
            self._loop.remove_signal_handler(number)
        self._restore_mode()

    def restore(self) -> None:
        """Leave the alternate screen and show what is typed, for an exit that leaves the view no time to do so."""
        write_to_terminal(sys.stdout.fileno(), LEAVE_ALT_SCREEN)
        self._restore_mode()

    def _read_single_keys(self) -> None:
        tty.setcbreak(self._keyboard, termios.TCSANOW)

    def _restore_mode(self) -> None:
        if self._saved_mode:
            with suppress(OSError, termios.error):  # the terminal may be gone
                termios.tcsetattr(self._keyboard, termios.TCSANOW, self._saved_mode)

    def _read_key(self) -> None:
        with suppress(OSError):
            if key := os.read(self._keyboard, 64):
                self._on_key(key)
                return
        self._loop.remove_reader(self._keyboard)
        if not os.isatty(self._keyboard):
            self._on_closed()

    def _suspend(self) -> None:
        """Stop the process, after Ctrl-Z, with the screen and the keyboard as the shell needs them."""
        self.restore()
        self._loop.remove_signal_handler(signal.SIGTSTP)
        signal.raise_signal(signal.SIGTSTP)  # it returns after SIGCONT, or at once if no shell could send that
        self._loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._resume()

    def _resume(self) -> None:
        """Take the screen and the keyboard again, also after a SIGSTOP that nothing could prepare for."""
        if self._saved_mode:
            with suppress(OSError, termios.error):
                self._read_single_keys()
        write_to_terminal(sys.stdout.fileno(), ENTER_ALT_SCREEN)
        self._redraw()


def write_to_terminal(descriptor: int, data: bytes) -> None:
    """Write, unless the terminal is gone or does not take output now, after Ctrl-S for example."""
    with suppress(OSError):
        if select.select((), (descriptor,), (), STALL_SECONDS)[1]:
            os.write(descriptor, data)


# End a sequence that is half written and a synchronised update, turn off reports of the mouse, focus, size, pastes and
# keys, wrap lines again, show the cursor, and leave the alternate screen.
RESET_SCREEN = (
    b"\x18\x1b[?2026l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2048l\x1b[?2004l\x1b[<u"
    b"\x1b[?7h\x1b[?25h\x1b[?1049l"
)


@contextmanager
def terminal_restorer() -> Iterator[Callable[[], None]]:
    """Provide a function that makes the terminal usable again, for an exit that leaves the app no time to do so."""
    descriptor, screen = sys.stdin.fileno(), sys.stderr.fileno()  # Textual replaces sys.stderr while it runs
    saved_attributes = termios.tcgetattr(descriptor)

    def restore() -> None:
        with suppress(OSError, termios.error):
            write_to_terminal(screen, RESET_SCREEN)
            termios.tcsetattr(descriptor, termios.TCSANOW, saved_attributes)

    yield restore
