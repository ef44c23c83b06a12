"""The service chatctl.v1.ChatService over the engine."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing, nullcontext
from typing import Any

from google.protobuf.duration_pb2 import Duration

from chatctl.compat.grpc_server import raise_if_cancelled
from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.core.page_cache import QueryPage
from chatctl.model.cursor import cursor_text
from chatctl.model.limits import DEFAULT_TOP
from chatctl.server.auth import Identify
from chatctl.server.send_receive_stream import SendReceiveStream
from chatctl.server.stream_registry import StreamRegistry
from chatctl.server.verify_stream import verify_responses
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from chatctl.version import full_version
from chatctl.wire import convert
from chatctl.wire import stats as wire_stats


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
        stats = await chat.stats(request.top, rooms)
        uptime = Duration()
        uptime.FromMilliseconds(int((time.monotonic() - self._started) * 1000))
        return pb.GetStatsResponse(
            num_messages=stats.num_messages,
            num_rooms=stats.num_rooms,
            num_users=stats.num_users,
            stored_bytes=stats.stored_bytes,
            rooms=wire_stats.room_stats_to_pb(stats.rooms),
            users=wire_stats.user_stats_to_pb(stats.users),
            uptime=uptime,
            version=self._version,
            log=chat.log.id,
            store=chat.log.kind,
            limits=convert.limits_to_pb(chat.limits),
            promises=pb.Promises(durable_receipts=True),
            head=cursor_text(chat.cursor_prefix, chat.log.head),
            activity=wire_stats.activity_to_pb(chat.meter.activity(self._streams.followers, self._streams.senders)),
            present=wire_stats.presence_to_pb(
                filter(lambda present: present.users, map(chat.presence.in_room, rooms))
                if rooms
                else chat.presence.largest_rooms(request.top or DEFAULT_TOP)
            ),
        )

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
            prefix = self._chat.cursor_prefix
            page.frame = pb.GetMessagesResponse(
                runs=convert.runs_to_pb(page.runs),
                cursor=cursor_text(prefix, page.position),
                cursor_prefix=prefix,
                live=page.live,
            ).SerializeToString()
        return page.frame

    async def SendAndReceiveMessage(
        self, request_iterator: AsyncIterator[pb.SendAndReceiveMessageRequest], context: Any
    ) -> AsyncIterator[pb.SendAndReceiveMessageResponse]:
        identity = self._identify(context)
        with self._streams.open() as wakeup:
            stream = SendReceiveStream(self._chat, self._streams, identity, request_iterator, wakeup)
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
