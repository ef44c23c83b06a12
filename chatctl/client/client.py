"""ChatClient: the entry point of the library, and what every command uses.

Each method imports the module of its stream: a command must not wait for the others.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from chatctl.client.call import Call
from chatctl.client.connector import Connector
from chatctl.model.cursor import prefix_of
from chatctl.model.messages import HistoryPage, Query
from chatctl.model.stats import ServerStats
from chatctl.net.channel import open_channel
from chatctl.net.endpoint import Endpoint
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from chatctl.wire.stats import server_stats_from_pb

if TYPE_CHECKING:
    from chatctl.client.follower import Follower
    from chatctl.client.room_stream import RoomStream
    from chatctl.client.send_stream import SendStream
    from chatctl.client.verify_window import VerifyResult
    from chatctl.model.claims import Claims


class ChatClient:
    """A client of one server. Use it as an async context manager, or `close` it."""

    def __init__(self, endpoint: Endpoint | str, timeout: float = 10.0, notify: Callable[[str], None] | None = None) -> None:
        """`endpoint` may be text: HOST:PORT or unix:PATH. Nothing is connected before the first call.

        A call ends with TimedOut after `timeout` seconds without a response that is due; 0 is without a limit. `notify` is
        called with a sentence when a response takes over 2 s, and when something is retried. Raises InvalidValue.
        """
        self.endpoint = Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint
        self._connector = Connector(self.endpoint, timeout, notify)
        self._channel = open_channel(self.endpoint)
        self._stub = chat_pb2_grpc.ChatServiceStub(self._channel)

    async def __aenter__(self) -> "ChatClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in progress end."""
        await self._channel.close()

    def _wrap_call(self, grpc_call: Any) -> Call:
        return Call(str(self.endpoint), grpc_call, self._connector.timeout, self._connector.notify)

    async def stats(self, top: int = 0, rooms: Sequence[str] = ()) -> ServerStats:
        """Return statistics, with the `top` rooms and users by messages (0 is 100), or with the given rooms.

        Raises InvalidRequest, Unavailable, TimedOut.
        """
        call = self._wrap_call(self._stub.GetStats(pb.GetStatsRequest(top=top, rooms=rooms)))
        try:
            return server_stats_from_pb(await call.response())
        finally:
            call.close()

    async def watch_stats(
        self, interval: float, top: int = 0, rooms: Sequence[str] = ()
    ) -> AsyncGenerator[ServerStats, None]:
        """Yield statistics every `interval` seconds. Close the iterator to stop.

        Connects again for as long as the timeout allows. Raises what `stats` raises, but a TransientError only after the
        timeout.
        """
        from chatctl.client.stats_poller import StatsPoller

        poller = StatsPoller(self._connector, interval, pb.GetStatsRequest(top=top, rooms=rooms))
        async with aclosing(poller.poll()) as responses:
            async for server_stats in responses:
                yield server_stats

    async def head(self) -> HistoryPage:
        """Return an empty page at the end of the log: its cursor is after the newest message. Raises what `stats` raises."""
        cursor = (await self.stats(1)).head
        return HistoryPage([], cursor, prefix_of(cursor), live=True)

    def read(self, query: Query) -> "Follower":
        """Return an iterator over pages of the messages that match, in log order.

        Once the server has responded, it connects again after a failure and continues from the last cursor, for as long as
        the timeout allows. Raises InvalidRequest, CursorMalformed, CursorOtherLog, CursorBeyondHead, TooManyStreams,
        Unavailable, ServerStopping, TimedOut, StoreFailed, and IncompatibleServer for a server that does not know the
        query's input id.
        """
        from chatctl.client.follower import Follower

        return Follower(self._connector, query, channel=self._channel)

    def follow(self, query: Query, from_now: bool = False) -> "Follower":
        """Return an iterator over pages of stored messages and then of new ones, up to the query's limit or `until`.

        With `from_now` it yields only new messages. It connects again and continues from the last cursor for as long as the
        timeout allows. It raises what `read` raises, but a TransientError only after the timeout.
        """
        from chatctl.client.follower import Follower

        return Follower(self._connector, replace(query, follow=True), from_now)

    @asynccontextmanager
    async def send(self, user: str, input_id: str = "", log: str = "") -> "AsyncIterator[SendStream]":
        """Send records of one user and input to a log, until the block ends.

        Without an input id the server generates one; without a log, any will do. Connects again for as long as the timeout
        allows, see SendStream. Raises InvalidRequest, LogChanged, StoreFailed, InternalServerError, UnexpectedStatus, and
        after the timeout Unavailable, ServerStopping, TimedOut, StoreFull, TooManyStreams.
        """
        from chatctl.client.send_stream import SendStream

        stream = SendStream(self._connector, user, input_id, log)
        try:
            await stream.wait_ready()
            yield stream
        finally:
            await stream.close()

    @asynccontextmanager
    async def join(self, user: str, rooms: Sequence[str]) -> "AsyncIterator[RoomStream]":
        """Send to rooms and receive from them (at most 100) until the block ends. Does not wait for the server.

        Connects again without a gap for as long as the timeout allows, see RoomStream. Its `events` raise what `follow` and
        `send` raise.
        """
        from chatctl.client.room_stream import RoomStream

        stream = RoomStream(self._connector, user, rooms)
        try:
            yield stream
        finally:
            await stream.close()

    def verify(self, batches: "AsyncIterable[Claims]") -> "AsyncGenerator[VerifyResult, None]":
        """Check that messages are stored as receipts claim, for batches of any size. Close the iterator to stop early.

        Connects again and continues with the claims that have no result, for as long as the timeout allows. Raises
        InvalidRequest, CursorMalformed, CursorOtherLog, LogChanged, StoreFailed, IncompatibleServer for a server without
        VerifyMessages, what the iteration over `batches` raises, and after the timeout a TransientError.
        """
        from chatctl.client.verify_stream import VerifyStream

        return VerifyStream(self._connector).results(batches)
