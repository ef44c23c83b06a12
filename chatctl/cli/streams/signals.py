"""Signals that end a command: the first one stops it gracefully, the second one at once."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from chatctl.cli.exit_codes import SIGNAL_OFFSET
from chatctl.cli.streams import ending
from chatctl.cli.streams.early_signals import STOP_SIGNALS


class SignalHandler:
    """Handles SIGINT, SIGTERM, SIGHUP and SIGQUIT from its creation, in the event loop, to the end of the process."""

    def __init__(
        self,
        on_first: Callable[[], None],
        on_second: Callable[[], None] | None = None,
        before_exit: Callable[[], None] | None = None,
        force_after: float = 0.0,
    ) -> None:
        """`on_first` and `on_second` are called in the event loop at the first and second signal.

        The next signal ends the process at once, after a call of `before_exit`. So does `force_after` seconds after
        the first signal, unless it is 0. SIGQUIT always ends the process at once.
        """
        self._callbacks = [on_first, on_second] if on_second else [on_first]
        self._before_exit = before_exit or (lambda: None)
        self._force_after = force_after
        self._loop = asyncio.get_running_loop()
        self._is_held = False
        self._held_signal = 0  # the signal that ends the process at the end of `hold`
        self.exit_code = 0
        """The exit code, once there was a signal."""
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup sets it
                signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL:  # Ctrl-\\ ends it at once, but restores the terminal
            signal.signal(signal.SIGQUIT, lambda number, _: self._exit(number))

    def _on_signal(self, number: int, _: object) -> None:
        """In the main thread, also within itself: another signal may arrive at any line."""
        ending.begin(number)
        try:
            callback = self._callbacks.pop(0)
        except IndexError:
            if self._is_held and not self._held_signal:
                self._held_signal = number
                return
            # Also during a write to a stdout that is not read, where the event loop cannot run.
            self._exit(number)
        if self._force_after and not self.exit_code:
            timer = threading.Timer(self._force_after, self._exit, (number,))
            timer.daemon = True
            timer.start()
        self.exit_code = self.exit_code or SIGNAL_OFFSET + number
        with suppress(RuntimeError):  # the loop has ended, and everything is reported
            self._loop.call_soon_threadsafe(callback)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let what belongs together be done, such as printing messages and saving the cursor behind them.

        A signal that would end the process at once ends it after that. It is soon: after a signal, `ending` bounds the wait
        for the reader of an output. One more signal does not wait.
        """
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            if self._held_signal:
                self._exit(self._held_signal)

    def _exit(self, number: int) -> NoReturn:
        self._before_exit()
        os._exit(SIGNAL_OFFSET + number)
