"""chatctl.v1 over the core: from the wire to a call of the core's and back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from google.protobuf.duration_pb2 import Duration

from chatctl import history, wire, wire_stats
from chatctl.chat import DEFAULT_TOP, Chat
from chatctl.pages import Answer
from chatctl.server.exchange import Exchange
from chatctl.server.streams import Streams
from chatctl.server.verification import responses
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from chatctl.version import full_version


class ChatService(chat_pb2_grpc.ChatServiceServicer):
    """The service; its methods are documented in protos/chatctl/v1/chat.proto."""

    def __init__(self, chat: Chat, streams: Streams) -> None:
        self._chat = chat
        self._streams = streams
        self._version = full_version()
        self._started = time.monotonic()

    async def GetStats(self, request: pb.GetStatsRequest, context: Any) -> pb.GetStatsResponse:
        """See the proto."""
        chat, rooms = self._chat, tuple(dict.fromkeys(request.rooms))
        stats = await chat.stats(request.top, rooms)
        uptime = Duration()
        uptime.FromMilliseconds(int((time.monotonic() - self._started) * 1000))
        return pb.GetStatsResponse(
            num_messages=stats.num_messages,
            num_rooms=stats.num_rooms,
            num_users=stats.num_users,
            stored_bytes=stats.stored_bytes,
            rooms=wire_stats.room_stats(stats.rooms),
            users=wire_stats.user_stats(stats.users),
            uptime=uptime,
            version=self._version,
            log=chat.log.id,
            store=chat.log.kind,
            limits=wire.limits_message(chat.limits),
            promises=pb.Promises(durable_receipts=True),
            head=f"{chat.cursor_prefix}{chat.log.head}",
            activity=wire_stats.activity_message(chat.meter.activity(self._streams.followers, self._streams.senders)),
            present=wire_stats.presence_messages(
                filter(lambda present: present.users, map(chat.presence.of, rooms))
                if rooms
                else chat.presence.fullest(request.top or DEFAULT_TOP)
            ),
        )

    async def GetMessages(self, request: pb.GetMessagesRequest, context: Any) -> AsyncIterator[bytes]:
        """See the proto; the responses are serialised already."""
        self._streams.enter()
        try:
            self._streams.followers += request.follow
            async with aclosing(history.read(self._chat, wire.query(request))) as answers:
                async for answer in answers:
                    due = [self._frame(answer)]
                    del answer  # or it would stay for as long as the client does not read
                    yield due.pop()
        finally:
            self._streams.followers -= request.follow
            self._streams.leave()

    def _frame(self, answer: Answer) -> bytes:
        """The response; made once for all who get the same."""
        if not answer.frame:
            prefix = self._chat.cursor_prefix
            answer.frame = pb.GetMessagesResponse(
                runs=wire.run_messages(answer.runs),
                cursor=f"{prefix}{answer.position}",
                cursor_prefix=prefix,
                live=answer.live,
            ).SerializeToString()
        return answer.frame

    async def SendAndReceiveMessage(
        self, request_iterator: AsyncIterator[pb.SendAndReceiveMessageRequest], context: Any
    ) -> AsyncIterator[pb.SendAndReceiveMessageResponse]:
        """See the proto."""
        with self._streams.open() as wake:
            exchange = Exchange(self._chat, self._streams, request_iterator, wake)
            try:
                async for response in exchange.responses():
                    due = [response]
                    del response
                    yield due.pop()
            finally:
                await exchange.close()
            # A client's cancel looks like its half-close until the next wait; passing it on avoids a leak in grpc.aio.
            await asyncio.sleep(0)

    async def VerifyMessages(
        self, request_iterator: AsyncIterator[pb.VerifyMessagesRequest], context: Any
    ) -> AsyncIterator[pb.VerifyMessagesResponse]:
        """See the proto."""
        with self._streams.open() as wake:
            async with aclosing(responses(self._chat, request_iterator, wake)) as answers:
                async for response in answers:
                    yield response
            await asyncio.sleep(0)  # as in SendAndReceiveMessage
