"""Servers in the process of a test that answer what the test wants."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

WAITS, ENDS = "waits", "ends"
WELCOME = pb.SendAndReceiveMessageResponse(
    welcome=pb.Welcome(
        input_id="input",
        log="fake",
        cursor_prefix="fake:",
        limits=pb.Limits(text_bytes=100, name_bytes=100, batch_messages=10, batch_bytes=1000, streams=9),
    )
)


def page(*sequences, position=0, live=False):
    """Return a response whose texts are the sequences."""
    runs = [pb.Run(sequence=sequence, room="lobby", user="ann", texts=[f"{sequence}"]) for sequence in sequences]
    position = position or sequences[-1]
    return pb.GetMessagesResponse(runs=runs, cursor=f"log:{position}", cursor_prefix="log:", live=live)


@asynccontextmanager
async def _serve(service):
    """Serve a ChatService. Yields its address."""
    server = grpc.aio.server()
    chat_pb2_grpc.add_ChatServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def fake_server(*calls):
    """Serve GetMessages. Each of `calls` is responses and pauses in seconds, and last WAITS, ENDS or a status.

    Yields the address and the list of requests. The last of `calls` answers all further requests.
    """
    requests = []

    class Service(chat_pb2_grpc.ChatServiceServicer):
        async def GetStats(self, request, context):  # noqa: N802 (gRPC's name)
            return pb.GetStatsResponse(log="log", head="log:7", limits=WELCOME.welcome.limits)

        async def GetMessages(self, request, context):  # noqa: N802
            requests.append(request)
            *responses, end = calls[min(len(requests), len(calls)) - 1]
            for response in responses:
                if isinstance(response, float):
                    await asyncio.sleep(response)
                else:
                    yield response
            if end == WAITS:
                await asyncio.Event().wait()
            elif end != ENDS:
                await context.abort(end, "broken")

    async with _serve(Service()) as address:
        yield address, requests


@asynccontextmanager
async def fake_send_server(answer):
    """Serve streams with a welcome, and then the responses of the async generator `answer`. Yields the address."""

    class Service(chat_pb2_grpc.ChatServiceServicer):
        async def SendAndReceiveMessage(self, requests, context):  # noqa: N802 (gRPC's name)
            await anext(requests)
            yield WELCOME
            async for response in answer(requests, context):
                yield response

    async with _serve(Service()) as address:
        yield address


@asynccontextmanager
async def fake_verify_server(answer):
    """Serve VerifyMessages with the async generator `answer`, and limits. Yields the address."""

    class Service(chat_pb2_grpc.ChatServiceServicer):
        async def GetStats(self, request, context):  # noqa: N802 (gRPC's name)
            limits = pb.Limits(text_bytes=100, name_bytes=100, batch_messages=1000, batch_bytes=1000, streams=9)
            return pb.GetStatsResponse(version="1.2.3", log="fake", head="fake:9", limits=limits)

        async def VerifyMessages(self, requests, context):  # noqa: N802
            async for response in answer(requests, context):
                yield response

    async with _serve(Service()) as address:
        yield address


@contextmanager
def server_with_handlers(handlers):
    """Serve unary methods of ChatService by name, in threads, for tests that are not async. Yields the address.

    Without handlers it is a gRPC server that knows no ChatService.
    """
    server = grpc.server(ThreadPoolExecutor(1))
    if handlers:
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("chatctl.v1.ChatService", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
