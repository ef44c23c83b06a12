"""Signals that ask a command to end: it is asked once, and has no choice the second time."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

SIGNAL_OFFSET = 128  # exit codes 128 + N are signals, as in every shell


class Interrupts:
    """Takes SIGINT, SIGTERM and SIGHUP from when it is made, in the event loop, to the end of the process."""

    def __init__(
        self,
        first: Callable[[], None],
        second: Callable[[], None] | None = None,
        dying: Callable[[], None] | None = None,
        seconds: float = 0.0,
    ) -> None:
        """`first` and `second` are called in the event loop at the first and second signal.

        After that, and without `second` already then, the process ends at once; `dying` is called before. So it does when
        it is still there so many seconds after the first signal; 0 is never.
        """
        self._calls = [first, second] if second else [first]
        self._dying = dying or (lambda: None)
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self.code = 0
        """The exit code, once there was a signal."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, self._came)

    def _came(self, number: int, _: object) -> None:
        if not self._calls:
            # Also out of a write to a stdout that nobody reads, where the event loop never gets to run.
            self._end(number)
        if self._seconds and not self.code:
            timer = threading.Timer(self._seconds, self._end, (number,))
            timer.daemon = True
            timer.start()
        self.code = self.code or SIGNAL_OFFSET + number
        with suppress(RuntimeError):  # the loop has ended, and all is told
            self._loop.call_soon_threadsafe(self._calls.pop(0))

    def _end(self, number: int) -> None:
        self._dying()
        os._exit(SIGNAL_OFFSET + number)
