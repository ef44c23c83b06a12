"""Requests of a stream are started as they come, several at once; their outcomes come back in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Generic, TypeVar

from chatctl.log import Receipt

R = TypeVar("R")
Outcome = Receipt | asyncio.Future[list[Receipt]]

READY_RECEIPTS = 1000  # in one response; with the longest reasons they stay below the 4 MiB that clients accept
AHEAD_REQUESTS, AHEAD_BYTES = 32, 4 * 1024 * 1024  # not yet stored; beyond it the client is held back by flow control
TOTAL_BYTES = 64 * 1024 * 1024  # not yet stored, of all streams; beyond it each may have one request under way


class Load:
    """What all streams together have under way."""

    bytes = 0


class Pipeline(Generic[R]):
    """Reads requests ahead, within bounds. Sets `wake` when there may be something to do; `close` it in the end."""

    def __init__(
        self,
        requests: AsyncIterator[R],
        size: Callable[[R], int],
        start: Callable[[R], list[Outcome]],
        wake: asyncio.Event,
        load: Load,
    ) -> None:
        """`start` begins to store what a request holds; `size` is the request's in bytes."""
        self._size = size
        self._start = start
        self._wake = wake
        self._load = load
        self._waiting: deque[tuple[Outcome, int]] = deque()
        self._come: deque[Receipt] = deque()
        self._bytes = 0
        self._room = asyncio.Event()
        self._reader = asyncio.create_task(self._read(requests))

    async def _read(self, requests: AsyncIterator[R]) -> None:
        try:
            async for request in requests:
                if any(map(_failed, self._waiting)):
                    return  # what comes after a failure is not to be stored before it is sent again
                share = self._size(request)
                for outcome in self._start(request):
                    self._waiting.append((outcome, share))
                    self._bytes += share
                    if isinstance(outcome, asyncio.Future):
                        self._load.bytes += share
                        outcome.add_done_callback(partial(self._done, share))
                    share = 0
                self._wake.set()
                del request  # its texts would live until the next one comes
                while self._waiting and self._is_full():
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._wake.set()

    def _is_full(self) -> bool:
        full = len(self._waiting) >= AHEAD_REQUESTS or self._bytes >= AHEAD_BYTES
        return full or self._load.bytes >= TOTAL_BYTES

    def _done(self, size: int, receipts: "asyncio.Future[Any]") -> None:
        self._load.bytes -= size
        self._wake.set()

    def ready(self) -> list[Receipt]:
        """Receipts that have come, in order, as many as go into a response. Raises what went wrong before the next could."""
        receipts: list[Receipt] = []
        while len(receipts) < READY_RECEIPTS:
            if self._come:
                receipts.append(self._come.popleft())
            elif not self._waiting or not self._take(bool(receipts)):
                break
        if not receipts and self.ended and not self._reader.cancelled():
            self._reader.result()
        return receipts

    def _take(self, told: bool) -> bool:
        """Take the next outcome, if it is known. An error waits until what came before it has been told."""
        outcome, size = self._waiting[0]
        if isinstance(outcome, Receipt):
            self._come.append(outcome)
        elif not outcome.done() or (told and outcome.exception()):
            return False
        else:
            self._come += outcome.result()
        self._waiting.popleft()
        self._bytes -= size
        self._room.set()
        return True

    def stop(self) -> None:
        """Read no more; what was started goes on."""
        self._reader.cancel()

    @property
    def idle(self) -> bool:
        """Whether every request read so far has all its receipts."""
        return not self._waiting and not self._come

    @property
    def ended(self) -> bool:
        """Whether nothing is left to come."""
        return self.idle and self._reader.done()

    async def close(self) -> None:
        """Read no more and forget what was started; the store finishes it all the same."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        if not self._reader.cancelled():
            self._reader.exception()  # so that asyncio does not complain that nobody looked


def _failed(waiting: tuple[Outcome, int]) -> bool:
    outcome = waiting[0]
    return isinstance(outcome, asyncio.Future) and outcome.done() and outcome.exception() is not None
