"""Followers and senders of one room, on one clock. Prints figures as a JSON object.

As a process: `near RAW CHAT COUNT` (one sender and one follower of each, taking turns of 25), and for the server of a KIND
(`chat` or `raw`) at ADDRESS with a PID: `many KIND ADDRESS PID FOLLOWERS SECONDS`, `burst KIND ADDRESS FOLLOWERS MESSAGES`,
`idle ADDRESS PID FOLLOWERS SECONDS one|own` (all of one room, or each of its own), `stalled ADDRESS FOLLOWERS SECONDS
TURNS`, `house ADDRESS FOLLOWERS SECONDS`, and for its senders, which are as many, `talk ADDRESS SENDERS SECONDS`.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

import grpc
from seats import (
    ROOM,
    STAMP,
    USER,
    Seat,
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
NEAR_RATE, RATE = 100, 50  # messages a second
WARM_UP_MESSAGES = 50
TURN = 25  # messages of one kind before the other kind has its turn
FRAME_TEXTS = 500  # as many as `chatctl send` puts into one
WARM_UP, SETTLE = 1.5, 1.0  # seconds
SAMPLE = 25  # of so many followers one looks at delays, which costs time
WATCHED = 10  # followers of a full house
WARM_FOLLOWERS = 50  # load what is loaded once, and fill the allocator's pools
SMALL_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16384), ("grpc.use_local_subchannel_pool", 1))
STALLING_MESSAGES = 300  # long ones: ten times what the small window takes

Figures = dict[str, float]


def cpu_seconds(pid: str) -> float:
    """What a process has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: str) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1000


async def near(raw: str, chat: str, number: str) -> Figures:
    """The median milliseconds from send to seen, of each kind."""
    async with company() as beside:
        sides = []
        for kind, address in (("raw", raw), ("chat", chat)):
            (seat,) = await followers(beside, kind, address, 1)
            sides.append((seat, sender(beside, kind, address)))
        for count in (WARM_UP_MESSAGES, int(number)):
            for seat, _ in sides:
                seat.delays = []
            for _ in range(count // TURN):
                for _, send in sides:
                    for _ in range(TURN):
                        await send([stamped(TEXT_BYTES)])
                        await asyncio.sleep(1 / NEAR_RATE)
        for seat, _ in sides:
            await seat.reach(WARM_UP_MESSAGES + int(number))
        return dict(zip(("raw", "chat"), (milliseconds([seat]) for seat, _ in sides), strict=True))


async def many(kind: str, address: str, pid: str, number: str, seconds: str) -> Figures:
    """Deliveries a second, their median delay in milliseconds, and the percentage of a core that the server took."""
    async with company() as beside:
        seats = await followers(beside, kind, address, int(number))
        beside(pace(sender(beside, kind, address), RATE, TEXT_BYTES))
        await asyncio.sleep(WARM_UP)
        watched = seats[::SAMPLE]
        for seat in watched:
            seat.delays = []
        before, used, start = sum(seat.seen for seat in seats), cpu_seconds(pid), time.perf_counter()
        await asyncio.sleep(float(seconds))
        rate = (sum(seat.seen for seat in seats) - before) / (took := time.perf_counter() - start)
        return {"rate": rate, "delay": milliseconds(watched), "cpu": 100 * (cpu_seconds(pid) - used) / took}


async def burst(kind: str, address: str, number: str, messages: str) -> Figures:
    """Deliveries a second, from the first send until every follower has seen every message."""
    count = int(messages)
    async with company() as beside:
        seats = await followers(beside, kind, address, int(number))
        send = sender(beside, kind, address)
        texts = [f"{i:0{TEXT_BYTES}d}" for i in range(count)]
        start = time.perf_counter()
        for first in range(0, count, FRAME_TEXTS):
            await send(texts[first : first + FRAME_TEXTS])
        for seat in seats:
            await seat.reach(count)
        rate = count * len(seats) / (time.perf_counter() - start)
        if any(seat.seen != count for seat in seats):
            raise RuntimeError(f"more than {count} messages came")
        return {"rate": rate}


async def idle(address: str, pid: str, number: str, seconds: str, rooms: str) -> Figures:
    """What a follower costs the server that nothing comes for: kilobytes of each, and the percentage of a core for all."""
    async with company() as beside:
        await followers(beside, "chat", address, WARM_FOLLOWERS)
        await asyncio.sleep(SETTLE)
        before = resident_kb(pid)
        spread = channels(address)
        names = [ROOM if rooms == "one" else f"{ROOM}-{i}" for i in range(int(number))]
        await seated(beside, [follow("chat", spread[i % len(spread)], name) for i, name in enumerate(names)])
        await asyncio.sleep(SETTLE)
        each = (resident_kb(pid) - before) / len(names)
        used, start = cpu_seconds(pid), time.perf_counter()
        await asyncio.sleep(float(seconds))
        return {"memory": each, "cpu": 100 * (cpu_seconds(pid) - used) / (time.perf_counter() - start)}


async def stalled(address: str, number: str, seconds: str, turns: str) -> Figures:
    """The median delays, in milliseconds, without and with one more follower that does not read."""
    async with company() as beside:
        seats = await followers(beside, "chat", address, int(number))
        beside(pace(sender(beside, "chat", address), RATE, LONG_BYTES))
        flood = sender(beside, "chat", address)
        found: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(int(turns)):
            for stalling in (False, True) if turn % 2 else (True, False):
                sleeper = await stall(address) if stalling else None
                await flood([stamped(LONG_BYTES) for _ in range(STALLING_MESSAGES)])
                await asyncio.sleep(SETTLE)
                for seat in seats:
                    seat.delays = []
                await asyncio.sleep(float(seconds))
                found[stalling].append(milliseconds(seats))
                if sleeper:
                    await wake(*sleeper, seats[0].seen)
        return {"quiet": median(found[False]), "stalled": median(found[True])}


async def stall(address: str) -> tuple[Seat, grpc.aio.UnaryStreamCall]:
    """A follower that is live, does not read on, and has room for little on its way."""
    seat, call = Seat(), follow("chat", grpc.aio.insecure_channel(address, options=SMALL_WINDOW))
    while not seat.live.is_set():
        seat.take(await call.read())
    return seat, call


async def wake(seat: Seat, call: grpc.aio.UnaryStreamCall, head: int) -> None:
    """Let it read on to the head, and end it."""
    while seat.seen < head:
        seat.take(await call.read())
    call.cancel()


async def house(address: str, number: str, seconds: str) -> Figures:
    """As many senders as followers. Messages stored and deliveries a second, and milliseconds from send to seen.

    Raises if any follower has not seen exactly the messages that have receipts.
    """
    log: list[str] = []
    async with company() as beside:
        seats = await followers(beside, "chat", address, int(number))
        for seat in seats:
            seat.log = log
        watched = seats[:: len(seats) // WATCHED]
        for seat in watched:
            seat.delays = []
        command = sys.executable, __file__, "talk", address, number, seconds
        talking = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        texts = json.loads((await talking.communicate())[0])
        for seat in seats:
            await seat.reach(len(texts))
        took = (time.perf_counter_ns() - int(log[0][:STAMP])) / 1e9
        if texts != log or any(seat.seen != len(texts) for seat in seats):
            raise RuntimeError("the followers have not seen exactly what has receipts")
        slowest = max(delay for seat in watched for delay in seat.delays or ()) / 1e6
        rates = {"stored": len(texts) / float(seconds), "deliveries": len(texts) * len(seats) / took}
        return rates | {"lag": milliseconds(watched), "slowest": slowest}


async def talk(address: str, number: str, seconds: str) -> list[str]:
    """Single texts of many senders, each sent after the receipt for the one before; all texts in the order of the log."""
    texts: dict[int, str] = {}
    spread = channels(address)
    calls = [chat_pb2_grpc.ChatServiceStub(spread[i % len(spread)]).SendAndReceiveMessage() for i in range(int(number))]
    for i, call in enumerate(calls):  # a busy server takes its time to accept a call: that is not what is measured
        await call.write(pb.SendAndReceiveMessageRequest(user=f"{USER}-{i}", room=ROOM))
    for call in calls:
        await call.read()

    async def pump(call: grpc.aio.StreamStreamCall, end: float) -> None:
        while time.perf_counter() < end:
            text = stamped(TEXT_BYTES)
            await call.write(pb.SendAndReceiveMessageRequest(texts=[text]))
            (receipt,) = (await call.read()).receipts
            texts[stored(receipt).sequence] = text

    end = time.perf_counter() + float(seconds)
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(pump(call, end))
    return [texts[sequence] for sequence in sorted(texts)]


async def main(what: str, *arguments: str) -> None:
    programs = {"near": near, "many": many, "burst": burst, "idle": idle, "stalled": stalled, "house": house, "talk": talk}
    print(json.dumps(await programs[what](*arguments)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
