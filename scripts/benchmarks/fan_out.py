"""Followers and senders of one room, on one clock. Prints figures as a JSON object.

As a process: `latency RAW CHAT COUNT` (one sender and one follower of each, taking turns of 25), and for the server of a KIND
(`chat` or `raw`) at ADDRESS with a PID: `fan_out KIND ADDRESS PID FOLLOWERS SECONDS`, `burst KIND ADDRESS FOLLOWERS MESSAGES`,
`idle ADDRESS PID FOLLOWERS SECONDS one|own` (all of one room, or each of its own), `stalled ADDRESS FOLLOWERS SECONDS
TURNS`, `full_load ADDRESS FOLLOWERS SECONDS`, and for its senders, which are as many, `send_one_by_one ADDRESS SENDERS SECONDS`.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

import grpc
from followers import (
    ROOM,
    STAMP,
    USER,
    JoinedApp,
    channels,
    company,
    follow,
    followers,
    milliseconds,
    pace,
    seated,
    sender,
    stamped,
    stored,
)

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

TEXT_BYTES, LONG_BYTES = 100, 1000
LATENCY_RATE, RATE = 100, 50  # messages a second
WARM_UP_MESSAGES = 50
TURN = 25  # messages of one kind before the other kind has its turn
FRAME_TEXTS = 500  # as many as `chatctl send` puts into one
WARM_UP_SECONDS, SETTLE_SECONDS = 1.5, 1.0  # seconds
SAMPLE_EVERY = 25  # of so many followers one looks at delays, which costs time
NUM_SAMPLED = 10  # followers of a full house
WARM_UP_FOLLOWERS = 50  # load what is loaded once, and fill the allocator's pools
SMALL_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16384), ("grpc.use_local_subchannel_pool", 1))
STALLING_MESSAGES = 300  # long ones: ten times what the small window takes

Figures = dict[str, float]


def cpu_seconds(pid: str) -> float:
    """What a process has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: str) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1000


async def latency(raw: str, chat: str, number: str) -> Figures:
    """The median milliseconds from send to seen, of each kind."""
    async with company() as start_task:
        pairs = []
        for kind, address in (("raw", raw), ("chat", chat)):
            (follower,) = await followers(start_task, kind, address, 1)
            pairs.append((follower, sender(start_task, kind, address)))
        for count in (WARM_UP_MESSAGES, int(number)):
            for follower, _ in pairs:
                follower.delays = []
            for _ in range(count // TURN):
                for _, send in pairs:
                    for _ in range(TURN):
                        await send([stamped(TEXT_BYTES)])
                        await asyncio.sleep(1 / LATENCY_RATE)
        for follower, _ in pairs:
            await follower.wait_for_sequence(WARM_UP_MESSAGES + int(number))
        return dict(zip(("raw", "chat"), (milliseconds([seat]) for seat, _ in pairs), strict=True))


async def fan_out(kind: str, address: str, pid: str, number: str, seconds: str) -> Figures:
    """Deliveries a second, their median delay in milliseconds, and the percentage of a core that the server took."""
    async with company() as start_task:
        room_followers = await followers(start_task, kind, address, int(number))
        start_task(pace(sender(start_task, kind, address), RATE, TEXT_BYTES))
        await asyncio.sleep(WARM_UP_SECONDS)
        sampled = room_followers[::SAMPLE_EVERY]
        for seat in sampled:
            seat.delays = []
        before, used, start = sum(seat.seen for seat in room_followers), cpu_seconds(pid), time.perf_counter()
        await asyncio.sleep(float(seconds))
        rate = (sum(seat.seen for seat in room_followers) - before) / (took := time.perf_counter() - start)
        return {"rate": rate, "delay": milliseconds(sampled), "cpu": 100 * (cpu_seconds(pid) - used) / took}


async def burst(kind: str, address: str, number: str, messages: str) -> Figures:
    """Deliveries a second, from the first send until every follower has seen every message."""
    count = int(messages)
    async with company() as start_task:
        room_followers = await followers(start_task, kind, address, int(number))
        send = sender(start_task, kind, address)
        texts = [f"{i:0{TEXT_BYTES}d}" for i in range(count)]
        start = time.perf_counter()
        for first in range(0, count, FRAME_TEXTS):
            await send(texts[first : first + FRAME_TEXTS])
        for seat in room_followers:
            await seat.wait_for_sequence(count)
        rate = count * len(room_followers) / (time.perf_counter() - start)
        if any(seat.seen != count for seat in room_followers):
            raise RuntimeError(f"more than {count} messages came")
        return {"rate": rate}


async def idle(address: str, pid: str, number: str, seconds: str, rooms: str) -> Figures:
    """What a follower costs the server that nothing comes for: kilobytes of each, and the percentage of a core for all."""
    async with company() as start_task:
        await followers(start_task, "chat", address, WARM_UP_FOLLOWERS)
        await asyncio.sleep(SETTLE_SECONDS)
        before = resident_kb(pid)
        shared_channels = channels(address)
        names = [ROOM if rooms == "one" else f"{ROOM}-{i}" for i in range(int(number))]
        await seated(
            start_task, [follow("chat", shared_channels[i % len(shared_channels)], name) for i, name in enumerate(names)]
        )
        await asyncio.sleep(SETTLE_SECONDS)
        each = (resident_kb(pid) - before) / len(names)
        used, start = cpu_seconds(pid), time.perf_counter()
        await asyncio.sleep(float(seconds))
        return {"memory": each, "cpu": 100 * (cpu_seconds(pid) - used) / (time.perf_counter() - start)}


async def stalled(address: str, number: str, seconds: str, turns: str) -> Figures:
    """The median delays, in milliseconds, without and with one more follower that does not read."""
    async with company() as start_task:
        room_followers = await followers(start_task, "chat", address, int(number))
        start_task(pace(sender(start_task, "chat", address), RATE, LONG_BYTES))
        send = sender(start_task, "chat", address)
        found: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(int(turns)):
            for stalling in (False, True) if turn % 2 else (True, False):
                stalled_follower = await open_stalled_follower(address) if stalling else None
                await send([stamped(LONG_BYTES) for _ in range(STALLING_MESSAGES)])
                await asyncio.sleep(SETTLE_SECONDS)
                for seat in room_followers:
                    seat.delays = []
                await asyncio.sleep(float(seconds))
                found[stalling].append(milliseconds(room_followers))
                if stalled_follower:
                    await drain(*stalled_follower, room_followers[0].seen)
        return {"quiet": median(found[False]), "stalled": median(found[True])}


async def open_stalled_follower(address: str) -> tuple[JoinedApp, grpc.aio.UnaryStreamCall]:
    """A follower that is live, does not read on, and has room for little on its way."""
    follower, call = JoinedApp(), follow("chat", grpc.aio.insecure_channel(address, options=SMALL_WINDOW))
    while not follower.live.is_set():
        follower.take(await call.read())
    return follower, call


async def drain(follower: JoinedApp, call: grpc.aio.UnaryStreamCall, head: int) -> None:
    """Let it read on to the head, and end it."""
    while follower.seen < head:
        follower.take(await call.read())
    call.cancel()


async def full_load(address: str, number: str, seconds: str) -> Figures:
    """As many senders as followers. Messages stored and deliveries a second, and milliseconds from send to seen.

    Raises if any follower has not seen exactly the messages that have receipts.
    """
    log: list[str] = []
    async with company() as start_task:
        room_followers = await followers(start_task, "chat", address, int(number))
        for seat in room_followers:
            seat.log = log
        sampled = room_followers[:: len(room_followers) // NUM_SAMPLED]
        for seat in sampled:
            seat.delays = []
        command = sys.executable, __file__, "talk", address, number, seconds
        senders = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        texts = json.loads((await senders.communicate())[0])
        for seat in room_followers:
            await seat.wait_for_sequence(len(texts))
        took = (time.perf_counter_ns() - int(log[0][:STAMP])) / 1e9
        if texts != log or any(seat.seen != len(texts) for seat in room_followers):
            raise RuntimeError("the followers have not seen exactly what has receipts")
        slowest = max(delay for seat in sampled for delay in seat.delays or ()) / 1e6
        rates = {"stored": len(texts) / float(seconds), "deliveries": len(texts) * len(room_followers) / took}
        return rates | {"lag": milliseconds(sampled), "slowest": slowest}


async def send_one_by_one(address: str, number: str, seconds: str) -> list[str]:
    """Single texts of many senders, each sent after the receipt for the one before; all texts in the order of the log."""
    texts: dict[int, str] = {}
    shared_channels = channels(address)
    calls = [
        chat_pb2_grpc.ChatServiceStub(shared_channels[i % len(shared_channels)]).SendAndReceiveMessage()
        for i in range(int(number))
    ]
    for i, call in enumerate(calls):  # a busy server takes its time to accept a call: that is not what is measured
        await call.write(pb.SendAndReceiveMessageRequest(user=f"{USER}-{i}", room=ROOM))
    for call in calls:
        await call.read()

    async def send_texts(call: grpc.aio.StreamStreamCall, end: float) -> None:
        while time.perf_counter() < end:
            text = stamped(TEXT_BYTES)
            await call.write(pb.SendAndReceiveMessageRequest(texts=[text]))
            (receipt,) = (await call.read()).receipts
            texts[stored(receipt).sequence] = text

    end = time.perf_counter() + float(seconds)
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(send_texts(call, end))
    return [texts[sequence] for sequence in sorted(texts)]


async def main(what: str, *arguments: str) -> None:
    measurements = {
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
