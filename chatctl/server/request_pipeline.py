"""Requests of one stream in flight: several are stored at a time, and their receipts come out in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from chatctl.model.records import Receipt

R = TypeVar("R")
PendingReceipt = Receipt | asyncio.Future[list[Receipt]]

MAX_RESPONSE_RECEIPTS = 1000  # with the longest errors they stay below the 4 MiB that clients accept
# Of one stream; past a bound, flow control holds the client back.
MAX_IN_FLIGHT_REQUESTS, MAX_IN_FLIGHT_BYTES = 32, 4 * 1024 * 1024
MAX_TOTAL_IN_FLIGHT_BYTES = 64 * 1024 * 1024  # of all streams; past it each may have one request in flight


@dataclass
class InFlight:
    """Bytes of requests in flight, of all streams together."""

    bytes: int = 0


class RequestPipeline(Generic[R]):
    """Reads requests ahead, within bounds, and sets `wakeup` when there may be something to do. `close` it at the end."""

    def __init__(
        self,
        requests: AsyncIterator[R],
        size: Callable[[R], int],
        start: Callable[[R], list[PendingReceipt]],
        wakeup: asyncio.Event,
        in_flight: InFlight,
    ) -> None:
        """`start` begins to store the records of a request; `size` returns its bytes."""
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
                    return  # records after a failed one must not be stored before the client sends that one again
                self._add(self._start(request), self._size(request))
                self._wakeup.set()
                del request  # or its texts stay in memory until the next request
                while self._pending and self._is_full():
                    self._capacity_available.clear()
                    await self._capacity_available.wait()
        finally:
            self._wakeup.set()

    def _add(self, parts: list[PendingReceipt], size: int) -> None:
        """Add the parts of a request to those in flight. Its bytes count until the last part is done."""
        if not parts:  # a request without texts
            return
        self._pending.extend((part, 0) for part in parts[:-1])
        self._pending.append((parts[-1], size))
        self._bytes += size
        futures = [part for part in parts if isinstance(part, asyncio.Future)]
        for future in futures[:-1]:
            future.add_done_callback(partial(self._on_stored, 0))
        if futures:
            self._in_flight.bytes += size
            futures[-1].add_done_callback(partial(self._on_stored, size))

    def _is_full(self) -> bool:
        full = len(self._pending) >= MAX_IN_FLIGHT_REQUESTS or self._bytes >= MAX_IN_FLIGHT_BYTES
        return full or self._in_flight.bytes >= MAX_TOTAL_IN_FLIGHT_BYTES

    def _on_stored(self, size: int, receipts: "asyncio.Future[Any]") -> None:
        self._in_flight.bytes -= size
        self._wakeup.set()

    def pop_receipts(self) -> list[Receipt]:
        """Return the receipts that are ready, in order, at most one response of them.

        Raises the error of the next request, once the receipts before it were returned.
        """
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
        """Collect the receipts of the next request, if they are known. An error waits until earlier receipts are sent."""
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
        """Stop reading requests; those in flight go on."""
        self._read_task.cancel()

    @property
    def idle(self) -> bool:
        """True if no receipt is outstanding."""
        return not self._pending and not self._ready

    @property
    def ended(self) -> bool:
        """True if no receipt is outstanding, and no request can follow."""
        return self.idle and self._read_task.done()

    async def close(self) -> None:
        """Stop reading, and drop the requests in flight; the store still finishes them."""
        self._read_task.cancel()
        # Retrieves the error, or asyncio logs it; also if this call is cancelled while it waits.
        self._read_task.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait([self._read_task])


def _has_failed(entry: tuple[PendingReceipt, int]) -> bool:
    pending = entry[0]
    return isinstance(pending, asyncio.Future) and pending.done() and pending.exception() is not None
