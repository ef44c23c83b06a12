"""Signals that ask a command to end: it is asked once, and has no choice the second time."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from chatctl.cli.exit_codes import SIGNAL_OFFSET


class SignalHandler:
    """Takes SIGINT, SIGTERM and SIGHUP from when it is made, in the event loop, to the end of the process."""

    def __init__(
        self,
        on_first: Callable[[], None],
        on_second: Callable[[], None] | None = None,
        before_exit: Callable[[], None] | None = None,
        force_after: float = 0.0,
    ) -> None:
        """`on_first` and `on_second` are called in the event loop at the first and second signal.

        After that, and without `on_second` already then, the process ends at once; `before_exit` is called before. So it does when
        it is still there so many seconds after the first signal; 0 is never.
        """
        self._callbacks = [on_first, on_second] if on_second else [on_first]
        self._before_exit = before_exit or (lambda: None)
        self._force_after = force_after
        self._loop = asyncio.get_running_loop()
        self.exit_code = 0
        """The exit code, once there was a signal."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: object) -> None:
        if not self._callbacks:
            # Also out of a write to a stdout that nobody reads, where the event loop never gets to run.
            self._exit(number)
        if self._force_after and not self.exit_code:
            timer = threading.Timer(self._force_after, self._exit, (number,))
            timer.daemon = True
            timer.start()
        self.exit_code = self.exit_code or SIGNAL_OFFSET + number
        with suppress(RuntimeError):  # the loop has ended, and all is told
            self._loop.call_soon_threadsafe(self._callbacks.pop(0))

    def _exit(self, number: int) -> None:
        self._before_exit()
        os._exit(SIGNAL_OFFSET + number)
