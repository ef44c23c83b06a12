"""Cutting input into records: bytes in, texts out, and what cannot be a text by its number."""

import asyncio
import os
import select
import stat
from collections.abc import AsyncIterator

STDIN = 0
CHUNK_BYTES = 256 * 1024


async def read_chunks(descriptor: int) -> AsyncIterator[bytes]:
    """What a file, pipe, socket or terminal has, as it comes; it ends when that ends."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        while chunk := os.read(descriptor, CHUNK_BYTES):
            yield chunk
            await asyncio.sleep(0)  # let others have their turn, Ctrl-C among them
        return
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    while True:
        try:
            # No thread: one that sits in read() would keep the process alive until the input ends.
            loop.add_reader(descriptor, readable.set)
        except PermissionError:  # /dev/null and its like cannot be waited for, and need not be
            readable.set()
        try:
            await readable.wait()
        finally:
            # Or it would go on ringing while nobody reads, and once more after the read: the next read would then block.
            loop.remove_reader(descriptor)
        readable.clear()
        chunk = os.read(descriptor, CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def read_ready_byte(descriptor: int) -> bytes:
    """One byte, if it is there without waiting."""
    try:
        ready, _, _ = select.select([descriptor], [], [], 0)
        return os.read(descriptor, 1) if ready else b""
    except OSError:
        return b""
