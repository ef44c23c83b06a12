"""Cutting input into records: bytes in, texts out, and what cannot be a text by its number."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple

CHUNK_BYTES = 256 * 1024


class Refusal(NamedTuple):
    """Why the next record cannot be a text, and how many bytes it has, with its separator."""

    error: str
    size: int


Piece = list[str] | Refusal
"""Texts of consecutive records, or why the next record cannot be one."""


class Cutter:
    """Cuts at a separator (None: the whole input is one record). Holds at most one record, and none that is too long."""

    def __init__(self, separator: bytes | None, limit: int, keep: Callable[[bytes], None] = lambda _: None) -> None:
        """`limit` is the bytes a text may have. `keep` is called with all bytes of records that are refused, in order."""
        self._separator = separator
        self._limit = limit
        self._keep = keep
        self._fed = 0
        self._tail = b""  # the beginning of the next record
        self._skipped = 0  # bytes of a record that is too long and is not held
        self.unterminated = False
        """Whether the last record had no separator."""

    @property
    def position(self) -> int:
        """Bytes of the input up to the end of the last whole record."""
        return self._fed - len(self._tail) - self._skipped

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """The records that end in this chunk."""
        self._fed += len(chunk)
        end = -1 if self._separator is None else chunk.rfind(self._separator)
        if end < 0:
            self._hold(chunk)
            return
        start = 0
        if self._skipped:
            start = chunk.index(self._separator or b"") + 1
            self._keep(chunk[:start])
            yield too_long(self._skipped + start - 1, self._limit, self._skipped + start)
            self._skipped = 0
        if start <= end:
            yield from self._cut(self._tail + chunk[start:end], self._separator or b"")
        self._tail = b""
        self._hold(chunk[end + 1 :])

    def end(self) -> Iterator[Piece]:
        """The last record, if the input does not end with the separator."""
        self.unterminated = bool(self._skipped or self._tail)
        if self._skipped:
            yield too_long(self._skipped, self._limit, self._skipped)
        elif self._tail:
            yield from self._cut(self._tail, b"")
        self._tail, self._skipped = b"", 0

    def _hold(self, rest: bytes) -> None:
        if self._skipped or len(self._tail) + len(rest) > self._limit:
            self._keep(self._tail)
            self._keep(rest)
            self._skipped += len(self._tail) + len(rest)
            self._tail = b""
        else:
            self._tail += rest

    def _cut(self, whole: bytes, last: bytes) -> Iterator[Piece]:
        """Records with separators between; all at once if they are right, which they nearly always are. `last` ends it."""
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            yield from self._one_by_one(whole, last)
            return
        texts = [text] if self._separator is None else text.split(self._separator.decode())
        if len(whole) <= self._limit or max(map(len, texts)) * 4 <= self._limit:
            yield texts
        else:
            yield from self._one_by_one(whole, last)

    def _one_by_one(self, whole: bytes, last: bytes) -> Iterator[Piece]:
        good: list[str] = []
        records = [whole] if self._separator is None else whole.split(self._separator)
        for at, record in enumerate(records, 1):
            separator = last if at == len(records) else self._separator or b""
            piece = as_text(record, self._limit, separator)
            if isinstance(piece, list):
                good += piece
                continue
            self._keep(record + separator)
            if good:
                yield good
                good = []
            yield piece
        if good:
            yield good


def as_text(record: bytes, limit: int, separator: bytes = b"") -> Piece:
    """The one text of a record, or why it cannot be one."""
    size = len(record) + len(separator)
    if len(record) > limit:
        return too_long(len(record), limit, size)
    try:
        return [record.decode()]
    except UnicodeDecodeError as error:
        return Refusal(f"it is not UTF-8: byte 0x{record[error.start]:02x} at position {error.start}", size)


def too_long(length: int, limit: int, size: int) -> Refusal:
    """The refusal of a record of this length."""
    return Refusal(f"it has {length} bytes, the limit is {limit}: split it, or raise `serve --text-bytes`", size)


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
