"""Stdin and stdout that other processes share, that are non-blocking, or whose reader has stalled."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import threading
import time

import pytest

from chatctl.cli.streams import ending
from chatctl.cli.streams.descriptors import Input
from chatctl.cli.streams.pipes import PipeOutput
from chatctl.cli.streams.stdin import read_chunks
from tests.support.cli import Process, run, texts, unread
from tests.support.waiting import until, until_async

PIPE_BYTES = 4096
STALLED = {
    "history": ("history", "--json"),
    "follow": ("history", "-f", "--output", "text"),
    "table": ("history",),
    "join": ("join", "--plain", "--last", "200"),
    "stats": ("stats", "--json", "--watch", "0.001"),
}


@pytest.fixture
def small_pipe():
    """The two ends of a pipe that 4 KiB fill."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield reading, writing
    os.close(reading)


def is_almost_full(reading):
    return unread(reading) > PIPE_BYTES // 4  # a line that does not fit is not written in part


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", STALLED)
def test_one_signal_ends_a_command_whose_stdout_is_not_read(address, room, send, small_pipe, command, number):
    send(*(f"text {number:50}" for number in range(200)))
    option = {"join": (room,), "stats": ()}.get(command, ("--room", room))
    process = Process(*STALLED[command], *option, server=address, stdout=small_pipe[1])
    os.close(small_pipe[1])
    until(lambda: is_almost_full(small_pipe[0]))
    assert process.signal(number).wait().code == 128 + number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_verify_whose_stdout_is_not_read(address, room, small_pipe, tmp_path, number):
    receipts = run("send", "--json", "--room", room, server=address, piped="text\n" * 200).objects
    (tmp_path / "receipts").write_text("".join(json.dumps(receipt | {"user": "eve"}) + "\n" for receipt in receipts))
    process = Process("verify", str(tmp_path / "receipts"), server=address, stdout=small_pipe[1])
    os.close(small_pipe[1])
    until(lambda: is_almost_full(small_pipe[0]))
    assert process.signal(number).wait().code == 128 + number


def test_one_signal_ends_send_whose_receipts_are_not_read_and_writes_its_files(address, room, small_pipe, tmp_path):
    path = tmp_path / "receipts"
    process = Process("send", "--json", "--room", room, "--receipts", str(path), server=address, stdout=small_pipe[1])
    os.close(small_pipe[1])
    process.write("text\n" * 200)
    until(lambda: is_almost_full(small_pipe[0]))
    done = process.signal(signal.SIGTERM).wait()
    assert done.code == 143
    summary = json.loads(done.err)
    assert summary["summary"]["stored"] == len(path.read_text().splitlines()) == len(texts(room, address)) == 200
    assert summary["error"] == "cannot write the receipts: its reader has stalled"


def test_a_slow_reader_gets_whole_lines_after_a_signal(address, room, send, small_pipe):
    send(*(f"text {number:50}" for number in range(200)))
    process = Process("history", "--json", "--room", room, server=address, stdout=small_pipe[1])
    os.close(small_pipe[1])
    until(lambda: is_almost_full(small_pipe[0]))
    process.signal(signal.SIGTERM)
    with os.fdopen(os.dup(small_pipe[0]), "rb") as reader:
        content = reader.read()
    assert process.wait().code == 143
    assert content.endswith(b"\n")


@pytest.mark.parametrize("command", ["history", "table", "send"])
def test_a_stdout_that_is_non_blocking_gets_everything(address, room, send, small_pipe, command):
    os.set_blocking(small_pipe[1], False)
    if command == "send":
        process = Process("send", "--json", "--room", room, server=address, stdout=small_pipe[1])
        process.write("text\n" * 200)
        process.close()
    else:
        send(*(f"text {number:50}" for number in range(200)))
        process = Process(*STALLED[command], "--room", room, server=address, stdout=small_pipe[1])
    os.close(small_pipe[1])
    until(lambda: is_almost_full(small_pipe[0]))
    with os.fdopen(os.dup(small_pipe[0]), "rb") as reader:
        lines = reader.read().splitlines()
    assert process.wait().code == 0
    assert len([line for line in lines if b"text" in line or b"stored" in line]) == 200 + (command == "table")


def test_a_stdin_that_is_non_blocking_is_read_to_its_end(address, room, small_pipe):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    process = Process("send", "--quiet", "--room", room, server=address, stdin=reading)
    os.write(writing, b"one\n")
    until(lambda: texts(room, address) == ["one"])
    os.write(writing, b"two\n")
    os.close(writing)
    assert process.wait().code == 0
    assert texts(room, address) == ["one", "two"]
    os.close(reading)


async def test_data_that_another_process_has_read_is_waited_for(monkeypatch):
    reading, writing = os.pipe()
    stolen = []

    def read(self, size, read=Input.read):
        stolen.append(os.read(reading, 1) if not stolen else b"")
        return read(self, size)

    monkeypatch.setattr(Input, "read", read)
    os.write(writing, b"1")
    chunks = read_chunks(reading)
    coming = asyncio.ensure_future(anext(chunks))
    await until_async(lambda: stolen)
    assert os.get_blocking(reading)
    os.write(writing, b"2")
    assert await coming == b"2"
    await chunks.aclose()
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_several_sends_share_a_stdin_and_take_a_signal(address, room, kind):
    if kind == "pipe":
        reading, writing = os.pipe()
    else:
        reading, writing = (end.detach() for end in socket.socketpair())
    processes = [Process("send", "--room", room, server=address, stdin=reading) for _ in "abc"]
    for number in range(50):
        os.write(writing, b"line %d\n" % number)
        until(lambda number=number: unread(reading) == 0)
    until(lambda: len(texts(room, address)) == 50)
    assert sorted(texts(room, address)) == sorted(f"line {number}" for number in range(50))
    assert os.get_blocking(reading)
    assert [process.signal(signal.SIGTERM).wait().code for process in processes] == [143] * 3
    os.close(reading)
    os.close(writing)


def test_the_master_side_of_a_terminal_is_written_itself(address, room, send):
    """Opened again, it would be another terminal, and everything would be lost."""
    send("one")
    master, terminal = os.openpty()
    process = Process("history", "-o", "text", "--room", room, server=address, stdout=master)
    assert os.read(terminal, 100) == b"one\n"
    assert process.wait().code == 0
    os.close(master)
    os.close(terminal)


def test_a_slow_reader_of_a_file_is_not_waited_for_long_after_a_signal(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    pipe, ended = PipeOutput(tmp_path / "pipe"), threading.Event()
    pipe.write(b"x" * 100_000_000)

    def read_slowly():
        while not ended.wait(0.01):
            os.read(reading, PIPE_BYTES)

    reader = threading.Thread(target=read_slowly)
    reader.start()
    monkeypatch.setattr(ending._Signal, "number", signal.SIGTERM)
    monkeypatch.setattr(ending._Signal, "time", time.monotonic())
    with pytest.raises(OSError, match="its reader has stalled"):
        pipe.finish()
    ended.set()
    reader.join()
    pipe.close()
    os.close(reading)


def test_an_endless_stdin_takes_a_signal(address, room):
    with open("/dev/zero", "rb") as zero:
        process = Process("send", "--room", room, server=address, stdin=zero)
    until(lambda: bytes_read(process) > 100_000_000)
    assert process.signal(signal.SIGTERM).wait().code == 143


def bytes_read(process):
    with open(f"/proc/{process.popen.pid}/io", encoding="ascii") as file:
        return int(file.readline().removeprefix("rchar: "))
