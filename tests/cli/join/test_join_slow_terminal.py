"""The full screen at a terminal that is non-blocking, or slower than what is drawn."""

import fcntl
import os
import select
import signal
import struct
import termios
import time

import pytest

from tests.support.cli import Process
from tests.support.waiting import until

LINES = [f"line {number} {'.' * 60}" for number in range(200)]


@pytest.fixture
def large_terminal():
    """A terminal whose screen is larger than what it buffers: its master side, and the one for a process."""
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 250, 0, 0))
    yield master, terminal
    os.close(master)


@pytest.fixture
def join(address, room, send, large_terminal):
    send(*LINES)
    _, terminal = large_terminal
    process = Process(
        *("join", room), server=address, stdin=terminal, stdout=terminal, stderr=terminal, env={"TERM": "xterm-256color"}
    )
    yield process
    process.popen.kill()


def read_slowly(master):
    """Return what a terminal of some kilobytes a second takes in the next moment."""
    time.sleep(0.05)
    return os.read(master, 150) if select.select([master], [], [], 0)[0] else b""


def test_a_non_blocking_terminal_is_drawn_to_the_last_row(large_terminal, join):
    master, terminal = large_terminal
    os.set_blocking(terminal, False)
    seen = bytearray()

    def is_drawn():
        if select.select([master], [], [], 0)[0]:
            seen.extend(os.read(master, 2000))
        return b"line 199" in seen

    until(is_drawn)
    os.close(terminal)
    assert join.signal(signal.SIGTERM).wait().code == 143


def test_one_signal_ends_it_at_a_slow_terminal_and_restores_that(large_terminal, join):
    master, terminal = large_terminal
    seen = bytearray()
    until(lambda: seen.extend(read_slowly(master)) or len(seen) > 2000)
    join.signal(signal.SIGTERM)
    until(lambda: seen.extend(read_slowly(master)) or join.popen.poll() is not None)
    while select.select([master], [], [], 0)[0]:
        seen += os.read(master, 10_000)
    os.close(terminal)
    assert join.wait().code == 143
    assert b"Traceback" not in seen
    assert b"\x1b[?1049l" in seen
