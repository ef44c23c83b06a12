"""Which calls a follower makes, what it makes of their ends, and what is left of it in the end."""

import asyncio
from contextlib import asynccontextmanager

import grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

WAITS, ENDS = "waits", "ends"


def page(*sequences, position=0, live=False):
    """A response whose texts are the sequences."""
    runs = [pb.Run(sequence=sequence, room="lobby", user="ann", texts=[f"{sequence}"]) for sequence in sequences]
    position = position or sequences[-1]
    return pb.GetMessagesResponse(runs=runs, cursor=f"log:{position}", cursor_prefix="log:", live=live)


@asynccontextmanager
async def fake_server(*calls):
    """The address of a server, and the requests it gets. Each call gives responses and pauses, then one of the ends."""
    requests = []

    class Service(chat_pb2_grpc.ChatServiceServicer):
        async def GetStats(self, request, context):  # noqa: N802 (gRPC's name)
            return pb.GetStatsResponse(head="log:7")

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

    server = grpc.aio.server()
    chat_pb2_grpc.add_ChatServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", requests
    finally:
        await server.stop(None)


WELCOME = pb.SendAndReceiveMessageResponse(
    welcome=pb.Welcome(
        input_id="input",
        log="fake",
        cursor_prefix="fake:",
        limits=pb.Limits(text_bytes=100, name_bytes=100, batch_messages=10, batch_bytes=1000, streams=9),
    )
)


@asynccontextmanager
async def fake_send_server(answer):
    """The address of a server that says welcome, and then for each stream what the async generator gives."""

    class Service(chat_pb2_grpc.ChatServiceServicer):
        async def SendAndReceiveMessage(self, requests, context):  # noqa: N802 (gRPC's name)
            await anext(requests)
            yield WELCOME
            async for response in answer(requests, context):
                yield response

    server = grpc.aio.server()
    chat_pb2_grpc.add_ChatServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
