"""Raw grpc.aio without any work: the cost of the transport alone.

Arguments: `serve`, or `send ADDRESS`, which sends lines from stdin, 500 per frame, and prints the number of replies.
The echo returns bytes. The stream uses the contract's frames and answers each with an empty one. The relay passes each frame
of a sender (`/raw/Send`) unchanged to all followers (`/raw/Follow`), whose first frame says that they are live.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

FRAME_TEXTS = 500  # as in a frame of `chatctl send`


class NoOpService(chat_pb2_grpc.ChatServiceServicer):
    """Receives frames and does nothing with them."""

    async def SendAndReceiveMessage(  # noqa: N802
        self, requests: AsyncIterator[pb.SendAndReceiveMessageRequest], context: Any
    ) -> AsyncIterator[pb.SendAndReceiveMessageResponse]:
        """Answer each frame with an empty response."""
        async for _ in requests:
            yield pb.SendAndReceiveMessageResponse()


class FrameRelay:
    """Relays frames: followers are positions in one list and wake together; nothing is parsed, serialised or copied."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._frame_added = asyncio.Event()  # replaced after each frame

    async def send(self, frames: AsyncIterator[bytes], context: Any) -> bytes:
        """Receive the frames of a sender."""
        async for frame in frames:
            self._frames.append(frame)
            more, self._frame_added = self._frame_added, asyncio.Event()
            more.set()
        return b""

    async def follow(self, request: bytes, context: Any) -> None:
        """Send each new frame to a follower until it cancels."""
        position = len(self._frames)
        await context.write(pb.GetMessagesResponse(live=True).SerializeToString())
        while True:
            while position < len(self._frames):
                position += 1
                await context.write(self._frames[position - 1])
            await self._frame_added.wait()


async def echo_bytes(request: bytes, context: Any) -> bytes:
    return request


async def serve() -> None:
    server = grpc.aio.server()
    chat_pb2_grpc.add_ChatServiceServicer_to_server(NoOpService(), server)
    relay = FrameRelay()
    handlers: dict[str, Any] = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo_bytes),
        "Send": grpc.stream_unary_rpc_method_handler(relay.send),
        "Follow": grpc.unary_stream_rpc_method_handler(relay.follow),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("raw", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", file=sys.stderr, flush=True)
    await server.wait_for_termination()


async def frames() -> AsyncIterator[pb.SendAndReceiveMessageRequest]:
    while texts := [line.removesuffix("\n") for line in islice(sys.stdin, FRAME_TEXTS)]:
        yield pb.SendAndReceiveMessageRequest(texts=texts)


async def send(address: str) -> int:
    """Send the frames and return the number of replies."""
    async with grpc.aio.insecure_channel(address) as channel:
        replies = 0
        async for _ in chat_pb2_grpc.ChatServiceStub(channel).SendAndReceiveMessage(frames()):
            replies += 1
        return replies


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve())
    else:
        print(asyncio.run(send(sys.argv[2])))
