"""Verifying: a bounded window of requests without responses on one stream, and what each came to, in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import NamedTuple

from chatctl import wire
from chatctl.client.call import Call
from chatctl.errors import Unavailable, Unexpected
from chatctl.v1 import chat_pb2 as pb
from chatctl.verify import Claim, Claims, Fault

WINDOW_REQUESTS = 64  # without responses; so many keep a far server busy
REQUEST_MESSAGES = 1000


class Verified(NamedTuple):
    """Some claims, and those of them that do not hold, by their index. All others do."""

    claims: Sequence[Claim]
    faults: list[Fault]


class Verification:
    """A stream that verifies. Iterate over `answers` once, then `close` it."""

    def __init__(self, call: Call, batch_messages: int) -> None:
        """Use `ChatClient.verify`."""
        self._call = call
        self._most = min(REQUEST_MESSAGES, batch_messages)
        self._asked: deque[Sequence[Claim]] = deque()
        self._room = asyncio.Semaphore(WINDOW_REQUESTS)
        self._finished = False  # asking
        self._failure: Exception | None = None  # of the claims' source
        self._reading = True
        self._writer: asyncio.Task[None] | None = None

    async def answers(self, batches: AsyncIterable[Claims]) -> AsyncGenerator[Verified, None]:
        """What became of the claims, in order; what went wrong with their source comes after all that came before it."""
        self._expect()
        self._writer = asyncio.create_task(self._ask(batches))
        while (response := await self._call.read()) is not None:
            if not self._asked:
                raise Unexpected("the server answered what it was not asked", 13)
            claims = self._asked.popleft()
            self._room.release()
            faults = wire.faults(response.faults)
            if response.num_messages != len(claims) or not all(0 <= fault.index < len(claims) for fault in faults):
                raise Unexpected("the server did not answer what it was asked", 13)
            self._reading = False  # the reader's time is its own
            self._expect()
            yield Verified(claims, faults)
            self._reading = True
            self._expect()
        if self._failure:
            raise self._failure
        if self._asked or not self._finished:
            raise Unexpected("the server ended the stream before it had answered everything", Unavailable.code)

    def _expect(self) -> None:
        """Tell the patience what is due: nothing while the claims' source, or whoever reads the answers, takes its time."""
        self._call.patience.heard(expecting=self._reading and bool(self._asked or self._finished))

    async def _ask(self, batches: AsyncIterable[Claims]) -> None:
        try:
            async for prefix, claims in batches:
                for start in range(0, len(claims), self._most):
                    part = claims[start : start + self._most]
                    await self._room.acquire()
                    self._asked.append(part)
                    if len(self._asked) == 1:
                        self._expect()
                    request = pb.VerifyMessagesRequest(cursor_prefix=prefix, claims=wire.claim_messages(part))
                    if not await self._call.write(request):
                        return  # reading raises why
        except Exception as error:
            self._failure = error
        self._finished = True
        self._expect()
        await self._call.done_writing()

    async def close(self) -> None:
        """End the stream, whatever is still under way."""
        self._call.close()
        if self._writer:
            self._writer.cancel()
            await asyncio.wait([self._writer])
