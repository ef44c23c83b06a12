"""Measure followers and senders of one room on one clock. Print figures as a JSON object.

Arguments: `near RAW CHAT COUNT` (one sender and one follower of each kind, in turns of 25 messages). For the server of a
KIND (`chat` or `raw`) at ADDRESS with process id PID: `many KIND ADDRESS PID FOLLOWERS SECONDS`, `burst KIND ADDRESS
FOLLOWERS MESSAGES`, `idle ADDRESS PID FOLLOWERS SECONDS one|own` (one room for all, or one for each), `stalled ADDRESS
FOLLOWERS SECONDS TURNS`, `house ADDRESS FOLLOWERS SECONDS`, and `talk ADDRESS SENDERS SECONDS`, the senders of `house`.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import grpc

from benchmarks.followers import (
    ROOM,
    TIMESTAMP_DIGITS,
    USER,
    BenchFollower,
    UnaryStreamCall,
    background_tasks,
    channels,
    follow,
    median_milliseconds,
    open_sender,
    require_stored,
    send_at_rate,
    start_followers,
    start_room_followers,
    timestamped_text,
)
from benchmarks.processes import ENVIRONMENT, program
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

TEXT_BYTES, LONG_BYTES = 100, 1000
LATENCY_RATE, RATE = 100, 50  # messages a second
WARM_UP_MESSAGES = 50
TURN = 25  # messages of one kind before those of the other kind
FRAME_TEXTS = 500  # as in a frame of `chatctl send`
WARM_UP_SECONDS, SETTLE_SECONDS = 1.5, 1.0  # seconds
SAMPLE_EVERY = 25  # one of 25 followers measures delays, as that costs time
NUM_SAMPLED = 10  # followers under full load
WARM_UP_FOLLOWERS = 50  # they load lazy modules and fill the allocator's pools
SMALL_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16384), ("grpc.use_local_subchannel_pool", 1))
STALLING_MESSAGES = 300  # of 1,000 bytes: ten times the small window

Figures = dict[str, float]
StreamCall: TypeAlias = Any


def cpu_seconds(pid: str) -> float:
    """Return the CPU time of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: str) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1000


async def latency(raw: str, chat: str, number: str) -> Figures:
    """Return the median milliseconds from send to delivery, for each kind."""
    async with background_tasks() as start_task:
        pairs = []
        for kind, address in (("raw", raw), ("chat", chat)):
            (follower,) = await start_room_followers(start_task, kind, address, 1)
            pairs.append((follower, open_sender(start_task, kind, address)))
        for count in (WARM_UP_MESSAGES, int(number)):
            for follower, _ in pairs:
                follower.delays = []
            for _ in range(count // TURN):
                for _, send in pairs:
                    for _ in range(TURN):
                        await send([timestamped_text(TEXT_BYTES)])
                        await asyncio.sleep(1 / LATENCY_RATE)
        for follower, _ in pairs:
            await follower.wait_for_sequence(WARM_UP_MESSAGES + int(number))
        return dict(zip(("raw", "chat"), (median_milliseconds([follower]) for follower, _ in pairs), strict=True))


async def fan_out(kind: str, address: str, pid: str, number: str, seconds: str) -> Figures:
    """Return deliveries per second, their median delay in milliseconds, and the server's CPU use in percent of a core."""
    async with background_tasks() as start_task:
        room_followers = await start_room_followers(start_task, kind, address, int(number))
        start_task(send_at_rate(open_sender(start_task, kind, address), RATE, TEXT_BYTES))
        await asyncio.sleep(WARM_UP_SECONDS)
        sampled = room_followers[::SAMPLE_EVERY]
        for follower in sampled:
            follower.delays = []
        before, used, start = (
            sum(follower.last_sequence for follower in room_followers),
            cpu_seconds(pid),
            time.perf_counter(),
        )
        await asyncio.sleep(float(seconds))
        rate = (sum(follower.last_sequence for follower in room_followers) - before) / (took := time.perf_counter() - start)
        return {"rate": rate, "delay": median_milliseconds(sampled), "cpu": 100 * (cpu_seconds(pid) - used) / took}


async def burst(kind: str, address: str, number: str, messages: str) -> Figures:
    """Return deliveries per second, from the first send until every follower has every message."""
    count = int(messages)
    async with background_tasks() as start_task:
        room_followers = await start_room_followers(start_task, kind, address, int(number))
        send = open_sender(start_task, kind, address)
        texts = [f"{i:0{TEXT_BYTES}d}" for i in range(count)]
        start = time.perf_counter()
        for first in range(0, count, FRAME_TEXTS):
            await send(texts[first : first + FRAME_TEXTS])
        for follower in room_followers:
            await follower.wait_for_sequence(count)
        rate = count * len(room_followers) / (time.perf_counter() - start)
        if any(follower.last_sequence != count for follower in room_followers):
            raise RuntimeError(f"a follower received more than {count} messages")
        return {"rate": rate}


async def idle(address: str, pid: str, number: str, seconds: str, rooms: str) -> Figures:
    """Return the server's cost of idle followers: kilobytes for each, and percent of a core for all."""
    async with background_tasks() as start_task:
        await start_room_followers(start_task, "chat", address, WARM_UP_FOLLOWERS)
        await asyncio.sleep(SETTLE_SECONDS)
        before = resident_kb(pid)
        shared_channels = channels(address)
        names = [ROOM if rooms == "one" else f"{ROOM}-{i}" for i in range(int(number))]
        await start_followers(
            start_task, [follow("chat", shared_channels[i % len(shared_channels)], name) for i, name in enumerate(names)]
        )
        await asyncio.sleep(SETTLE_SECONDS)
        each = (resident_kb(pid) - before) / len(names)
        used, start = cpu_seconds(pid), time.perf_counter()
        await asyncio.sleep(float(seconds))
        return {"memory": each, "cpu": 100 * (cpu_seconds(pid) - used) / (time.perf_counter() - start)}


async def stalled(address: str, number: str, seconds: str, turns: str) -> Figures:
    """Return the median delays in milliseconds, without and with one more follower that does not read."""
    async with background_tasks() as start_task:
        room_followers = await start_room_followers(start_task, "chat", address, int(number))
        start_task(send_at_rate(open_sender(start_task, "chat", address), RATE, LONG_BYTES))
        send = open_sender(start_task, "chat", address)
        found: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(int(turns)):
            for stalling in (False, True) if turn % 2 else (True, False):
                stalled_follower = await open_stalled_follower(address) if stalling else None
                await send([timestamped_text(LONG_BYTES) for _ in range(STALLING_MESSAGES)])
                await asyncio.sleep(SETTLE_SECONDS)
                for follower in room_followers:
                    follower.delays = []
                await asyncio.sleep(float(seconds))
                found[stalling].append(median_milliseconds(room_followers))
                if stalled_follower:
                    await drain(*stalled_follower, room_followers[0].last_sequence)
        return {"quiet": median(found[False]), "stalled": median(found[True])}


async def open_stalled_follower(address: str) -> tuple[BenchFollower, UnaryStreamCall]:
    """Open a follower with a small receive window that is live and then stops reading."""
    follower, call = BenchFollower(), follow("chat", grpc.aio.insecure_channel(address, options=SMALL_WINDOW))
    while not follower.live.is_set():
        follower.handle_response(await call.read())
    return follower, call


async def drain(follower: BenchFollower, call: UnaryStreamCall, head: int) -> None:
    """Read up to the head, then end the follower."""
    while follower.last_sequence < head:
        follower.handle_response(await call.read())
    call.cancel()


async def full_load(address: str, number: str, seconds: str) -> Figures:
    """Run as many senders as followers. Return messages stored and deliveries per second, and delays in milliseconds.

    Raises RuntimeError unless each follower has exactly the messages that have receipts.
    """
    log: list[str] = []
    async with background_tasks() as start_task:
        room_followers = await start_room_followers(start_task, "chat", address, int(number))
        for follower in room_followers:
            follower.expected_texts = log
        sampled = room_followers[:: len(room_followers) // NUM_SAMPLED]
        for follower in sampled:
            follower.delays = []
        command = program("fan_out", "talk", address, number, seconds)
        senders = await asyncio.create_subprocess_exec(*command, env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE)
        texts = json.loads((await senders.communicate())[0])
        for follower in room_followers:
            await follower.wait_for_sequence(len(texts))
        took = (time.perf_counter_ns() - int(log[0][:TIMESTAMP_DIGITS])) / 1e9
        if texts != log or any(follower.last_sequence != len(texts) for follower in room_followers):
            raise RuntimeError("a follower does not have exactly the messages with receipts")
        slowest = max(delay for follower in sampled for delay in follower.delays or ()) / 1e6
        rates = {"stored": len(texts) / float(seconds), "deliveries": len(texts) * len(room_followers) / took}
        return rates | {"lag": median_milliseconds(sampled), "slowest": slowest}


async def send_one_by_one(address: str, number: str, seconds: str) -> list[str]:
    """Send single texts on many streams, each after the receipt for the one before. Return all texts in log order."""
    texts: dict[int, str] = {}
    shared_channels = channels(address)
    calls = [
        chat_pb2_grpc.ChatServiceStub(shared_channels[i % len(shared_channels)]).SendAndReceiveMessage()
        for i in range(int(number))
    ]
    for i, call in enumerate(calls):  # accepting calls takes time on a busy server and is not measured here
        await call.write(pb.SendAndReceiveMessageRequest(user=f"{USER}-{i}", room=ROOM))
    for call in calls:
        await call.read()

    async def send_texts(call: StreamCall, end: float) -> None:
        while time.perf_counter() < end:
            text = timestamped_text(TEXT_BYTES)
            await call.write(pb.SendAndReceiveMessageRequest(texts=[text]))
            (receipt,) = (await call.read()).receipts
            texts[require_stored(receipt).sequence] = text

    end = time.perf_counter() + float(seconds)
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(send_texts(call, end))
    return [texts[sequence] for sequence in sorted(texts)]


async def main(what: str, *arguments: str) -> None:
    measurements: dict[str, Any] = {
        "near": latency,
        "many": fan_out,
        "burst": burst,
        "idle": idle,
        "stalled": stalled,
        "house": full_load,
        "talk": send_one_by_one,
    }
    print(json.dumps(await measurements[what](*arguments)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
