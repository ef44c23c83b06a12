"""The terminal, as it was before."""

import os
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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
