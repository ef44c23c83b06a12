"""Signals that stop a server: the first in order, the second at once, the third without closing the store."""

import asyncio
import itertools
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from chatctl.errors import StoreFailed

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """The first and the second SIGTERM, SIGINT or SIGHUP, except those that the parent had the process ignore.

    Shells let a command in the background of a script ignore SIGINT, and nohup lets it ignore SIGHUP. The event loop has to
    wake for signals: see chatctl/cli/streams/event_loop.py.
    """

    def __init__(self, exit_seconds: float, force_exit: Callable[[StoreFailed | None], NoReturn]) -> None:
        """Call `force_exit` so many seconds after the first signal, in a thread, if the process has not ended by then."""
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self.force_exit = force_exit
        self.log_failure: asyncio.Future[StoreFailed] | None = None
        """The failure of the log, once it is open."""
        self._exit_seconds = exit_seconds
        self._signal_counter = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: object) -> None:
        """In the main thread, also while it waits outside of the event loop, and within itself."""
        count = next(self._signal_counter)
        if count > 2:
            self._force_exit()
        if count == 1:
            timer = threading.Timer(min(self._exit_seconds, threading.TIMEOUT_MAX), self._force_exit)
            timer.daemon = True
            timer.start()
        with suppress(RuntimeError):  # the event loop is closed: everything is done
            self._loop.call_soon_threadsafe((self.first if count == 1 else self.second).set)

    def _force_exit(self) -> None:
        failure = self.log_failure
        self.force_exit(failure.result() if failure is not None and failure.done() else None)
