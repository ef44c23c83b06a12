"""Start processes, time them, and end them in every case."""

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
LIMIT_SECONDS = 180  # no measurement takes a tenth of it: a process that takes longer hangs
START_SECONDS = 20
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CHATCTL_")}
ENVIRONMENT["PYTHONPATH"] = str(ROOT / "scripts")  # for `python -m benchmarks.NAME`


Stream = int | IO[bytes] | None


class BenchmarkFailed(Exception):
    """A process failed; the text names it and quotes its stderr."""


@dataclass(frozen=True)
class ProcessResult:
    """Time, memory and output of a process that succeeded. `lines` counts all lines of its output, `output` is its end."""

    seconds: float
    peak_mb: float
    lines: int
    output: str


@dataclass
class Server:
    """A running server. `peak_mb`, its peak memory, is set when it has ended."""

    address: str
    pid: int
    peak_mb: float = 0.0


def program(name: str, *arguments: object) -> list[str]:
    """Return the command for a program of this folder."""
    return [PYTHON, "-m", f"benchmarks.{name}", *map(str, arguments)]


@contextmanager
def _running(
    command: Sequence[str], stdin: Stream = subprocess.DEVNULL, stdout: Stream = None, stderr: Stream = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process until the block ends, at most for the time limit."""
    process = subprocess.Popen(command, env=ENVIRONMENT, stdin=stdin, stdout=stdout, stderr=stderr)
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
    """Wait for the end and return the peak memory in MB.

    The kernel includes the memory of this process at the time of the fork, so this process must stay small: no grpc here.
    """
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _failed(process: "subprocess.Popen[bytes]", reason: str, stderr: bytes) -> BenchmarkFailed:
    command = shlex.join(map(str, process.args)) if isinstance(process.args, Sequence) else str(process.args)
    return BenchmarkFailed(f"{command}\n{reason}; stderr:\n{stderr.decode(errors='replace')[-2000:].strip() or '(nothing)'}")


def run(command: Sequence[str], source: Path | None = None) -> ProcessResult:
    """Run to the end with the source on stdin, through a pipe from `cat`. Reads the output without delay."""
    with ExitStack() as stack:
        stderr = stack.enter_context(tempfile.TemporaryFile())
        start = time.perf_counter()
        stdin: Stream = subprocess.DEVNULL
        if source:
            cat = stack.enter_context(_running(["cat", str(source)], stdout=subprocess.PIPE))
            stdin = cat.stdout
        process = stack.enter_context(_running(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr))
        if source and cat.stdout:
            cat.stdout.close()  # so that cat ends when the process does
        lines, output = 0, b""
        assert process.stdout
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
    """Run a server for the block, which begins when stderr (written to `log`) has `listening on ADDRESS`."""
    with log.open("wb") as stderr, _running(command, stdout=subprocess.DEVNULL, stderr=stderr) as process:
        server = Server(_wait_for_address(process, log), process.pid)
        yield server
        process.terminate()
        server.peak_mb = _wait(process)
        if process.returncode not in (0, -signal.SIGTERM):
            raise _failed(process, f"ended with {process.returncode}", log.read_bytes())


def _wait_for_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until the server listens, and return its address."""
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
    """Run `chatctl serve` with this store."""
    return running_server([CHATCTL, "serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:{store}"], Path(f"{store}.log"))
