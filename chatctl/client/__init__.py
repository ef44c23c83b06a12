"""The client: a library, and what the commands stand on.

async with ChatClient("127.0.0.1:50051") as chat:
    async with chat.send("ann") as sending:
        await sending.put("lobby", ["hello"])
        sending.finish()
        async for outcome in sending.outcomes():
            print(outcome.receipt)
    async for page in chat.read(Query(rooms=("lobby",))):
        print(page.runs)
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

import grpc

from chatctl import config, wire
from chatctl.chat import Limits
from chatctl.client.call import Call
from chatctl.client.sending import Outcome, Sending
from chatctl.client.verification import Verification, Verified
from chatctl.errors import Unexpected
from chatctl.history import Query
from chatctl.log import Run, Stats
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from chatctl.verify import Claims

__all__ = ["ChatClient", "HistoryPage", "Outcome", "Query", "Sending", "ServerStats", "Verified"]

OPTIONS = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)
UNIMPLEMENTED = 12


@dataclass(frozen=True, slots=True)
class ServerStats:
    """What GetStats answers: the log's figures and the server's."""

    stats: Stats
    uptime_seconds: float
    version: str
    log: str
    store: str
    limits: Limits
    head: str


class HistoryPage(NamedTuple):
    """Messages in log order, and the cursor to read on from.

    The cursor of any message is `cursor_prefix` and its sequence in decimal. `live`: everything stored so far has been read.
    """

    runs: list[Run]
    cursor: str
    cursor_prefix: str
    live: bool


class ChatClient:
    """A connection to a server; an async context manager, which closes it."""

    def __init__(self, server: str, timeout: float = 10.0, notice: Callable[[str], None] | None = None) -> None:
        """`server` is HOST:PORT or unix:PATH; nothing is connected before the first call.

        `timeout` is how many seconds of silence, when an answer is due, end a call with TimedOut; 0 is never. `notice` is
        called with a sentence when such a silence lasts over two seconds. Raises BadValue for an address that is none.
        """
        self.server = server
        self._timeout = timeout
        self._notice = notice
        target = config.address(server)
        # A proxy for the web (http_proxy) is no way to this very machine.
        proxy = (("grpc.enable_http_proxy", 0),) if config.is_loopback(target) else ()
        self._channel = grpc.aio.insecure_channel(target, options=(*OPTIONS, *proxy))
        self._stub = chat_pb2_grpc.ChatServiceStub(self._channel)

    async def __aenter__(self) -> "ChatClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way end."""
        await self._channel.close()

    def _call(self, call: Any) -> Call:
        return Call(self.server, call, self._timeout, self._notice)

    async def stats(self, top: int = 0, rooms: Sequence[str] = ()) -> ServerStats:
        """Figures; of the `top` rooms and users with most messages (0 is 100), or of the rooms named.

        Raises InvalidRequest, Unavailable, TimedOut.
        """
        call = self._call(self._stub.GetStats(pb.GetStatsRequest(top=top, rooms=rooms)))
        try:
            response: pb.GetStatsResponse = await call.answer()
        finally:
            call.close()
        return ServerStats(
            stats=wire.stats(response),
            uptime_seconds=round(response.uptime.seconds + response.uptime.nanos / 1e9, 3),
            version=response.version,
            log=response.log,
            store=response.store,
            limits=wire.limits(response.limits),
            head=response.head,
        )

    async def read(self, query: Query) -> AsyncGenerator[HistoryPage, None]:
        """Pages of what matches, in log order. Close the iterator, or the client, to stop early.

        Raises InvalidRequest, CursorMalformed, CursorOtherLog, CursorBeyondHead, TooManyStreams, Unavailable, Stopping,
        TimedOut, StoreFailed.
        """
        call = self._call(self._stub.GetMessages(wire.query_request(query)))
        try:
            while (response := await call.read()) is not None:
                call.patience.heard(expecting=False)  # the reader's time is its own
                yield HistoryPage(wire.runs(response.runs), response.cursor, response.cursor_prefix, response.live)
                # Waiting for what nobody has written yet is no silence of the server's.
                call.patience.heard(expecting=not response.live)
        finally:
            call.close()

    @asynccontextmanager
    async def send(self, user: str, sender: str = "") -> AsyncIterator[Sending]:
        """A stream that sends records of one user and sender (empty: the server makes one up), open until the block ends.

        Raises InvalidRequest, TooManyStreams, Unavailable, Stopping, TimedOut.
        """
        call = self._call(self._stub.SendAndReceiveMessage())
        try:
            await call.write(pb.SendAndReceiveMessageRequest(user=user, sender=sender))
            response = await call.read()
            if response is None or not response.HasField("welcome"):
                raise Unexpected(f"{self.server} did not say welcome: it is no chatctl server, or another version", 12)
            sending = Sending(call, user, response.welcome)
            try:
                yield sending
            finally:
                await sending.close()
        finally:
            call.close()

    async def verify(self, batches: AsyncIterable[Claims]) -> AsyncGenerator[Verified, None]:
        """Whether messages are stored as receipts claim, for batches of any size. Close the iterator to stop early.

        Raises InvalidRequest, CursorMalformed, CursorOtherLog, TooManyStreams, Unavailable, Stopping, TimedOut, StoreFailed,
        Unexpected with code 12 (UNIMPLEMENTED) for a server that is too old, and what the iteration over the batches raises.
        """
        server = await self.stats(1)
        call = self._call(self._stub.VerifyMessages())
        verification = Verification(call, server.limits.batch_messages)
        try:
            async for verified in verification.answers(batches):
                yield verified
        except Unexpected as error:
            if error.code != UNIMPLEMENTED:
                raise
            raise Unexpected(
                f"the server at {self.server} is chatctl {server.version}, which cannot verify yet: "
                "upgrade it, then verify again",
                UNIMPLEMENTED,
            ) from None
        finally:
            await verification.close()
