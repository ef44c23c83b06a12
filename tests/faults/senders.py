"""Senders: `chatctl send` as real processes, run again until all is well, and a stream over the API."""

import asyncio
import contextlib
import json
import random
import signal
from asyncio.subprocess import PIPE
from collections import Counter
from typing import TYPE_CHECKING

import grpc
from checker import Kind
from cli import CHATCTL, environment
from contract import Connection, is_trouble, micros, micros_of_text, show
from readers import AGAIN_SECONDS
from waiting import send_signal

from chatctl.v1 import chat_pb2 as pb

if TYPE_CHECKING:
    from checker import Checker
    from keeper import Keeper

STATUSES = {
    pb.RECEIPT_STATUS_STORED: "stored", pb.RECEIPT_STATUS_DUPLICATE: "duplicate", pb.RECEIPT_STATUS_REJECTED: "rejected"
}  # fmt: skip
# How a producer writes to the pipe: bytes at a time, and seconds between.
PACES = (((65536,), 0.0), ((1, 100, 4096), 0.001), ((200, 600), 0.002))
FULL_EXIT = 72
# Ends of `send` after which the same command is to be run again: a store that is full, no server, a store that failed, and
# a SIGKILL, which only these tests send.
AGAIN = (FULL_EXIT, 78, 79, -signal.SIGKILL)
WINDOW_FRAMES = 4


class Piped:
    """`chatctl send` with its input from a pipe, run again with the same sender and input until it ends with 0."""

    def __init__(self, keeper: "Keeper", address, checker: "Checker", what, rng, timeout="5s"):
        self.what = what
        self.ends = Counter()  # how often it ended with which code
        self.process = None
        self._keeper = keeper
        self._checker = checker
        self._rng = random.Random(rng.random())  # of its own, so that chance here does not depend on the machine's pace
        self._pace = rng.choice(PACES)
        names = ("--sender", what.sender, "--user", what.user, "--room", what.room)
        self._command = (*CHATCTL, "send", "--json", *names, "--server", address, "--timeout", timeout)
        checker.sends(what)

    async def run(self):
        while True:
            await self._keeper.ready()
            code, told, said = await self._once()
            self.ends[code] += 1
            if code == 0 and told != self.what.count:
                self._checker.fault(Kind.RECEIPT, f"send of {self.what} ended with 0 after {told} receipts")
            if code not in AGAIN or b"Traceback" in said:
                assert code == 0, f"send of {self.what} ended with {code}: {said.decode(errors='replace')}"
                return

    def signal(self, number):
        """Send the process a signal, if it is running."""
        send_signal(self.process, number)

    async def _once(self):
        """One run: its exit code, how many receipts it gave, and what it said on stderr."""
        streams = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, "limit": 1 << 20}
        self.process = await asyncio.create_subprocess_exec(*self._command, env=environment(), **streams)
        try:
            told, said, _ = await asyncio.gather(self._receipts(), self.process.stderr.read(), self._feed())
            return await self.process.wait(), told, said
        finally:
            if self.process.returncode is None:
                send_signal(self.process, signal.SIGKILL)
                await self.process.wait()

    async def _feed(self):
        pipe = self.process.stdin
        sizes, pause = self._pace
        with contextlib.suppress(ConnectionError):  # it may end before it has read everything
            for piece in self.what.pieces(sizes, self._rng):
                pipe.write(piece)
                await pipe.drain()
                await asyncio.sleep(pause)
            pipe.close()
            await pipe.wait_closed()

    async def _receipts(self):
        """Tell the checker of the receipts; how many there were, which is up to which number, as they come in order."""
        due, told, rest = 1, 0, b""
        while chunk := await self.process.stdout.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for receipt in map(json.loads, lines):
                if receipt["number"] != due:
                    self._checker.fault(Kind.RECEIPT, f"due was number {due} of {self.what.sender}, it is {receipt}")
                due = receipt["number"] + 1
                if receipt["status"] != "unconfirmed":
                    told += 1
                    when = micros_of_text(receipt["time"]) if "time" in receipt else 0
                    self._checker.receipt(
                        receipt["sender"], receipt["number"], receipt["status"], receipt.get("sequence", 0), when
                    )
        return told


class Talker:
    """Sends few texts at a time on a stream over the API, and receives every room on the same one; `run` it as a task.

    After whatever failure it goes on where it has no receipts, and from its cursor.
    """

    def __init__(self, keeper: "Keeper", address, checker: "Checker", what, seen, head, rng):
        """`what` is an input without records, `head` the cursor to receive from, `seen` the checker's Reader."""
        self.what = what
        self.seen = seen
        self.reconnects = -1
        self.refused = Counter()  # streams that ended, by status
        self._keeper = keeper
        self._address = address
        self._checker = checker
        self._cursor = head
        self._rng = random.Random(rng.random())
        self._due = 1  # the first number without a receipt
        self._moved = asyncio.Event()
        checker.sends(what)

    def say(self, count):
        """Send so many more texts."""
        self.what.count += count
        self._checker.sends(self.what)
        self._moved.set()

    @property
    def silent(self):
        """Whether all that was said has its receipt."""
        return self._due > self.what.count

    async def run(self):
        while True:
            await self._keeper.ready()
            self.reconnects += 1
            async with Connection(self._address) as stub:
                call = stub.SendAndReceiveMessage()
                writing = asyncio.create_task(self._write(call))
                try:
                    await self._read(call)
                except grpc.aio.AioRpcError as error:
                    self.refused[error.code()] += 1
                    if not is_trouble(error):
                        raise
                finally:
                    writing.cancel()
                    await asyncio.wait([writing])
            await asyncio.sleep(AGAIN_SECONDS)

    async def _write(self, call):
        """Write what is due, a few frames ahead of the receipts."""
        what, number, sent = self.what, self._due, []
        receive = pb.Receive(all_rooms=True, after=self._cursor)
        names = {"user": what.user, "sender": what.sender, "room": what.room}
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # reading raises why
            await call.write(pb.SendAndReceiveMessageRequest(**names, receive=receive))
            while True:
                while number <= what.count and sum(first >= self._due for first in sent) < WINDOW_FRAMES:
                    last = min(what.count, number + self._rng.choice((0, 0, 0, 20)))
                    await call.write(pb.SendAndReceiveMessageRequest(number=number, texts=what.texts(number, last)))
                    sent = [first for first in sent if first >= self._due] + [number]
                    number = last + 1
                self._moved.clear()
                await self._moved.wait()

    async def _read(self, call):
        async for response in call:
            for receipt in response.receipts:
                for i in range(receipt.count):
                    at = receipt.sequence + i if receipt.sequence else 0
                    self._checker.receipt(
                        self.what.sender, receipt.number + i, STATUSES[receipt.status], at, micros(receipt.create_time)
                    )
                if receipt.number != self._due:
                    self._checker.fault(Kind.RECEIPT, f"due was number {self._due} of {self.what.sender}: {receipt}")
                self._due = receipt.number + receipt.count
            self._moved.set()
            show(response.runs, self.seen.see)
            self._cursor = response.cursor or self._cursor
