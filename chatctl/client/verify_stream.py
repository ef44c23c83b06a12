"""Verifying: a bounded window of requests without responses on one stream, and what each came to, in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import NamedTuple

from chatctl.client.call import Call
from chatctl.errors import Unavailable, UnexpectedStatus
from chatctl.model.claims import Claim, Claims, Fault
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert

WINDOW_REQUESTS = 64  # without responses; so many keep a far server busy
MAX_REQUEST_CLAIMS = 1000


class VerifyResult(NamedTuple):
    """Some claims, and those of them that do not hold, by their index. All others do."""

    claims: Sequence[Claim]
    faults: list[Fault]


class VerifyStream:
    """A stream that verifies. Iterate over `results` once, then `close` it."""

    def __init__(self, call: Call, batch_messages: int) -> None:
        """Use `ChatClient.verify`."""
        self._call = call
        self._max_request_claims = min(MAX_REQUEST_CLAIMS, batch_messages)
        self._in_flight: deque[Sequence[Claim]] = deque()
        self._free_slots = asyncio.Semaphore(WINDOW_REQUESTS)
        self._all_written = False  # asking
        self._input_error: Exception | None = None  # of the claims' source
        self._wants_response = True
        self._writer: asyncio.Task[None] | None = None

    async def results(self, batches: AsyncIterable[Claims]) -> AsyncGenerator[VerifyResult, None]:
        """What became of the claims, in order; what went wrong with their source comes after all that came before it."""
        self._update_watchdog()
        self._writer = asyncio.create_task(self._write_requests(batches))
        while (response := await self._call.read()) is not None:
            if not self._in_flight:
                raise UnexpectedStatus("the server answered what it was not asked", 13)
            claims = self._in_flight.popleft()
            self._free_slots.release()
            faults = convert.faults_from_pb(response.faults)
            if response.num_messages != len(claims) or not all(0 <= fault.index < len(claims) for fault in faults):
                raise UnexpectedStatus("the server did not answer what it was asked", 13)
            self._wants_response = False  # the reader's time is its own
            self._update_watchdog()
            yield VerifyResult(claims, faults)
            self._wants_response = True
            self._update_watchdog()
        if self._input_error:
            raise self._input_error
        if self._in_flight or not self._all_written:
            raise UnexpectedStatus("the server ended the stream before it had answered everything", Unavailable.code)

    def _update_watchdog(self) -> None:
        """Tell the patience what is due: nothing while the claims' source, or whoever reads the answers, takes its time."""
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
                        return  # reading raises why
        except Exception as error:
            self._input_error = error
        self._all_written = True
        self._update_watchdog()
        await self._call.done_writing()

    async def close(self) -> None:
        """End the stream, whatever is still under way."""
        self._call.close()
        if self._writer:
            self._writer.cancel()
            await asyncio.wait([self._writer])
