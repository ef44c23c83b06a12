"""VerifyStream: sends claims on one stream, a bounded number of requests ahead, and yields the results in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import NamedTuple

from chatctl.client.call import Call
from chatctl.errors import Unavailable, UnexpectedStatus
from chatctl.model.claims import Claim, Claims, Fault
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert
from chatctl.wire.checks import check_count, check_range, contract_error

WINDOW_REQUESTS = 64  # in flight; 64 keep a distant server busy
MAX_REQUEST_CLAIMS = 1000


class VerifyResult(NamedTuple):
    """Claims, and the faults of those that do not hold, by their index."""

    claims: Sequence[Claim]
    faults: list[Fault]


class VerifyStream:
    """A stream of VerifyMessages. Iterate over `results` once, then `close` it."""

    def __init__(self, call: Call, batch_messages: int) -> None:
        """Use `ChatClient.verify`."""
        self._call = call
        self._max_request_claims = min(MAX_REQUEST_CLAIMS, batch_messages)
        self._in_flight: deque[Sequence[Claim]] = deque()
        self._free_slots = asyncio.Semaphore(WINDOW_REQUESTS)
        self._all_written = False
        self._input_error: Exception | None = None  # raised by the iteration over the claims
        self._wants_response = True
        self._writer: asyncio.Task[None] | None = None

    async def results(self, batches: AsyncIterable[Claims]) -> AsyncGenerator[VerifyResult, None]:
        """Yield the result of each request, in order. Raises an error of `batches` after the results of earlier claims."""
        self._update_watchdog()
        self._writer = asyncio.create_task(self._write_requests(batches))
        while (response := await self._call.read()) is not None:
            result = self._match_response(response)
            self._wants_response = False  # the caller's time does not count
            self._update_watchdog()
            yield result
            self._wants_response = True
            self._update_watchdog()
        if self._input_error:
            raise self._input_error
        if self._in_flight or not self._all_written:
            raise UnexpectedStatus("the server ended the stream before it had verified every claim", Unavailable.code)

    def _match_response(self, response: pb.VerifyMessagesResponse) -> VerifyResult:
        """Return the result of the oldest request in flight. Raises IncompatibleServer if the response does not fit it."""
        if not self._in_flight:
            raise contract_error("a response without a request")
        claims = self._in_flight.popleft()
        self._free_slots.release()
        check_count("faults", response.faults, len(claims))
        faults = convert.faults_from_pb(response.faults)
        check_range("number of verified messages", response.num_messages, len(claims), len(claims))
        last = -1
        for fault in faults:
            if not last < fault.index < len(claims) or fault.sequence != claims[fault.index].sequence:
                raise contract_error(f"a fault that does not fit the request: {fault.index} with sequence {fault.sequence}")
            last = fault.index
        return VerifyResult(claims, faults)

    def _update_watchdog(self) -> None:
        """Expect a response only while a request is in flight and the caller waits for its result."""
        self._call.watchdog.reset(expecting=self._wants_response and bool(self._in_flight or self._all_written))

    async def _write_requests(self, batches: AsyncIterable[Claims]) -> None:
        try:
            async for prefix, claims in batches:
                for start in range(0, len(claims), self._max_request_claims):
                    part = claims[start : start + self._max_request_claims]
                    await self._free_slots.acquire()
                    self._in_flight.append(part)
                    if len(self._in_flight) == 1:
                        self._update_watchdog()
                    request = pb.VerifyMessagesRequest(cursor_prefix=prefix, claims=convert.claims_to_pb(part))
                    if not await self._call.write(request):
                        return  # reading raises the reason
        except Exception as error:
            self._input_error = error
        self._all_written = True
        self._update_watchdog()
        await self._call.done_writing()

    async def close(self) -> None:
        """End the stream, with everything in flight."""
        self._call.close()
        if self._writer:
            self._writer.cancel()
            await asyncio.wait([self._writer])
