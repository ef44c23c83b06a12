"""Watchdog for missing responses."""

import asyncio
from collections.abc import Callable
from math import inf

MIN_TICKS = 20  # in a timeout
SLOW_SECONDS, SLOW_TICKS = 2.0, 4


class ResponseWatchdog:
    """Calls `on_timeout` after `seconds` without a response that is due; with 0 it never does.

    It counts ticks of its own timer and does not read a clock: time in which this process cannot run, because it is stopped
    or blocked by a full stdout, does not count. `on_slow` is called once in each wait of over 2 s. Always `close` it.
    """

    def __init__(
        self, seconds: float, on_timeout: Callable[[], object], on_slow: Callable[[], object] | None = None
    ) -> None:
        max_tick = SLOW_SECONDS / SLOW_TICKS
        self._tick_seconds = min(seconds / MIN_TICKS, max_tick) if seconds else max_tick
        self._max_ticks = round(seconds / self._tick_seconds) if seconds else None
        # One more tick than in 2 s, because the first one may have been short.
        self._slow_ticks = round(SLOW_SECONDS / self._tick_seconds) + 1
        self._on_timeout = on_timeout
        self._on_slow = on_slow
        self._silent_ticks = 0
        self._expecting = True
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.expired = False
        """Whether it has called `on_timeout`."""
        self._schedule_tick()

    def reset(self, expecting: bool) -> None:
        """Start the wait again, after a response. `expecting`: another response is due."""
        self._silent_ticks = 0
        self._expecting = expecting
        if expecting and self._timer is None:
            self._schedule_tick()

    def start(self) -> None:
        """Expect a response. A wait in progress goes on."""
        if not self._expecting:
            self.reset(expecting=True)

    @property
    def remaining(self) -> float:
        """Seconds until the timeout if no response arrives; infinite without a timeout."""
        return inf if self._max_ticks is None else (self._max_ticks - self._silent_ticks) * self._tick_seconds

    def _schedule_tick(self) -> None:
        if not self._closed:
            self._timer = self._loop.call_later(self._tick_seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._expecting:
            return  # no timer until a response is due again, so that an idle follower costs nothing
        self._silent_ticks += 1
        if self._on_slow and self._silent_ticks == self._slow_ticks:
            self._on_slow()
        if self._silent_ticks == self._max_ticks:
            self.expired = True
            self._on_timeout()
        self._schedule_tick()  # after a timeout, too: a late response starts the next wait

    def close(self) -> None:
        """Stop the timer."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
