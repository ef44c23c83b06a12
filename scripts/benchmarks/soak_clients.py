"""The clients of scripts/soak, with the arguments ROLE ADDRESS SECONDS. Print counts by kind as a JSON object.

`calls`: short calls and streams, some cancelled, expired or malformed, on changing connections. `cut`: the same through a
proxy that resets its connections. `prey`: streams that are in full use when the process is killed.
"""

import asyncio
import json
import random
import signal
import socket
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100))
CONCURRENCY = {"calls": 8, "cut": 8, "prey": 2}
CALLS_PER_CONNECTION = 200
RESET_INTERVAL_SECONDS = 0.3  # between cuts, about
LINGER_RESET = struct.pack("ii", 1, 0)  # a close that resets the connection

ClientAction = Callable[[grpc.aio.Channel], Awaitable[None]]


def frame(*texts: str, **fields: Any) -> pb.SendAndReceiveMessageRequest:
    names: dict[str, Any] = {"user": f"user-{random.randrange(20)}", "room": f"room-{random.randrange(50)}"}
    return pb.SendAndReceiveMessageRequest(texts=texts, **{**names, **fields})


def some_texts() -> list[str]:
    return [random.randbytes(random.choice((0, 10, 50, 500))).hex() for _ in range(random.choice((1, 1, 1, 20)))]


async def stats(channel: grpc.aio.Channel) -> None:
    await chat_pb2_grpc.ChatServiceStub(channel).GetStats(pb.GetStatsRequest(), timeout=10)


async def check(channel: grpc.aio.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)


async def read(channel: grpc.aio.Channel) -> None:
    request = pb.GetMessagesRequest(last=random.choice((1, 10, 300)), rooms=random.choice(([], ["room-1"])))
    async for _ in chat_pb2_grpc.ChatServiceStub(channel).GetMessages(request, timeout=20):
        pass


async def follow_until_deadline(channel: grpc.aio.Channel) -> None:
    request = pb.GetMessagesRequest(follow=True, last=10)
    async for _ in chat_pb2_grpc.ChatServiceStub(channel).GetMessages(request, timeout=random.uniform(0.001, 0.1)):
        pass


async def leave_in_the_middle(channel: grpc.aio.Channel) -> None:
    call = chat_pb2_grpc.ChatServiceStub(channel).GetMessages(pb.GetMessagesRequest(last=1000, follow=True), timeout=20)
    for _ in range(random.randrange(4)):
        await call.read()
    call.cancel()


async def send(channel: grpc.aio.Channel) -> None:
    async def frames() -> AsyncIterator[pb.SendAndReceiveMessageRequest]:
        for _ in range(random.randrange(5)):
            yield frame(*some_texts(), user="soak")

    async for _ in chat_pb2_grpc.ChatServiceStub(channel).SendAndReceiveMessage(frames(), timeout=20):
        pass


async def send_and_cancel(channel: grpc.aio.Channel) -> None:
    call = chat_pb2_grpc.ChatServiceStub(channel).SendAndReceiveMessage(timeout=random.choice((0.01, 0.05, 20)))
    receive = pb.Receive(all_rooms=True) if random.random() < 0.5 else None
    await call.write(frame(*some_texts(), user="soak", receive=receive))
    for _ in range(random.randrange(3)):
        await call.read()
    call.cancel()


async def malformed(channel: grpc.aio.Channel) -> None:
    method = random.choice(("GetStats", "GetMessages", "SendAndReceiveMessage"))
    call: Any = channel.stream_stream(f"/chatctl.v1.ChatService/{method}")(timeout=10)
    await call.write(random.randbytes(random.randrange(100)))
    await call.done_writing()
    while await call.read() is not grpc.aio.EOF:
        pass


ACTIONS: tuple[ClientAction, ...] = (
    stats, check, read, follow_until_deadline, leave_in_the_middle, send, send, send_and_cancel, malformed,
)  # fmt: skip


async def run_calls(address: str, done: Counter[str]) -> None:
    """Make calls of all kinds, one after another, until cancelled."""
    while True:
        channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        try:
            for _ in range(random.randrange(CALLS_PER_CONNECTION)):
                kind = random.choice(ACTIONS)
                with suppress(grpc.RpcError, asyncio.InvalidStateError):
                    await kind(channel)
                done[kind.__name__] += 1
        finally:
            await channel.close()


async def resetting_proxy(address: str, done: Counter[str]) -> str:
    """Start a proxy that resets random connections, and return its address."""
    host, _, port = address.rpartition(":")
    writers: set[asyncio.StreamWriter] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # asyncio would log it at the end
            server_reader, server_writer = await asyncio.open_connection(host, port)
            writers.add(server_writer)
            await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))
            writers.discard(server_writer)

    async def cut() -> None:
        while True:
            await asyncio.sleep(random.expovariate(1 / RESET_INTERVAL_SECONDS))
            if writers:
                writer_to_reset = random.choice(list(writers))
                with suppress(OSError):  # the socket may be closed already
                    writer_to_reset.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                writer_to_reset.transport.abort()
                done["cut"] += 1

    proxy = await asyncio.start_server(connected, "127.0.0.1", 0)
    proxy.cut = asyncio.create_task(cut())  # type: ignore[attr-defined]
    return f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"


async def open_streams(address: str, done: Counter[str]) -> None:
    """Keep two streams in full use: one that does not read, and one that sends without pause."""
    stub = chat_pb2_grpc.ChatServiceStub(grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS))
    unread_follow = stub.GetMessages(pb.GetMessagesRequest(follow=True))
    sender = stub.SendAndReceiveMessage()
    while not unread_follow.done():
        await sender.write(frame(*some_texts(), user="prey", room="prey", receive=pb.Receive(rooms=["room-1"])))
        done["prey"] += 1
        await asyncio.sleep(0.02)


async def main(role: str, address: str, seconds: float) -> None:
    done: Counter[str] = Counter()
    if role == "cut":
        address = await resetting_proxy(address, done)
    work = [
        asyncio.ensure_future((open_streams if role == "prey" else run_calls)(address, done))
        for _ in range(CONCURRENCY[role])
    ]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    for task in work:
        task.cancel()
    failed = [end for end in await asyncio.gather(*work, return_exceptions=True) if isinstance(end, Exception)]
    print(json.dumps({**done, "failed": [repr(end) for end in failed]}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
