"""Followers and senders of one room, of chatctl's or of the raw relay's (see raw.py): the same frames, the same client.

A follower checks that no message is missing, doubled or out of order: the room is all there is in its store, so its
sequences have no gaps.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from itertools import count
from statistics import median

import grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

ROOM, USER = "bench", "user"
CHANNELS = 40  # at most; the followers are spread over them
OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
FOLLOW = {"chat": "/chatctl.v1.ChatService/GetMessages", "raw": "/raw/Follow"}
LOG = "000000000000:"  # as long as a real cursor's prefix
STAMP = 20  # digits: when a text was sent, in nanoseconds

Send = Callable[[list[str]], Awaitable[None]]
Beside = Callable[[Coroutine[object, object, None]], None]


@asynccontextmanager
async def company() -> AsyncIterator[Beside]:
    """Start what runs beside the block: it ends with it, and if it fails the block fails."""
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        yield lambda work: tasks.append(group.create_task(work))
        for task in tasks:
            task.cancel()


def channels(address: str, number: int = CHANNELS) -> list[grpc.aio.Channel]:
    """So many connections."""
    return [grpc.aio.insecure_channel(address, options=OPTIONS) for _ in range(number)]


def follow(kind: str, channel: grpc.aio.Channel, room: str = ROOM) -> grpc.aio.UnaryStreamCall:
    """A stream of the room's messages; the relay has only one room."""
    method = channel.unary_stream(
        FOLLOW[kind],
        request_serializer=pb.GetMessagesRequest.SerializeToString,
        response_deserializer=pb.GetMessagesResponse.FromString,
    )
    return method(pb.GetMessagesRequest(rooms=[room], follow=True))


class Seat:
    """A follower, and what it has seen: all sequences up to `seen`."""

    def __init__(self) -> None:
        self.seen = 0
        self.live = asyncio.Event()
        self.delays: list[int] | None = None  # nanoseconds of each message, if wanted: it costs time
        self.log: list[str] | None = None  # all texts, if wanted: shared by all who have to see the same
        self._goal = 0
        self._there = asyncio.Event()

    async def watch(self, call: grpc.aio.UnaryStreamCall) -> None:
        """Take what comes, until cancelled."""
        async for response in call:
            self.take(response)
        raise RuntimeError("the server has ended a stream that follows")

    def take(self, response: pb.GetMessagesResponse) -> None:
        """See what is in it."""
        for run in response.runs:
            self._take(run)
        if response.live:
            self.live.set()

    def _take(self, run: pb.Run) -> None:
        if run.sequence != self.seen + 1:
            raise RuntimeError(f"sequence {run.sequence} came after {self.seen}")
        if self.log is not None:
            self._compare(run.texts, self.log)
        self.seen += len(run.texts)
        if self.delays is not None:
            now = time.perf_counter_ns()
            self.delays.extend(now - int(text[:STAMP]) for text in run.texts)
        if self.seen >= self._goal:
            self._there.set()

    def _compare(self, texts: Sequence[str], log: list[str]) -> None:
        known = log[self.seen : self.seen + len(texts)]
        if texts[: len(known)] != known:
            raise RuntimeError(f"others have seen other texts after sequence {self.seen}")
        log.extend(texts[len(known) :])

    async def reach(self, sequence: int) -> None:
        """Wait until this one has been seen."""
        self._goal = sequence
        self._there.clear()
        if self.seen < sequence:
            await self._there.wait()


async def seated(beside: Beside, calls: list[grpc.aio.UnaryStreamCall]) -> list[Seat]:
    """A follower for each stream, once all are live."""
    seats = [Seat() for _ in calls]
    for seat, call in zip(seats, calls, strict=True):
        beside(seat.watch(call))
    for seat in seats:
        await seat.live.wait()
    return seats


async def followers(beside: Beside, kind: str, address: str, number: int) -> list[Seat]:
    """So many of the room, once all are live."""
    spread = channels(address, min(number, CHANNELS))
    return await seated(beside, [follow(kind, spread[i % len(spread)]) for i in range(number)])


def milliseconds(seats: list[Seat]) -> float:
    """The median delay of what they have seen since `delays` were wanted."""
    return median(delay for seat in seats for delay in seat.delays or ()) / 1e6


def sender(beside: Beside, kind: str, address: str) -> Send:
    """Sends texts to the room: to chatctl in one frame, to the relay each in a frame of its own."""
    (channel,) = channels(address, 1)
    return _raw_sender(channel) if kind == "raw" else _chat_sender(beside, channel)


def _chat_sender(beside: Beside, channel: grpc.aio.Channel) -> Send:
    call = chat_pb2_grpc.ChatServiceStub(channel).SendAndReceiveMessage()

    async def receipts() -> None:
        async for response in call:
            for receipt in response.receipts:
                stored(receipt)

    async def send(texts: list[str]) -> None:
        await call.write(pb.SendAndReceiveMessageRequest(user=USER, room=ROOM, texts=texts))

    beside(receipts())
    return send


def _raw_sender(channel: grpc.aio.Channel) -> Send:
    call = channel.stream_unary("/raw/Send")()
    numbers = count(1)

    async def send(texts: list[str]) -> None:
        for text in texts:
            await call.write(_relayed(next(numbers), text))

    return send


def _relayed(number: int, text: str) -> bytes:
    """What a follower of chatctl's gets for one message, byte for byte."""
    run = pb.Run(sequence=number, room=ROOM, user=USER, texts=[text])
    run.create_time.GetCurrentTime()
    frame = pb.GetMessagesResponse(runs=[run], cursor=f"{LOG}{number}", cursor_prefix=LOG, live=True)
    return frame.SerializeToString()


def stored(receipt: pb.Receipt) -> pb.Receipt:
    """The same, if its messages are stored."""
    if receipt.status != pb.RECEIPT_STATUS_STORED:
        raise RuntimeError(f"not stored: {receipt}")
    return receipt


def stamped(size: int) -> str:
    """A text of so many bytes that says when it was made."""
    return f"{time.perf_counter_ns():0{STAMP}d}".ljust(size, "x")


async def pace(send: Send, rate: float, size: int) -> None:
    """Send so many texts a second for ever; what the loop was too busy for is made up for."""
    start = time.perf_counter()
    for number in count():
        if (wait := start + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        await send([stamped(size)])
