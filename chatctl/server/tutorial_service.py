"""The tutorial's service, over the same core: its clients work unchanged. See protos/chatctl/tutorial/chat.proto."""

import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.errors import InvalidRequest
from chatctl.model.messages import Query
from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch
from chatctl.server.request_pipeline import PendingReceipt, RequestPipeline
from chatctl.server.stream_registry import StreamRegistry, stopping_error
from chatctl.tutorial import chat_pb2 as pb
from chatctl.tutorial import chat_pb2_grpc

ROOM, USER = "lobby", "anonymous"
MAX_INT32 = 2**31 - 1


class TutorialService(chat_pb2_grpc.ChatServiceServicer):
    """The service; its methods are documented in the proto."""

    def __init__(self, chat: Chat, streams: StreamRegistry) -> None:
        self._chat = chat
        self._streams = streams

    async def GetStats(self, request: pb.EmptyRequest, context: Any) -> pb.StatsReply:
        stats = await self._chat.stats(1, ())
        return pb.StatsReply(num_messages=min(stats.num_messages, MAX_INT32))

    async def GetMessages(self, request: pb.EmptyRequest, context: Any) -> AsyncIterator[pb.MessageReply]:
        with self._streams.open():
            async for page in history.read(self._chat, Query()):
                for run in page.runs:
                    for text in run.texts:
                        yield pb.MessageReply(message=text)

    async def SendAndReceiveMessage(
        self, request_iterator: AsyncIterator[pb.MessageRequest], context: Any
    ) -> AsyncIterator[pb.MessageReply]:
        input_id = secrets.token_hex(8)
        texts: deque[str] = deque()
        number = 0

        def start(request: pb.MessageRequest) -> list[PendingReceipt]:
            nonlocal number
            number += 1
            texts.append(request.message)
            batch = RecordBatch(USER, input_id, ROOM, number, [request.message], len(request.message.encode()))
            return list(self._chat.submit(batch))

        with self._streams.open() as wakeup:
            pipeline = RequestPipeline(request_iterator, pb.MessageRequest.ByteSize, start, wakeup, self._streams.in_flight)
            self._streams.senders += 1
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
                self._streams.senders -= 1
                await pipeline.close()


def _reply(receipt: Receipt, text: str) -> pb.MessageReply:
    """The tutorial's answer. Raises InvalidRequest if the text was refused: the tutorial has no other way to say it."""
    if receipt.status is ReceiptStatus.REJECTED:
        raise InvalidRequest(receipt.error)
    return pb.MessageReply(message=f"Server Responding to {text}")
