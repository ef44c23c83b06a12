"""Pipes and devices that are named as files: a missing or slow other side does not block the command."""

import asyncio
import errno
import os
import select
import stat
import threading
import time
from pathlib import Path

from chatctl.cli.streams import ending
from chatctl.cli.streams.descriptors import FLAGS
from chatctl.cli.streams.ending import STALLED_SECONDS

OPEN_SECONDS = 2.0  # how long the other side of a named pipe may take to open it
END_SECONDS = 2.0  # how long after a signal a reader may take something
POLL_SECONDS = 0.02


class PipeOutput:
    """A pipe, device or terminal that is written directly. What its reader has not taken yet is kept: see `drain`."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, also for a named pipe that no process reads."""
        self.path = path
        self._descriptor = _open_for_writing(path)
        self._unwritten = bytearray()

    @property
    def is_blocked(self) -> bool:
        return bool(self._unwritten)

    def write(self, data: bytes) -> None:
        """Write as much as is taken without waiting."""
        self._unwritten += data
        self._write()

    def _write(self) -> None:
        try:
            while self._unwritten:
                del self._unwritten[: os.write(self._descriptor, self._unwritten)]
        except BlockingIOError:
            pass
        except OSError:
            self._unwritten.clear()
            raise

    async def drain(self) -> None:
        """Wait until everything is written. Raises OSError."""
        loop = asyncio.get_running_loop()
        while self._unwritten:
            writable = asyncio.Event()
            loop.add_writer(self._descriptor, writable.set)
            try:
                await writable.wait()
            finally:
                loop.remove_writer(self._descriptor)
            self._write()

    def finish(self) -> None:
        """Write the rest, as long as the reader takes some of it. Raises OSError."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while self._unwritten:
            if not poll.poll(min(STALLED_SECONDS, ending.seconds_left(END_SECONDS)) * 1000):
                size = len(self._unwritten)
                self._unwritten.clear()
                raise OSError(errno.EAGAIN, f"its reader has stalled; {size} bytes are missing")
            self._write()

    def close(self) -> str:
        os.close(self._descriptor)
        return ""


def _open_for_writing(path: Path) -> int:
    end = time.monotonic() + OPEN_SECONDS
    while True:
        try:
            return os.open(path, os.O_WRONLY | FLAGS)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= end:
                raise OSError(errno.ENXIO, "no process reads this pipe: start its reader first") from None
        time.sleep(POLL_SECONDS)


def open_for_reading(path: str) -> int:
    """Return the descriptor of a file. Raises OSError, also for a directory or a named pipe that no process writes to."""
    if stat.S_ISFIFO(os.stat(path).st_mode):
        return _open_pipe_for_reading(path)
    descriptor = os.open(path, os.O_RDONLY | FLAGS)
    if os.path.isdir(descriptor):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    os.set_blocking(descriptor, True)
    return descriptor


def _open_pipe_for_reading(path: str) -> int:
    """Open a pipe in a thread, as that takes until a process writes to it, and no other call tells."""
    opened: list[int | OSError] = []

    def open_pipe() -> None:
        try:
            opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            opened.append(error)

    thread = threading.Thread(target=open_pipe, daemon=True)
    thread.start()
    thread.join(OPEN_SECONDS)
    if not opened:
        raise OSError(errno.ENXIO, "no process writes to this pipe: start its writer first")
    if isinstance(opened[0], OSError):
        raise opened[0]
    return opened[0]
