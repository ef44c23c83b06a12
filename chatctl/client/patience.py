"""Measuring silence: how long the server has not answered when it should."""

import asyncio
from collections.abc import Callable
from math import inf

STEPS = 20  # at least, in which silence is measured
NOTICE_SECONDS, NOTICE_STEPS = 2.0, 4


class Patience:
    """Calls `give_up` after so many seconds in which an answer was expected and none came; 0 is never.

    Counts steps of its own timer and not the clock, so time in which this process could not run (stopped, or blocked by a
    full stdout) does not count. `notice` is called once for each silence of over two seconds. `close` it in the end.
    """

    def __init__(self, seconds: float, give_up: Callable[[], object], notice: Callable[[], object] | None = None) -> None:
        longest = NOTICE_SECONDS / NOTICE_STEPS
        self._step = min(seconds / STEPS, longest) if seconds else longest
        self._steps = round(seconds / self._step) if seconds else None
        self._give_up = give_up
        self._notice = notice
        self._silent = 0
        self._expecting = True
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.gone = False
        """Whether it has called `give_up`."""
        self._tick_later()

    def heard(self, expecting: bool) -> None:
        """The server answered, or needs not to; from now on an answer is expected or not."""
        self._silent = 0
        self._expecting = expecting
        if expecting and self._timer is None:
            self._tick_later()

    def expect(self) -> None:
        """An answer is expected; if one was already, the silence goes on."""
        if not self._expecting:
            self.heard(expecting=True)

    @property
    def left(self) -> float:
        """Seconds until it gives up if nothing is heard; infinite if it never does."""
        return inf if self._steps is None else (self._steps - self._silent) * self._step

    def _tick_later(self) -> None:
        if not self._closed:
            self._timer = self._loop.call_later(self._step, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._expecting:
            return  # until an answer is expected again: who waits for what nobody has written yet costs nothing
        self._silent += 1
        if self._notice and self._silent == round(NOTICE_SECONDS / self._step) + 1:  # the first may have been short
            self._notice()
        if self._silent == self._steps:
            self.gone = True
            self._give_up()  # whose silence ends all the same is measured again: the timer goes on
        self._tick_later()

    def close(self) -> None:
        """Measure no more."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
