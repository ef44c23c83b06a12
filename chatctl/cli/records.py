"""Cutting input into records: bytes in, texts out, and what cannot be a text by its number."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator

CHUNK_BYTES = 256 * 1024

Piece = list[str] | str
"""Texts of consecutive records, or why the next record cannot be one."""


class Cutter:
    """Cuts at a separator (None: the whole input is one record). Holds at most one record, and none that is too long."""

    def __init__(self, separator: bytes | None, limit: int) -> None:
        """`limit` is the bytes a text may have."""
        self._separator = separator
        self._limit = limit
        self._tail = b""  # the beginning of the next record
        self._skipped = 0  # bytes of a record that is too long and is not held

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """The records that end in this chunk."""
        end = -1 if self._separator is None else chunk.rfind(self._separator)
        if end < 0:
            self._hold(chunk)
            return
        start = 0
        if self._skipped:
            start = chunk.index(self._separator or b"")
            yield too_long(self._skipped + start, self._limit)
            self._skipped, start = 0, start + 1
        if start <= end:
            yield from self._cut(self._tail + chunk[start:end])
        self._tail = b""
        self._hold(chunk[end + 1 :])

    def end(self) -> Iterator[Piece]:
        """The last record, if the input does not end with the separator."""
        if self._skipped:
            yield too_long(self._skipped, self._limit)
        elif self._tail:
            yield from self._cut(self._tail)
        self._tail, self._skipped = b"", 0

    def _hold(self, rest: bytes) -> None:
        if self._skipped or len(self._tail) + len(rest) > self._limit:
            self._skipped += len(self._tail) + len(rest)
            self._tail = b""
        else:
            self._tail += rest

    def _cut(self, whole: bytes) -> Iterator[Piece]:
        """Records with separators between; all at once if they are all right, which they nearly always are."""
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            yield from self._one_by_one(whole)
            return
        texts = [text] if self._separator is None else text.split(self._separator.decode())
        if len(whole) <= self._limit or max(map(len, texts)) * 4 <= self._limit:
            yield texts
        else:
            yield from self._one_by_one(whole)

    def _one_by_one(self, whole: bytes) -> Iterator[Piece]:
        good: list[str] = []
        for record in [whole] if self._separator is None else whole.split(self._separator):
            piece = as_text(record, self._limit)
            if isinstance(piece, list):
                good += piece
                continue
            if good:
                yield good
                good = []
            yield piece
        if good:
            yield good


def as_text(record: bytes, limit: int) -> Piece:
    """The one text of a record, or why it cannot be one."""
    if len(record) > limit:
        return too_long(len(record), limit)
    try:
        return [record.decode()]
    except UnicodeDecodeError as error:
        return f"it is not UTF-8: byte 0x{record[error.start]:02x} at position {error.start}"


def too_long(size: int, limit: int) -> str:
    """Why a record of this size cannot be a text."""
    return f"it has {size} bytes, the limit is {limit}: split it, or raise `serve --text-bytes`"


async def chunks(descriptor: int) -> AsyncIterator[bytes]:
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
