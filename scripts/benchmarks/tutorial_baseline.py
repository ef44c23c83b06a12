"""The tutorial's chat, rewritten: a list in memory, one reply and one log line per message, and its client.

Arguments: `serve COUNT` (starts with COUNT messages in the list), `send ADDRESS` (sends lines from stdin) or
`history ADDRESS`. The clients print the number of replies.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc

from chatctl.tutorial import chat_pb2 as pb
from chatctl.tutorial import chat_pb2_grpc


class ChatService(chat_pb2_grpc.ChatServiceServicer):
    """The tutorial's three methods."""

    def __init__(self, messages: list[str]) -> None:
        self._messages = messages

    async def GetStats(self, request: pb.EmptyRequest, context: Any) -> pb.StatsReply:  # noqa: N802
        """Return the number of messages."""
        return pb.StatsReply(num_messages=len(self._messages))

    async def GetMessages(self, request: pb.EmptyRequest, context: Any) -> AsyncIterator[pb.MessageReply]:  # noqa: N802
        """Return all messages, one per reply."""
        for message in self._messages:
            yield pb.MessageReply(message=message)

    async def SendAndReceiveMessage(  # noqa: N802
        self, requests: AsyncIterator[pb.MessageRequest], context: Any
    ) -> AsyncIterator[pb.MessageReply]:
        """Answer each message with one reply."""
        async for request in requests:
            logging.info("Received message: %s", request.message)
            self._messages.append(request.message)
            yield pb.MessageReply(message=f"Server Responding to {request.message}")


async def serve(count: int) -> None:
    logging.basicConfig(level=logging.INFO)
    server = grpc.aio.server()
    messages = [f"{number:0100d}" for number in range(count)]
    chat_pb2_grpc.add_ChatServiceServicer_to_server(ChatService(messages), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", file=sys.stderr, flush=True)
    await server.wait_for_termination()


async def requests() -> AsyncIterator[pb.MessageRequest]:
    for line in sys.stdin:
        yield pb.MessageRequest(message=line.removesuffix("\n"))


async def count_replies(what: str, address: str) -> int:
    """Run the client and return the number of replies."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        call = stub.SendAndReceiveMessage(requests()) if what == "send" else stub.GetMessages(pb.EmptyRequest())
        replies = 0
        async for _ in call:
            replies += 1
        return replies


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(int(sys.argv[2])))
    else:
        print(asyncio.run(count_replies(sys.argv[1], sys.argv[2])))
