"""Measure how fast `chatctl join` shows typed keys. Print figures as a JSON object.

Arguments: `type ADDRESS KEYS MESSAGES` types KEYS keys in a quiet room and KEYS more while 1,000 messages per second arrive,
and measures memory after MESSAGES messages. `flood ADDRESS` sends those messages until its stdin ends. `work COUNT` is the
baseline: 10 ms of bare work, as often as keys are typed.
"""

import asyncio
import fcntl
import json
import os
import random
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles

from benchmarks.fan_out import Figures, StreamCall, cpu_seconds, resident_kb
from benchmarks.followers import ROOM, USER, background_tasks, channels, timestamped_text
from benchmarks.processes import CHATCTL, ENVIRONMENT, program
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

COLUMNS, ROWS = 120, 40
SENDERS, RATE = 20, 50  # users, and messages per second of each
TEXT_BYTES = 60
KEY_PAUSE_SECONDS = 0.05, 0.15  # seconds between keys: a fast typist
WORK_SECONDS = 0.01  # about the work of join for one screen update
KEYS_PER_LINE = 40  # keys until the input is emptied
WARM_UP_SECONDS = 2.0
TIMEOUT_SECONDS = 20.0  # a wait that takes longer hangs
LETTERS = [chr(code) for code in range(0x3B1, 0x586) if chr(code).isalpha()]  # that occur nowhere else
LAST_TEXT = "the last of all messages"


class Terminal:
    """A terminal that runs a command. Only `wait_for` and `drain` read its output."""

    def __init__(self, command: list[str]) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)

    def press(self, keys: str) -> None:
        """Type keys."""
        os.write(self._master, keys.encode())

    def wait_for(self, shown: str) -> None:
        """Read until the output contains this text."""
        wanted, end, start = shown.encode(), b"", time.perf_counter()
        while wanted not in end:
            if time.perf_counter() - start > TIMEOUT_SECONDS:
                raise RuntimeError(f"{shown!r} did not appear")
            end = end[-len(wanted) :] + self._read(1.0)

    def drain(self, seconds: float) -> None:
        """Read and discard output."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> bytes:
        return os.read(self._master, 1 << 16) if select.select([self._master], [], [], seconds)[0] else b""


def key_delays(terminal: Terminal, count: int) -> list[float]:
    """Return the milliseconds from each key press until the key is on the screen."""
    found = []
    for number in range(count):
        terminal.drain(random.uniform(*KEY_PAUSE_SECONDS))
        letter = LETTERS[number % len(LETTERS)]
        start = time.perf_counter()
        terminal.press(letter)
        terminal.wait_for(letter)
        found.append((time.perf_counter() - start) * 1000)
        if number % KEYS_PER_LINE == KEYS_PER_LINE - 1:
            terminal.press("\x15")  # Ctrl+U
    return found


def work_delays(count: int) -> list[float]:
    """Return the milliseconds of each piece of bare work."""
    found = []
    for _ in range(count):
        time.sleep(random.uniform(*KEY_PAUSE_SECONDS))
        start, used = time.perf_counter(), time.thread_time()
        while time.thread_time() - used < WORK_SECONDS:
            pass
        found.append((time.perf_counter() - start) * 1000)
    return found


def work_process_delays(terminal: Terminal, count: int) -> list[float]:
    """Measure bare work in a process with its own session, as join has: this includes the wait for a core."""
    working = subprocess.Popen(
        program("typing_latency", "work", count), env=ENVIRONMENT, stdout=subprocess.PIPE, start_new_session=True
    )
    while working.poll() is None:
        terminal.drain(0.1)
    delays: list[float] = json.loads(working.communicate()[0])
    return delays


def summary(name: str, found: list[float]) -> Figures:
    return {
        f"{name} median": median(found),
        f"{name} p99": quantiles(found, n=100, method="inclusive")[98],
        f"{name} slowest": max(found),
    }


@contextmanager
def flooding(address: str) -> Iterator[None]:
    """Send messages for the block. Raises RuntimeError if the rate was missed by more than 5 %."""
    command = program("typing_latency", "flood", address)
    senders = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield
        rate = json.loads(senders.communicate(timeout=TIMEOUT_SECONDS)[0])["rate"]
    finally:
        senders.kill()
        senders.wait()
    if not 0.95 < rate / (SENDERS * RATE) < 1.05:
        raise RuntimeError(f"the flood had {rate:.0f} messages per second, not {SENDERS * RATE}")


async def flood(address: str) -> Figures:
    """Return the messages per second that have receipts."""
    received = 0
    (channel,) = channels(address, 1)

    async def send(number: int) -> None:
        call = chat_pb2_grpc.ChatServiceStub(channel).SendAndReceiveMessage()
        await call.write(pb.SendAndReceiveMessageRequest(user=f"{USER}-{number}", room=ROOM))
        start_task(receive(call))
        due = time.perf_counter() + number / SENDERS / RATE
        while True:
            await asyncio.sleep(due - time.perf_counter())
            await call.write(pb.SendAndReceiveMessageRequest(texts=[timestamped_text(TEXT_BYTES)]))
            due += 1 / RATE

    async def receive(call: StreamCall) -> None:
        nonlocal received
        while True:
            response = await call.read()
            received += sum(receipt.count for receipt in response.receipts)

    async with background_tasks() as start_task:
        for number in range(SENDERS):
            start_task(send(number))
        await asyncio.sleep(WARM_UP_SECONDS / 2)
        before, start = received, time.perf_counter()
        await asyncio.to_thread(sys.stdin.read)
        return {"rate": (received - before) / (time.perf_counter() - start)}


def send_messages(terminal: Terminal, address: str, count: int) -> None:
    """Send messages at full speed until the last one is on the screen."""
    with tempfile.TemporaryFile() as lines:
        lines.writelines(f"{number:0{TEXT_BYTES}d}\n".encode() for number in range(count - 1))
        lines.write(LAST_TEXT.encode())
        lines.seek(0)
        command = [CHATCTL, "send", "--server", address, "--room", ROOM, "--quiet"]
        sender = subprocess.Popen(command, stdin=lines, env=ENVIRONMENT)
        terminal.wait_for(LAST_TEXT)
        sender.wait()


def measure(address: str, keys: int, messages: int) -> Figures:
    terminal = Terminal([CHATCTL, "join", ROOM, "--user", USER, "--server", address])
    try:
        pid = str(terminal.process.pid)
        terminal.wait_for("connected")
        quiet = key_delays(terminal, keys)
        start_memory = resident_kb(pid)
        with flooding(address):
            terminal.drain(WARM_UP_SECONDS)
            used, start = cpu_seconds(pid), time.perf_counter()
            flooded = key_delays(terminal, keys)
            cpu = 100 * (cpu_seconds(pid) - used) / (time.perf_counter() - start)
            bare_work = work_process_delays(terminal, keys)
        send_messages(terminal, address, messages)
        memory = {"memory": resident_kb(pid) / 1000, "memory before": start_memory / 1000}
        terminal.press("\x15\x04")  # Ctrl+U, Ctrl+D
        terminal.process.wait(TIMEOUT_SECONDS)
    finally:
        terminal.process.kill()
        terminal.process.wait()
    return summary("quiet", quiet) | summary("flood", flooded) | summary("work", bare_work) | {"cpu": cpu} | memory


def main(what: str, *arguments: str) -> None:
    if what == "work":
        print(json.dumps(work_delays(int(arguments[0]))))
    elif what == "flood":
        print(json.dumps(asyncio.run(flood(arguments[0]))))
    else:
        print(json.dumps(measure(arguments[0], *map(int, arguments[1:]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
