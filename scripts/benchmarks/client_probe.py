"""Clients for measurements that no chatctl command offers: single round trips. Print figures as a JSON object.

Arguments: `round-trip RAW CHAT COUNT`, `stats FULL EMPTY COUNT` (addresses of servers), `crowd CHAT COUNT` (64
concurrent senders, COUNT messages each), and `scatter STORE COUNT`, which fills a new store in which no message has the
room or user of its neighbours.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from statistics import median
from typing import Any

import grpc

from chatctl.model.records import RecordBatch
from chatctl.store import open_log
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

WARM_UP_CALLS = 200
CALLS_PER_TURN = 50  # calls of one kind before those of the next kind, so that all kinds see the same machine load
ROOMS, USERS = 997, 1000  # no common divisor, so every pair occurs
BATCHES_AT_ONCE = 4000
SENDERS = 64

Call = Callable[[], Awaitable[object]]


async def medians(calls: dict[str, Call], number: int) -> dict[str, float]:
    """Return the median microseconds of each call; calls run one at a time."""
    for call in calls.values():
        for _ in range(min(WARM_UP_CALLS, number)):
            await call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(-(-number // CALLS_PER_TURN)):
        for name, call in calls.items():
            for _ in range(CALLS_PER_TURN):
                start = time.perf_counter()
                await call()
                times[name].append(time.perf_counter() - start)
    return {name: median(values) * 1e6 for name, values in times.items()}


def open_stream(channel: grpc.aio.Channel) -> Call:
    """Open a stream. Each call sends one text of 100 bytes and waits for the response."""
    stream = chat_pb2_grpc.ChatServiceStub(channel).SendAndReceiveMessage()
    numbers = count(1)

    async def call() -> None:
        number = next(numbers)
        name = "bench" if number == 1 else ""
        await stream.write(pb.SendAndReceiveMessageRequest(texts=[f"{number:0100d}"], user=name, room=name))
        response = await stream.read()
        while response.HasField("welcome") and not response.receipts:
            response = await stream.read()
        if response.receipts and response.receipts[0].status != pb.RECEIPT_STATUS_STORED:
            raise RuntimeError(f"not stored: {response}")

    return call


async def round_trip(raw: str, chat: str, number: int) -> dict[str, float]:
    async with grpc.aio.insecure_channel(raw) as raw_channel, grpc.aio.insecure_channel(chat) as chat_channel:
        echo: Any = raw_channel.unary_unary("/raw/Echo")
        calls = {
            "raw unary": lambda: echo(b"x" * 100),
            "raw stream": open_stream(raw_channel),
            "receipt": open_stream(chat_channel),
        }
        return await medians(calls, number)


async def stats(full: str, empty: str, number: int) -> dict[str, float]:
    async with grpc.aio.insecure_channel(full) as full_channel, grpc.aio.insecure_channel(empty) as empty_channel:
        full_stub, empty_stub = (chat_pb2_grpc.ChatServiceStub(channel) for channel in (full_channel, empty_channel))
        calls = {
            "stats full": lambda: full_stub.GetStats(pb.GetStatsRequest()),
            "stats empty": lambda: empty_stub.GetStats(pb.GetStatsRequest()),
        }
        return await medians(calls, number)


async def concurrent_senders(chat: str, number: int) -> dict[str, float]:
    """Send single messages on many streams; each sender waits for the receipt before it sends the next message."""
    async with grpc.aio.insecure_channel(chat) as channel:
        calls = [open_stream(channel) for _ in range(SENDERS)]
        await asyncio.gather(*(call() for call in calls))

        async def send(call: Call) -> None:
            for _ in range(number):
                await call()

        start = time.perf_counter()
        await asyncio.gather(*map(send, calls))
        return {"crowd": SENDERS * number / (time.perf_counter() - start)}


async def fill_scattered(path: str, number: int) -> dict[str, float]:
    log = await open_log(f"sqlite:{path}")
    for start in range(0, number, BATCHES_AT_ONCE):
        batches = (
            RecordBatch(f"user-{i % USERS}", "bench", f"room-{i % ROOMS}", i + 1, [f"{i:0100d}"], 100)
            for i in range(start, min(start + BATCHES_AT_ONCE, number))
        )
        await asyncio.gather(*map(log.append, batches))
    await log.close()
    return {"messages": number}


async def main(what: str, *arguments: str) -> None:
    number = int(arguments[-1])
    if what in ("scatter", "crowd"):
        figures = await {"scatter": fill_scattered, "crowd": concurrent_senders}[what](arguments[0], number)
    else:
        figures = await {"round-trip": round_trip, "stats": stats}[what](arguments[0], arguments[1], number)
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
