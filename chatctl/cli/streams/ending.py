"""The end after a signal: from then on, output whose reader has stalled is waited for only a short time."""

import os
import time

from chatctl.cli.exit_codes import SIGNAL_OFFSET

STALLED_SECONDS = 0.5  # how long a reader may take nothing, once the command has to end
WHOLE_SECONDS, MAX_SECONDS = 1.0, 1.5  # how long after the signal a slow reader gets all that is being written, or its line


class OutputStalled(OSError):
    """There was a signal, and the reader of an output takes nothing, or not all of it in time."""


class _Signal:
    """The first signal. `wakeup` is readable after it."""

    number = 0
    time = 0.0
    wakeup = -1


def begin(number: int) -> None:
    """Note the first signal, in its handler."""
    if not _Signal.number:
        _Signal.number, _Signal.time = number, time.monotonic()
        if _Signal.wakeup >= 0:
            os.eventfd_write(_Signal.wakeup, 1)


def has_begun() -> bool:
    """Return whether there was a signal."""
    return _Signal.number > 0


def exit_code() -> int:
    """Return the exit code of the first signal."""
    return SIGNAL_OFFSET + _Signal.number


def seconds_left(seconds: float) -> float:
    """Return how much is left of some seconds from the first signal on; all of them without one."""
    return max(0.0, _Signal.time + seconds - time.monotonic()) if _Signal.number else seconds


def wakeup() -> int:
    """Return a descriptor that is readable after the first signal. Ask `has_begun` after this call."""
    if _Signal.wakeup < 0:
        _Signal.wakeup = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    return _Signal.wakeup
