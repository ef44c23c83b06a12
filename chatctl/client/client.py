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
from dataclasses import replace
from types import TracebackType
from typing import Any

from chatctl.client.call import Call, outdated_server_error
from chatctl.client.follower import Follower, read_pages
from chatctl.client.room_stream import RoomStream
from chatctl.client.send_stream import SendStream
from chatctl.client.verify_stream import VerifyResult, VerifyStream
from chatctl.errors import ChatError, UnexpectedStatus
from chatctl.model.claims import Claims
from chatctl.model.messages import HistoryPage, Query
from chatctl.model.stats import ServerStats
from chatctl.net.channel import open_channel
from chatctl.net.endpoint import Endpoint
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from chatctl.wire import convert
from chatctl.wire import stats as wire_stats

UNIMPLEMENTED = 12


class ChatClient:
    """A connection to a server; an async context manager, which closes it."""

    def __init__(self, endpoint: Endpoint | str, timeout: float = 10.0, notify: Callable[[str], None] | None = None) -> None:
        """`endpoint` may be the text that `Endpoint.parse` reads; nothing is connected before the first call.

        `timeout` is how many seconds of silence, when an answer is due, end a call with TimedOut; 0 is never. `notify` is
        called with a sentence when such a silence lasts over two seconds. Raises InvalidValue for an address that is none.
        """
        self.endpoint = Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint
        self._server = str(self.endpoint)
        self._timeout = timeout
        self._notify = notify
        self._channel = open_channel(self.endpoint)
        self._stub = chat_pb2_grpc.ChatServiceStub(self._channel)
        self._follower: Follower | None = None

    async def __aenter__(self) -> "ChatClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way end."""
        await self._channel.close()

    def _wrap_call(self, grpc_call: Any) -> Call:
        return Call(self._server, grpc_call, self._timeout, self._notify)

    async def stats(self, top: int = 0, rooms: Sequence[str] = ()) -> ServerStats:
        """Figures; of the `top` rooms and users with most messages (0 is 100), or of the rooms named.

        Raises InvalidRequest, Unavailable, TimedOut.
        """
        call = self._wrap_call(self._stub.GetStats(pb.GetStatsRequest(top=top, rooms=rooms)))
        try:
            response: pb.GetStatsResponse = await call.response()
        finally:
            call.close()
        return ServerStats(
            stats=wire_stats.stats_from_pb(response),
            uptime_seconds=round(response.uptime.seconds + response.uptime.nanos / 1e9, 3),
            version=response.version,
            log=response.log,
            store=response.store,
            limits=convert.limits_from_pb(response.limits),
            head=response.head,
            activity=wire_stats.activity_from_pb(response.activity),
            presence=wire_stats.presence_from_pb(response.present),
        )

    async def read(self, query: Query) -> AsyncGenerator[HistoryPage, None]:
        """Pages of what matches, in log order. Close the iterator, or the client, to stop early.

        Raises InvalidRequest, CursorMalformed, CursorOtherLog, CursorBeyondHead, TooManyStreams, Unavailable, Stopping,
        TimedOut, StoreFailed.
        """
        call = self._wrap_call(self._stub.GetMessages(convert.query_to_pb(query)))
        try:
            async with aclosing(read_pages(call, call.watchdog.reset)) as found:
                async for page in found:
                    yield page
        finally:
            call.close()

    async def follow(self, query: Query, from_now: bool = False) -> AsyncGenerator[HistoryPage, None]:
        """The same, and then what comes; for ever, or to the query's limit or `until`. Close the iterator to stop early.

        `from_now`: only what comes. Connects again, and goes on from the last cursor, for as long as the timeout allows.
        Raises what `read` raises; what passes (see `TransientError`) only if it did not do so in time.
        """
        query = replace(query, follow=True)
        self._follower = Follower(self._open_call, self._server, query, from_now, self._timeout, self._notify)
        async with aclosing(self._follower.pages()) as found:
            async for page in found:
                yield page

    @property
    def last_error(self) -> ChatError | None:
        """What keeps the last `follow` from going on at this moment; None while the server answers."""
        return self._follower.last_error if self._follower else None

    @asynccontextmanager
    async def send(self, user: str, input_id: str = "", log: str = "") -> AsyncIterator[SendStream]:
        """Send records of one user and sender (empty: the server makes one up) to a log (empty: any), until the block ends.

        Connects again for as long as the timeout allows; see SendStream. Raises InvalidRequest, LogChanged, StoreFailed,
        InternalServerError, UnexpectedStatus, and what did not pass in time: Unavailable, Stopping, TimedOut, StoreFull, TooManyStreams.
        """
        stream = SendStream(self._open_call, self._server, user, input_id, log, self._timeout, self._notify)
        try:
            await stream.wait_ready()
            yield stream
        finally:
            await stream.close()

    @asynccontextmanager
    async def join(self, user: str, rooms: Sequence[str], input_id: str = "", log: str = "") -> AsyncIterator[RoomStream]:
        """Be in rooms (at most 100) until the block ends: receive what comes there, and send. Does not wait for the server.

        Connects again and goes on without a gap for as long as the timeout allows; see RoomStream, whose `events` raise what
        `follow` and `send` raise.
        """
        stream = RoomStream(self._open_call, self._server, user, input_id, log, self._timeout, rooms)
        try:
            yield stream
        finally:
            await stream.close()

    @asynccontextmanager
    async def _open_call(self, seconds: float, method: Callable[[Any], Any]) -> AsyncIterator[Call]:
        """A call on a connection of its own: one that broke may be dead for minutes without anybody knowing."""
        async with open_channel(self.endpoint) as channel:
            call = Call(self._server, method(chat_pb2_grpc.ChatServiceStub(channel)), seconds, None)
            try:
                yield call
            finally:
                call.close()

    async def verify(self, batches: AsyncIterable[Claims]) -> AsyncGenerator[VerifyResult, None]:
        """Whether messages are stored as receipts claim, for batches of any size. Close the iterator to stop early.

        Raises InvalidRequest, CursorMalformed, CursorOtherLog, TooManyStreams, Unavailable, Stopping, TimedOut, StoreFailed,
        IncompatibleServer for a server that is too old, and what the iteration over the batches raises.
        """
        server_stats = await self.stats(1)
        call = self._wrap_call(self._stub.VerifyMessages())
        stream = VerifyStream(call, server_stats.limits.batch_messages)
        try:
            async for result in stream.results(batches):
                yield result
        except UnexpectedStatus as error:
            if error.code != UNIMPLEMENTED:
                raise
            raise outdated_server_error(self._server, "verification", server_stats.version) from None
        finally:
            await stream.close()
