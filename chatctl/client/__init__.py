"""The client: a library, and what the commands stand on.

async with ChatClient("127.0.0.1:50051") as chat:
    async with chat.send("ann") as sending:
        sending.put("lobby", ["hello"])
        sending.finish()
        async for outcome in sending.outcomes():
            print(outcome.receipt)
    async for page in chat.read(Query(rooms=("lobby",))):
        print(page.runs)
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import grpc

from chatctl import config, wire, wire_stats
from chatctl.activity import Activity
from chatctl.chat import Limits
from chatctl.client.call import Call, outdated
from chatctl.client.following import Following, HistoryPage, pages
from chatctl.client.joining import Connected, Here, Joining, Lost
from chatctl.client.sending import Sending
from chatctl.client.verification import Verification, Verified
from chatctl.client.window import Outcome
from chatctl.errors import ChatError, Unexpected
from chatctl.history import Query
from chatctl.log import Stats
from chatctl.presence import Present
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from chatctl.verify import Claims

__all__ = [
    "ChatClient",
    "Connected",
    "Here",
    "HistoryPage",
    "Joining",
    "Lost",
    "Outcome",
    "Query",
    "Sending",
    "ServerStats",
    "Verified",
]

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # or a new channel would get the old connection
    # By default a connection that could not be made is not tried again for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # without it gRPC waits a minute, whatever the line above says
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
    activity: Activity
    present: list[Present]

    @property
    def has_activity(self) -> bool:
        """Whether the server reports `activity` and `present`; one that is too old reports neither."""
        return bool(self.activity.messages)


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
        self._target = config.address(server)
        self._channel = self._open_channel()
        self._stub = chat_pb2_grpc.ChatServiceStub(self._channel)
        self._following: Following | None = None

    def _open_channel(self) -> grpc.aio.Channel:
        # A proxy for the web (http_proxy) is no way to this very machine.
        proxy = (("grpc.enable_http_proxy", 0),) if config.is_loopback(self._target) else ()
        return grpc.aio.insecure_channel(self._target, options=(*OPTIONS, *proxy))

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
            stats=wire_stats.stats(response),
            uptime_seconds=round(response.uptime.seconds + response.uptime.nanos / 1e9, 3),
            version=response.version,
            log=response.log,
            store=response.store,
            limits=wire.limits(response.limits),
            head=response.head,
            activity=wire_stats.activity(response.activity),
            present=wire_stats.presence(response.present),
        )

    async def read(self, query: Query) -> AsyncGenerator[HistoryPage, None]:
        """Pages of what matches, in log order. Close the iterator, or the client, to stop early.

        Raises InvalidRequest, CursorMalformed, CursorOtherLog, CursorBeyondHead, TooManyStreams, Unavailable, Stopping,
        TimedOut, StoreFailed.
        """
        call = self._call(self._stub.GetMessages(wire.query_request(query)))
        try:
            async with aclosing(pages(call, call.patience.heard)) as found:
                async for page in found:
                    yield page
        finally:
            call.close()

    async def follow(self, query: Query, from_now: bool = False) -> AsyncGenerator[HistoryPage, None]:
        """The same, and then what comes; for ever, or to the query's limit or `until`. Close the iterator to stop early.

        `from_now`: only what comes. Connects again, and goes on from the last cursor, for as long as the timeout allows.
        Raises what `read` raises; what passes (see `Passing`) only if it did not do so in time.
        """
        query = replace(query, follow=True)
        self._following = Following(self._dial, self.server, query, from_now, self._timeout, self._notice)
        async with aclosing(self._following.pages()) as found:
            async for page in found:
                yield page

    @property
    def trouble(self) -> ChatError | None:
        """What keeps the last `follow` from going on at this moment; None while the server answers."""
        return self._following.trouble if self._following else None

    @asynccontextmanager
    async def send(self, user: str, sender: str = "", log: str = "") -> AsyncIterator[Sending]:
        """Send records of one user and sender (empty: the server makes one up) to a log (empty: any), until the block ends.

        Connects again for as long as the timeout allows; see Sending. Raises InvalidRequest, LogChanged, StoreFailed,
        ServerFault, Unexpected, and what did not pass in time: Unavailable, Stopping, TimedOut, StoreFull, TooManyStreams.
        """
        sending = Sending(self._dial, self.server, user, sender, log, self._timeout, self._notice)
        try:
            await sending.welcomed()
            yield sending
        finally:
            await sending.close()

    @asynccontextmanager
    async def join(self, user: str, rooms: Sequence[str], sender: str = "", log: str = "") -> AsyncIterator[Joining]:
        """Be in rooms (at most 100) until the block ends: receive what comes there, and send. Does not wait for the server.

        Connects again and goes on without a gap for as long as the timeout allows; see Joining, whose `events` raise what
        `follow` and `send` raise.
        """
        joining = Joining(self._dial, self.server, user, sender, log, self._timeout, rooms)
        try:
            yield joining
        finally:
            await joining.close()

    @asynccontextmanager
    async def _dial(self, seconds: float, method: Callable[[Any], Any]) -> AsyncIterator[Call]:
        """A call on a connection of its own: one that broke may be dead for minutes without anybody knowing."""
        async with self._open_channel() as channel:
            call = Call(self.server, method(chat_pb2_grpc.ChatServiceStub(channel)), seconds, None)
            try:
                yield call
            finally:
                call.close()

    async def verify(self, batches: AsyncIterable[Claims]) -> AsyncGenerator[Verified, None]:
        """Whether messages are stored as receipts claim, for batches of any size. Close the iterator to stop early.

        Raises InvalidRequest, CursorMalformed, CursorOtherLog, TooManyStreams, Unavailable, Stopping, TimedOut, StoreFailed,
        OtherVersion for a server that is too old, and what the iteration over the batches raises.
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
            raise outdated(self.server, "verification", server.version) from None
        finally:
            await verification.close()
