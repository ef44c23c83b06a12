"""Measuring silence: how long the server has not answered when it should."""

import asyncio
from collections.abc import Callable
from math import inf

MIN_TICKS = 20  # at least, in which silence is measured
SLOW_SECONDS, SLOW_TICKS = 2.0, 4


class ResponseWatchdog:
    """Calls `on_timeout` after so many seconds in which an answer was expected and none came; 0 is never.

    Counts steps of its own timer and not the clock, so time in which this process could not run (stopped, or blocked by a
    full stdout) does not count. `on_slow` is called once for each silence of over two seconds. `close` it in the end.
    """

    def __init__(
        self, seconds: float, on_timeout: Callable[[], object], on_slow: Callable[[], object] | None = None
    ) -> None:
        max_tick = SLOW_SECONDS / SLOW_TICKS
        self._tick_seconds = min(seconds / MIN_TICKS, max_tick) if seconds else max_tick
        self._max_ticks = round(seconds / self._tick_seconds) if seconds else None
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
        """The server answered, or needs not to; from now on an answer is expected or not."""
        self._silent_ticks = 0
        self._expecting = expecting
        if expecting and self._timer is None:
            self._schedule_tick()

    def start(self) -> None:
        """An answer is expected; if one was already, the silence goes on."""
        if not self._expecting:
            self.reset(expecting=True)

    @property
    def remaining(self) -> float:
        """Seconds until it gives up if nothing is heard; infinite if it never does."""
        return inf if self._max_ticks is None else (self._max_ticks - self._silent_ticks) * self._tick_seconds

    def _schedule_tick(self) -> None:
        if not self._closed:
            self._timer = self._loop.call_later(self._tick_seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._expecting:
            return  # until an answer is expected again: who waits for what nobody has written yet costs nothing
        self._silent_ticks += 1
        if (
            self._on_slow and self._silent_ticks == round(SLOW_SECONDS / self._tick_seconds) + 1
        ):  # the first may have been short
            self._on_slow()
        if self._silent_ticks == self._max_ticks:
            self.expired = True
            self._on_timeout()  # whose silence ends all the same is measured again: the timer goes on
        self._schedule_tick()

    def close(self) -> None:
        """Measure no more."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
