"""Followers and senders of one room, for chatctl and for the raw relay (grpc_baseline): the same frames, the same client.

A follower checks that no message is missing, doubled or out of order: the store holds only this room, so its sequences
have no gaps.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from itertools import count
from statistics import median
from typing import Any, TypeAlias

import grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

ROOM, USER = "bench", "user"
CHANNELS = 40  # at most; the followers are spread over them
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
FOLLOW_METHODS = {"chat": "/chatctl.v1.ChatService/GetMessages", "raw": "/raw/Follow"}
CURSOR_PREFIX = "000000000000:"  # as long as the prefix of a real cursor
TIMESTAMP_DIGITS = 20  # of the time in nanoseconds at which a text was sent

UnaryStreamCall: TypeAlias = Any  # the stubs type what a call reads as object
SendTexts = Callable[[list[str]], Awaitable[None]]
StartTask = Callable[[Coroutine[object, object, None]], None]


@asynccontextmanager
async def background_tasks() -> AsyncIterator[StartTask]:
    """Run tasks in the background of the block: they end with it, and their failure fails it."""
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        yield lambda work: tasks.append(group.create_task(work))
        for task in tasks:
            task.cancel()


def channels(address: str, number: int = CHANNELS) -> list[grpc.aio.Channel]:
    """Open this number of connections."""
    return [grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) for _ in range(number)]


def follow(kind: str, channel: grpc.aio.Channel, room: str = ROOM) -> UnaryStreamCall:
    """Open a stream of the room's messages; the relay has only one room."""
    method = channel.unary_stream(
        FOLLOW_METHODS[kind],
        request_serializer=pb.GetMessagesRequest.SerializeToString,
        response_deserializer=pb.GetMessagesResponse.FromString,
    )
    return method(pb.GetMessagesRequest(rooms=[room], follow=True))


class BenchFollower:
    """A follower that has received all sequences up to `last_sequence`."""

    def __init__(self) -> None:
        self.last_sequence = 0
        self.live = asyncio.Event()
        self.delays: list[int] | None = None  # nanoseconds of each message; None: not measured, as that costs time
        self.expected_texts: list[str] | None = (
            None  # shared by all followers that must receive the same; None: not compared
        )
        self._target_sequence = 0
        self._target_reached = asyncio.Event()

    async def run(self, call: UnaryStreamCall) -> None:
        """Handle responses until cancelled."""
        async for response in call:
            self.handle_response(response)
        raise RuntimeError("the server ended a following stream")

    def handle_response(self, response: pb.GetMessagesResponse) -> None:
        """Check the messages of one response."""
        for run in response.runs:
            self._handle_run(run)
        if response.live:
            self.live.set()

    def _handle_run(self, run: pb.Run) -> None:
        if run.sequence != self.last_sequence + 1:
            raise RuntimeError(f"sequence {run.sequence} came after {self.last_sequence}")
        if self.expected_texts is not None:
            self._compare(run.texts, self.expected_texts)
        self.last_sequence += len(run.texts)
        if self.delays is not None:
            now = time.perf_counter_ns()
            self.delays.extend(now - int(text[:TIMESTAMP_DIGITS]) for text in run.texts)
        if self.last_sequence >= self._target_sequence:
            self._target_reached.set()

    def _compare(self, texts: Sequence[str], log: list[str]) -> None:
        expected = log[self.last_sequence : self.last_sequence + len(texts)]
        if texts[: len(expected)] != expected:
            raise RuntimeError(f"followers received different texts after sequence {self.last_sequence}")
        log.extend(texts[len(expected) :])

    async def wait_for_sequence(self, sequence: int) -> None:
        """Wait until the follower has this sequence."""
        self._target_sequence = sequence
        self._target_reached.clear()
        if self.last_sequence < sequence:
            await self._target_reached.wait()


async def start_followers(start_task: StartTask, calls: list[UnaryStreamCall]) -> list[BenchFollower]:
    """Start a follower for each stream, and wait until all are live."""
    started = [BenchFollower() for _ in calls]
    for follower, call in zip(started, calls, strict=True):
        start_task(follower.run(call))
    for follower in started:
        await follower.live.wait()
    return started


async def start_room_followers(start_task: StartTask, kind: str, address: str, number: int) -> list[BenchFollower]:
    """Start this number of followers of the room, and wait until all are live."""
    shared_channels = channels(address, min(number, CHANNELS))
    return await start_followers(
        start_task, [follow(kind, shared_channels[i % len(shared_channels)]) for i in range(number)]
    )


def median_milliseconds(measured: list[BenchFollower]) -> float:
    """Return the median of the measured delays."""
    return median(delay for follower in measured for delay in follower.delays or ()) / 1e6


def open_sender(start_task: StartTask, kind: str, address: str) -> SendTexts:
    """Return a function that sends texts: to chatctl in one frame, to the relay in one frame each."""
    (channel,) = channels(address, 1)
    return _raw_sender(channel) if kind == "raw" else _chat_sender(start_task, channel)


def _chat_sender(start_task: StartTask, channel: grpc.aio.Channel) -> SendTexts:
    call = chat_pb2_grpc.ChatServiceStub(channel).SendAndReceiveMessage()

    async def receipts() -> None:
        async for response in call:
            for receipt in response.receipts:
                require_stored(receipt)

    async def send(texts: list[str]) -> None:
        await call.write(pb.SendAndReceiveMessageRequest(user=USER, room=ROOM, texts=texts))

    start_task(receipts())
    return send


def _raw_sender(channel: grpc.aio.Channel) -> SendTexts:
    call: Any = channel.stream_unary("/raw/Send")()
    numbers = count(1)

    async def send(texts: list[str]) -> None:
        for text in texts:
            await call.write(_relay_frame(next(numbers), text))

    return send


def _relay_frame(number: int, text: str) -> bytes:
    """Return the bytes that a follower of chatctl gets for one message."""
    run = pb.Run(sequence=number, room=ROOM, user=USER, texts=[text])
    run.create_time.GetCurrentTime()
    frame = pb.GetMessagesResponse(runs=[run], cursor=f"{CURSOR_PREFIX}{number}", cursor_prefix=CURSOR_PREFIX, live=True)
    return frame.SerializeToString()


def require_stored(receipt: pb.Receipt) -> pb.Receipt:
    """Return the receipt. Raises RuntimeError unless its messages are stored."""
    if receipt.status != pb.RECEIPT_STATUS_STORED:
        raise RuntimeError(f"not stored: {receipt}")
    return receipt


def timestamped_text(size: int) -> str:
    """Return a text of this size in bytes that begins with the current time."""
    return f"{time.perf_counter_ns():0{TIMESTAMP_DIGITS}d}".ljust(size, "x")


async def send_at_rate(send: SendTexts, rate: float, size: int) -> None:
    """Send texts at this rate per second until cancelled, and catch up after delays."""
    start = time.perf_counter()
    for number in count():
        if (wait := start + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        await send([timestamped_text(size)])
