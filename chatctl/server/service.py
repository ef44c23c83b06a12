"""The service chatctl.v1.ChatService over the engine."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, nullcontext
from typing import Any

from chatctl.compat.grpc_server import raise_if_cancelled
from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.core.page_cache import QueryPage
from chatctl.model.limits import DEFAULT_TOP
from chatctl.model.stats import RoomPresence, ServerStats
from chatctl.server.auth import Identify
from chatctl.server.send_receive_stream import SendReceiveStream
from chatctl.server.stream_registry import StreamRegistry
from chatctl.server.verify_stream import verify_responses
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from chatctl.version import full_version
from chatctl.wire import convert, stats


class ChatService(chat_pb2_grpc.ChatServiceServicer):
    """The service; protos/chatctl/v1/chat.proto documents its methods."""

    def __init__(self, chat: Chat, streams: StreamRegistry, identify: Identify) -> None:
        self._chat = chat
        self._streams = streams
        self._identify = identify
        self._version = full_version()
        self._started = time.monotonic()

    async def GetStats(self, request: pb.GetStatsRequest, context: Any) -> pb.GetStatsResponse:
        self._identify(context)
        chat, rooms = self._chat, tuple(dict.fromkeys(request.rooms))
        log_stats = await chat.stats(request.top, rooms)
        server_stats = ServerStats(
            stats=log_stats,
            uptime_seconds=time.monotonic() - self._started,
            version=self._version,
            log=chat.log.id,
            store=chat.log.kind,
            limits=chat.limits,
            head=chat.cursor(chat.log.head),
            activity=chat.meter.activity(self._streams.followers, self._streams.senders),
            presence=self._presence(request.top, rooms),
            clock_lag_seconds=chat.log.clock_lag / 1e6,
        )
        return stats.server_stats_to_pb(server_stats)

    def _presence(self, top: int, rooms: Sequence[str]) -> list[RoomPresence]:
        """Return the presence in these rooms as far as they have users, or in the rooms with most users."""
        presence = self._chat.presence
        if rooms:
            return [present for present in map(presence.in_room, rooms) if present.users]
        return presence.largest_rooms(top or DEFAULT_TOP)

    async def GetMessages(self, request: pb.GetMessagesRequest, context: Any) -> AsyncIterator[bytes]:
        """Yield responses that are serialised already."""
        self._identify(context)
        with self._streams.counted(), self._streams.receiving() if request.follow else nullcontext():
            async with aclosing(history.read(self._chat, convert.query_from_pb(request))) as pages:
                async for page in pages:
                    handoff = [self._frame(page)]
                    del page
                    yield handoff.pop()

    def _frame(self, page: QueryPage) -> bytes:
        """Return the response for a page, serialised once for all readers that share the page."""
        if not page.frame:
            page.frame = pb.GetMessagesResponse(
                runs=convert.runs_to_pb(page.runs),
                cursor=self._chat.cursor(page.position),
                cursor_prefix=self._chat.cursor_prefix,
                live=page.live,
            ).SerializeToString()
        return page.frame

    async def SendAndReceiveMessage(
        self, request_iterator: AsyncIterator[pb.SendAndReceiveMessageRequest], context: Any
    ) -> AsyncIterator[pb.SendAndReceiveMessageResponse]:
        identity = self._identify(context)
        with self._streams.open() as wakeup:
            stream = SendReceiveStream(self._chat, self._streams, identity, request_iterator, wakeup, context.peer())
            try:
                async for response in stream.responses():
                    handoff = [response]
                    del response
                    yield handoff.pop()
            finally:
                await stream.close()
            await raise_if_cancelled()

    async def VerifyMessages(
        self, request_iterator: AsyncIterator[pb.VerifyMessagesRequest], context: Any
    ) -> AsyncIterator[pb.VerifyMessagesResponse]:
        self._identify(context)
        with self._streams.open() as wakeup:
            async with aclosing(verify_responses(self._chat, request_iterator, wakeup)) as responses:
                async for response in responses:
                    yield response
            await raise_if_cancelled()
