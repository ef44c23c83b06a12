"""Processes: started, timed, and ended whatever happens."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
PYTHON = str(ROOT / ".venv/bin/python")
CHATCTL = str(ROOT / ".venv/bin/chatctl")
PROGRAMS = Path(__file__).resolve().parent
LIMIT_SECONDS = 180  # no measurement takes a tenth of it: what takes longer hangs
START_SECONDS = 20
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CHATCTL_")}


class BenchmarkFailed(Exception):
    """A process did not do what it should; the text says which and what it said."""


@dataclass(frozen=True)
class ProcessResult:
    """What a process that ended well took, and said. `lines` counts all of its output, `output` is the end of it."""

    seconds: float
    peak_mb: float
    lines: int
    output: str


@dataclass
class Server:
    """A server that can serve. The peak of its memory is known when it has ended."""

    address: str
    pid: int
    peak_mb: float = 0.0


def program(name: str, *arguments: object) -> list[str]:
    """The command for a program of this folder."""
    return [PYTHON, str(PROGRAMS / f"{name}.py"), *map(str, arguments)]


@contextmanager
def _running(command: Sequence[str], **streams: int | IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that outlives neither the block nor its time."""
    process = subprocess.Popen(command, env=ENVIRONMENT, **streams)
    kill_timer = threading.Timer(LIMIT_SECONDS, process.kill)
    kill_timer.start()
    try:
        yield process
    finally:
        kill_timer.cancel()
        if process.returncode is None:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _wait(process: "subprocess.Popen[bytes]") -> float:
    """Wait for the end; the peak of the memory comes back, in MB.

    The kernel counts what this process had when it started the other, so this one has to stay small: no grpc here.
    """
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _failed(process: "subprocess.Popen[bytes]", reason: str, stderr: bytes) -> BenchmarkFailed:
    command = shlex.join(str(part) for part in process.args)
    return BenchmarkFailed(
        f"{command}\n{reason}; it said:\n{stderr.decode(errors='replace')[-2000:].strip() or '(nothing)'}"
    )


def run(command: Sequence[str], source: Path | None = None) -> ProcessResult:
    """Run to the end with the source on stdin, through a pipe from `cat`. Its output is read as fast as it comes."""
    with ExitStack() as stack:
        stderr = stack.enter_context(tempfile.TemporaryFile())
        start = time.perf_counter()
        stdin: int | IO[bytes] = subprocess.DEVNULL
        if source:
            cat = stack.enter_context(_running(["cat", str(source)], stdout=subprocess.PIPE))
            stdin = cat.stdout
        process = stack.enter_context(_running(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr))
        if source:
            cat.stdout.close()  # so that cat ends when the process does
        lines, output = 0, b""
        while data := os.read(process.stdout.fileno(), 1 << 20):
            lines += data.count(b"\n")
            output = (output + data)[-4096:]
        peak_mb = _wait(process)
        seconds = time.perf_counter() - start
        if process.returncode:
            stderr.seek(0)
            raise _failed(process, f"ended with {process.returncode} after {seconds:.1f} s", stderr.read())
        return ProcessResult(seconds, peak_mb, lines, output.decode())


@contextmanager
def running_server(command: Sequence[str], log: Path) -> Iterator[Server]:
    """A server from when it says `listening on ADDRESS` on stderr (which goes to `log`) to the end of the block."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with log.open("wb") as stderr, _running(command, stderr=stderr, **streams) as process:
        server = Server(_wait_for_address(process, log), process.pid)
        yield server
        process.terminate()
        server.peak_mb = _wait(process)
        if process.returncode not in (0, -signal.SIGTERM):
            raise _failed(process, f"ended with {process.returncode}", log.read_bytes())


def _wait_for_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where the server listens, once it does."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        if found := re.search(rb"listening on (\S+)\n", log.read_bytes()):
            return found[1].decode()
        if ended:
            raise _failed(process, f"ended with {process.returncode} before it could serve", log.read_bytes())
        time.sleep(0.01)
    raise _failed(process, f"could not serve within {START_SECONDS} s", log.read_bytes())


def chat_server(store: Path) -> AbstractContextManager[Server]:
    """`chatctl serve` with this store."""
    return running_server([CHATCTL, "serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:{store}"], Path(f"{store}.log"))
