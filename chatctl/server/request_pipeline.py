"""Requests of a stream are started as they come, several at once; their outcomes come back in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Generic, TypeVar

from chatctl.model.records import Receipt

R = TypeVar("R")
PendingReceipt = Receipt | asyncio.Future[list[Receipt]]

MAX_RESPONSE_RECEIPTS = 1000  # in one response; with the longest reasons they stay below the 4 MiB that clients accept
MAX_IN_FLIGHT_REQUESTS, MAX_IN_FLIGHT_BYTES = (
    32,
    4 * 1024 * 1024,
)  # not yet stored; beyond it the client is held back by flow control
MAX_TOTAL_IN_FLIGHT_BYTES = 64 * 1024 * 1024  # not yet stored, of all streams; beyond it each may have one request under way


class InFlight:
    """What all streams together have under way."""

    bytes = 0


class RequestPipeline(Generic[R]):
    """Reads requests ahead, within bounds. Sets `wakeup` when there may be something to do; `close` it in the end."""

    def __init__(
        self,
        requests: AsyncIterator[R],
        size: Callable[[R], int],
        start: Callable[[R], list[PendingReceipt]],
        wakeup: asyncio.Event,
        in_flight: InFlight,
    ) -> None:
        """`start` begins to store what a request holds; `size` is the request's in bytes."""
        self._size = size
        self._start = start
        self._wakeup = wakeup
        self._in_flight = in_flight
        self._pending: deque[tuple[PendingReceipt, int]] = deque()
        self._ready: deque[Receipt] = deque()
        self._bytes = 0
        self._capacity_available = asyncio.Event()
        self._read_task = asyncio.create_task(self._read(requests))

    async def _read(self, requests: AsyncIterator[R]) -> None:
        try:
            async for request in requests:
                if any(map(_has_failed, self._pending)):
                    return  # what comes after a failure is not to be stored before it is sent again
                share = self._size(request)
                for pending in self._start(request):
                    self._pending.append((pending, share))
                    self._bytes += share
                    if isinstance(pending, asyncio.Future):
                        self._in_flight.bytes += share
                        pending.add_done_callback(partial(self._on_stored, share))
                    share = 0
                self._wakeup.set()
                del request  # its texts would live until the next one comes
                while self._pending and self._is_full():
                    self._capacity_available.clear()
                    await self._capacity_available.wait()
        finally:
            self._wakeup.set()

    def _is_full(self) -> bool:
        full = len(self._pending) >= MAX_IN_FLIGHT_REQUESTS or self._bytes >= MAX_IN_FLIGHT_BYTES
        return full or self._in_flight.bytes >= MAX_TOTAL_IN_FLIGHT_BYTES

    def _on_stored(self, size: int, receipts: "asyncio.Future[Any]") -> None:
        self._in_flight.bytes -= size
        self._wakeup.set()

    def pop_receipts(self) -> list[Receipt]:
        """Receipts that have come, in order, as many as go into a response. Raises what went wrong before the next could."""
        receipts: list[Receipt] = []
        while len(receipts) < MAX_RESPONSE_RECEIPTS:
            if self._ready:
                receipts.append(self._ready.popleft())
            elif not self._pending or not self._collect_next(bool(receipts)):
                break
        if not receipts and self.ended and not self._read_task.cancelled():
            self._read_task.result()
        return receipts

    def _collect_next(self, has_earlier: bool) -> bool:
        """Take the next outcome, if it is known. An error waits until what came before it has been told."""
        pending, size = self._pending[0]
        if isinstance(pending, Receipt):
            self._ready.append(pending)
        elif not pending.done() or (has_earlier and pending.exception()):
            return False
        else:
            self._ready += pending.result()
        self._pending.popleft()
        self._bytes -= size
        self._capacity_available.set()
        return True

    def stop(self) -> None:
        """Read no more; what was started goes on."""
        self._read_task.cancel()

    @property
    def idle(self) -> bool:
        """Whether every request read so far has all its receipts."""
        return not self._pending and not self._ready

    @property
    def ended(self) -> bool:
        """Whether nothing is left to come."""
        return self.idle and self._read_task.done()

    async def close(self) -> None:
        """Read no more and forget what was started; the store finishes it all the same."""
        self._read_task.cancel()
        await asyncio.wait([self._read_task])
        if not self._read_task.cancelled():
            self._read_task.exception()  # so that asyncio does not complain that nobody looked


def _has_failed(entry: tuple[PendingReceipt, int]) -> bool:
    pending = entry[0]
    return isinstance(pending, asyncio.Future) and pending.done() and pending.exception() is not None
