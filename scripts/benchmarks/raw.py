"""Raw grpc.aio without any work: what the transport alone takes.

As a process: `serve`, and `send ADDRESS` (lines from stdin, 500 a frame), which prints how many replies came.
The echo is of bytes; the stream has the contract's frames, and answers each with an empty one.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

FRAME_TEXTS = 500  # as many as `chatctl send` puts into one


class Idle(chat_pb2_grpc.ChatServiceServicer):
    """Takes frames and does nothing with them."""

    async def SendAndReceiveMessage(  # noqa: N802
        self, requests: AsyncIterator[pb.SendAndReceiveMessageRequest], context: Any
    ) -> AsyncIterator[pb.SendAndReceiveMessageResponse]:
        """One empty response for each frame."""
        async for _ in requests:
            yield pb.SendAndReceiveMessageResponse()


async def echo(request: bytes, context: Any) -> bytes:
    return request


async def serve() -> None:
    server = grpc.aio.server()
    chat_pb2_grpc.add_ChatServiceServicer_to_server(Idle(), server)
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("raw", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", file=sys.stderr, flush=True)
    await server.wait_for_termination()


async def frames() -> AsyncIterator[pb.SendAndReceiveMessageRequest]:
    while texts := [line.removesuffix("\n") for line in islice(sys.stdin, FRAME_TEXTS)]:
        yield pb.SendAndReceiveMessageRequest(texts=texts)


async def send(address: str) -> int:
    """How many replies came."""
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
