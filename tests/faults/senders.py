"""Senders: `chatctl send` as real processes, run again until they succeed, and a stream over the API."""

import asyncio
import contextlib
import json
import random
import signal
from asyncio.subprocess import PIPE
from collections import Counter
from typing import TYPE_CHECKING

import grpc

from chatctl.v1 import chat_pb2 as pb
from tests.faults.checker import ViolationKind
from tests.faults.grpc_api import Connection, add_runs, is_expected_error, microseconds, microseconds_of_text
from tests.faults.readers import RETRY_SECONDS
from tests.faults.signals import send_signal
from tests.support.cli import CHATCTL, clean_environment

if TYPE_CHECKING:
    from tests.faults.checker import Checker
    from tests.faults.supervisor import ServerSupervisor

STATUSES = {
    pb.RECEIPT_STATUS_STORED: "stored", pb.RECEIPT_STATUS_DUPLICATE: "duplicate", pb.RECEIPT_STATUS_REJECTED: "rejected"
}  # fmt: skip
# How a producer writes to the pipe: bytes per write, and seconds between writes.
WRITE_PATTERNS = (((65536,), 0.0), ((1, 100, 4096), 0.001), ((200, 600), 0.002))
FULL_EXIT = 72
# Exit codes after which the same command is run again: full store, no server, failed store, and SIGKILL, which only
# these tests send.
RETRIED_EXITS = (FULL_EXIT, 78, 79, -signal.SIGKILL)
WINDOW_FRAMES = 4


class SendProcess:
    """`chatctl send` with its input from a pipe, run again with the same input id until its exit code is 0."""

    def __init__(self, supervisor: "ServerSupervisor", address, checker: "Checker", sent, rng, timeout="5s"):
        self.input = sent
        self.exit_codes = Counter()  # how often it ended with each code
        self.process = None
        self._supervisor = supervisor
        self._checker = checker
        self._rng = random.Random(rng.random())  # its own, so that its random choices do not depend on the machine's speed
        self._pace = rng.choice(WRITE_PATTERNS)
        names = ("--input-id", sent.input_id, "--user", sent.user, "--room", sent.room)
        self._command = (*CHATCTL, "send", "--json", *names, "--server", address, "--timeout", timeout)
        checker.add_input(sent)

    async def run(self):
        while True:
            await self._supervisor.wait_ready()
            code, receipts, stderr = await self._run_once()
            self.exit_codes[code] += 1
            if code == 0 and receipts != self.input.count:
                self._checker.add_violation(
                    ViolationKind.RECEIPT, f"send of {self.input} ended with 0 after {receipts} receipts"
                )
            if code not in RETRIED_EXITS or b"Traceback" in stderr:
                assert code == 0, f"send of {self.input} ended with {code}: {stderr.decode(errors='replace')}"
                return

    def signal(self, number):
        """Send the process a signal, if it is running."""
        send_signal(self.process, number)

    async def _run_once(self):
        """Run it once, and return its exit code, the number of receipts, and its stderr."""
        streams = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, "limit": 1 << 20}
        self.process = await asyncio.create_subprocess_exec(*self._command, env=clean_environment(), **streams)
        try:
            receipts, stderr, _ = await asyncio.gather(self._receipts(), self.process.stderr.read(), self._feed())
            return await self.process.wait(), receipts, stderr
        finally:
            if self.process.returncode is None:
                send_signal(self.process, signal.SIGKILL)
                await self.process.communicate()  # `wait` would never end if its output is not read

    async def _feed(self):
        pipe = self.process.stdin
        sizes, pause = self._pace
        with contextlib.suppress(ConnectionError):  # it may end before it has read all
            for piece in self.input.pieces(sizes, self._rng):
                pipe.write(piece)
                await pipe.drain()
                await asyncio.sleep(pause)
            pipe.close()
            await pipe.wait_closed()

    async def _receipts(self):
        """Pass the receipts to the checker, and return their count, which is also the last number: they arrive in order."""
        expected, count, rest = 1, 0, b""
        while chunk := await self.process.stdout.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for receipt in map(json.loads, lines):
                if receipt["number"] != expected:
                    self._checker.add_violation(
                        ViolationKind.RECEIPT, f"expected number {expected} of {self.input.input_id}, got {receipt}"
                    )
                expected = receipt["number"] + 1
                if receipt["status"] != "unconfirmed":
                    count += 1
                    time = microseconds_of_text(receipt["time"]) if "time" in receipt else 0
                    self._checker.add_receipt(
                        receipt["input_id"], receipt["number"], receipt["status"], receipt.get("sequence", 0), time
                    )
        return count


class StreamClient:
    """Sends a few texts at a time on a stream over the API, and receives all rooms on the same one; `run` it as a task.

    After a failure it continues with the first number without a receipt, and from its cursor.
    """

    def __init__(self, supervisor: "ServerSupervisor", address, checker: "Checker", sent, check, head, rng):
        """`sent` is an input without records, `head` the cursor to receive from, `check` a ReaderCheck."""
        self.input = sent
        self.check = check
        self.reconnects = -1
        self.failures = Counter()  # streams that ended, by status
        self._supervisor = supervisor
        self._address = address
        self._checker = checker
        self._cursor = head
        self._rng = random.Random(rng.random())
        self._next_unconfirmed = 1  # the first number without a receipt
        self._progressed = asyncio.Event()
        checker.add_input(sent)

    def add_texts(self, count):
        """Send this many more texts."""
        self.input.count += count
        self._checker.add_input(self.input)
        self._progressed.set()

    @property
    def is_confirmed(self):
        """Whether all texts have their receipt."""
        return self._next_unconfirmed > self.input.count

    async def run(self):
        while True:
            await self._supervisor.wait_ready()
            self.reconnects += 1
            async with Connection(self._address) as stub:
                call = stub.SendAndReceiveMessage()
                writing = asyncio.create_task(self._write(call))
                try:
                    await self._read(call)
                except grpc.aio.AioRpcError as error:
                    self.failures[error.code()] += 1
                    if not is_expected_error(error):
                        raise
                finally:
                    writing.cancel()
                    await asyncio.wait([writing])
            await asyncio.sleep(RETRY_SECONDS)

    async def _write(self, call):
        """Write texts, a few frames ahead of the receipts."""
        source, number, unanswered = self.input, self._next_unconfirmed, []
        receive = pb.Receive(all_rooms=True, after=self._cursor)
        names = {"user": source.user, "input_id": source.input_id, "room": source.room}
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # `_read` raises the error
            await call.write(pb.SendAndReceiveMessageRequest(**names, receive=receive))
            while True:
                while (
                    number <= source.count and sum(first >= self._next_unconfirmed for first in unanswered) < WINDOW_FRAMES
                ):
                    last = min(source.count, number + self._rng.choice((0, 0, 0, 20)))
                    await call.write(pb.SendAndReceiveMessageRequest(number=number, texts=source.texts(number, last)))
                    unanswered = [first for first in unanswered if first >= self._next_unconfirmed] + [number]
                    number = last + 1
                self._progressed.clear()
                await self._progressed.wait()

    async def _read(self, call):
        async for response in call:
            for receipt in response.receipts:
                for i in range(receipt.count):
                    at = receipt.sequence + i if receipt.sequence else 0
                    self._checker.add_receipt(
                        self.input.input_id,
                        receipt.number + i,
                        STATUSES[receipt.status],
                        at,
                        microseconds(receipt.create_time),
                    )
                if receipt.number != self._next_unconfirmed:
                    self._checker.add_violation(
                        ViolationKind.RECEIPT,
                        f"expected number {self._next_unconfirmed} of {self.input.input_id}: {receipt}",
                    )
                self._next_unconfirmed = receipt.number + receipt.count
            self._progressed.set()
            add_runs(response.runs, self.check.add)
            self._cursor = response.cursor or self._cursor
