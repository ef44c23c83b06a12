"""Reading stdin and files in the event loop."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import closing

from chatctl.cli.streams.descriptors import Input

STDIN = 0
CHUNK_BYTES = 256 * 1024


class StdinError(OSError):
    """Stdin cannot be read."""


async def read_stdin() -> AsyncGenerator[bytes, None]:
    """Yield the bytes of stdin like `read_chunks`. Raises StdinError."""
    try:
        async for chunk in read_chunks(STDIN):
            yield chunk
    except OSError as error:
        raise StdinError(error.errno, error.strerror) from error


async def read_chunks(descriptor: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a file, pipe, socket or terminal as they arrive, until its end."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        while chunk := os.read(descriptor, CHUNK_BYTES):
            yield chunk
            await asyncio.sleep(0)  # let other tasks run, such as the one that handles Ctrl-C
        return
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    with closing(Input(descriptor)) as source:
        while True:
            try:
                # Not in a thread: a thread in read() would keep the process alive until the input ends.
                loop.add_reader(descriptor, readable.set)
            except PermissionError:  # /dev/null and similar files cannot be polled, and need not be
                readable.set()
                await asyncio.sleep(0)  # let other tasks run: /dev/zero has no end
            try:
                await readable.wait()
            finally:
                # Otherwise the event is set while nothing is being read, and once more after the read: the next read blocks.
                loop.remove_reader(descriptor)
            readable.clear()
            try:
                chunk = source.read(CHUNK_BYTES)
            except BlockingIOError:  # another process has read it
                continue
            if not chunk:
                return
            yield chunk


def read_ready_byte(source: Input) -> bytes:
    """Return one byte if it can be read without waiting."""
    try:
        return source.read(1)
    except OSError:
        return b""


def unread_size() -> int | None:
    """Return the bytes of stdin that are not read yet, or None if it is not a file."""
    try:
        status = os.fstat(STDIN)
        return status.st_size - os.lseek(STDIN, 0, os.SEEK_CUR) if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None
