"""The tutorial's service over the same engine, for unchanged tutorial clients. See protos/chatctl/tutorial/chat.proto."""

import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.errors import InvalidRequest
from chatctl.model.messages import Query
from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch
from chatctl.server.auth import Identify
from chatctl.server.request_pipeline import PendingReceipt, RequestPipeline
from chatctl.server.stream_registry import StreamRegistry, stopping_error
from chatctl.tutorial import chat_pb2 as pb
from chatctl.tutorial import chat_pb2_grpc

ROOM, USER = "lobby", "anonymous"
MAX_INT32 = 2**31 - 1


class TutorialService(chat_pb2_grpc.ChatServiceServicer):
    """The service; the proto documents its methods."""

    def __init__(self, chat: Chat, streams: StreamRegistry, identify: Identify) -> None:
        self._chat = chat
        self._streams = streams
        self._identify = identify

    async def GetStats(self, request: pb.EmptyRequest, context: Any) -> pb.StatsReply:
        self._identify(context)
        stats = await self._chat.stats(1, ())
        return pb.StatsReply(num_messages=min(stats.num_messages, MAX_INT32))

    async def GetMessages(self, request: pb.EmptyRequest, context: Any) -> AsyncIterator[pb.MessageReply]:
        self._identify(context)
        with self._streams.counted():
            async for page in history.read(self._chat, Query()):
                for run in page.runs:
                    for text in run.texts:
                        yield pb.MessageReply(message=text)

    async def SendAndReceiveMessage(
        self, request_iterator: AsyncIterator[pb.MessageRequest], context: Any
    ) -> AsyncIterator[pb.MessageReply]:
        user = self._identify(context).stamp(USER)
        with self._streams.open() as wakeup, self._streams.sending():
            texts: deque[str] = deque()
            start = _BatchStarter(self._chat, user, texts).start
            pipeline = RequestPipeline(request_iterator, pb.MessageRequest.ByteSize, start, wakeup, self._streams.in_flight)
            try:
                while True:
                    wakeup.clear()
                    if receipts := pipeline.pop_receipts():
                        for receipt in receipts:
                            yield _reply(receipt, texts.popleft())
                        continue
                    if self._streams.stopping:
                        pipeline.stop()
                        if pipeline.idle:
                            raise stopping_error()
                    elif pipeline.ended:
                        return
                    await wakeup.wait()
            finally:
                await pipeline.close()


class _BatchStarter:
    """Begins to store the texts of one stream, and keeps them for the replies."""

    def __init__(self, chat: Chat, user: str, texts: "deque[str]") -> None:
        self._chat = chat
        self._user = user
        self._texts = texts
        self._input_id = secrets.token_hex(8)
        self._number = 0

    def start(self, request: pb.MessageRequest) -> list[PendingReceipt]:
        self._number += 1
        self._texts.append(request.message)
        size = len(request.message.encode())
        return list(self._chat.submit(RecordBatch(self._user, self._input_id, ROOM, self._number, [request.message], size)))


def _reply(receipt: Receipt, text: str) -> pb.MessageReply:
    """Return the tutorial's reply to a text. Raises InvalidRequest if the text was rejected: no reply can say so."""
    if receipt.status is ReceiptStatus.REJECTED:
        raise InvalidRequest(receipt.error)
    return pb.MessageReply(message=f"Server Responding to {text}")
