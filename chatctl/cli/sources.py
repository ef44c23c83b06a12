"""Where the records of a `send` come from: the arguments, stdin, or a file of leftovers."""

import asyncio
import os
import shlex
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from chatctl.cli.files import Rejects
from chatctl.cli.leftovers import Leftovers
from chatctl.cli.records import Cutter, Piece, as_text, chunks, waiting_byte

if TYPE_CHECKING:
    from chatctl.client import Sending

STDIN = 0


class Stopped(NamedTuple):
    """Where reading stopped: how many whole records, their bytes, and the bytes read of the record after them."""

    record: int
    byte: int
    unfinished: int


class Source(Protocol):
    """Puts records into a Sending, all that was read before anything is waited for: no record is forgotten."""

    separator: bytes
    """What stands after each record in the input."""
    single: bool
    """The only record is a text, and not one of an input."""
    kept: str
    """The file of leftovers, if it is one."""
    log: str
    """The log its records may be stored in already; empty if there is none."""
    size: int | None
    """Its bytes, if that is known before they are read."""

    async def feed(self, sending: "Sending", room: str, rejects: Rejects | None) -> None:
        """Put all records, as fast as they go out."""

    def unread(self) -> list[tuple[int, list[str]]]:
        """Records that are known before there is a server to send them to: texts and the number of their first."""

    def last(self, number: int) -> bool:
        """Whether this is the input's last record and has no separator."""

    def stopped(self) -> Stopped | None:
        """Where reading stopped, if it did before the input's end."""

    def again(self, sender: str) -> str:
        """How to finish what is unconfirmed, if it can be given again."""


class Words:
    """The one text that was given as arguments."""

    separator = b""
    single = True
    kept = log = ""
    size: int | None = None

    def __init__(self, words: str) -> None:
        self._words = words

    async def feed(self, sending: "Sending", room: str, rejects: Rejects | None) -> None:
        """See Source."""
        record = os.fsencode(self._words)  # what is not UTF-8 came with surrogates
        piece = as_text(record, sending.limits.text_bytes)
        if rejects and not isinstance(piece, list):
            rejects.spool(record)
        _put(sending, room, [piece], rejects)

    def unread(self) -> list[tuple[int, list[str]]]:
        """See Source."""
        return [(1, [self._words])] if _is_utf8(self._words) else []

    def last(self, number: int) -> bool:
        """See Source."""
        return True

    def stopped(self) -> Stopped | None:
        """See Source."""
        return None

    def again(self, sender: str) -> str:
        """See Source."""
        return f"send it again with --sender {shlex.quote(sender)}"


class Stdin:
    """Standard input, cut at a separator; None: all of it is one record."""

    single = False
    kept = log = ""

    def __init__(self, separator: bytes | None, typed: bool) -> None:
        """`typed`: a person types it."""
        self.size = _size()
        self._cut_at = separator
        self.separator = separator or b""
        self._typed = typed
        self._cutter: Cutter | None = None
        self._ended = False
        self._records = 0

    async def feed(self, sending: "Sending", room: str, rejects: Rejects | None) -> None:
        """See Source."""
        keep = rejects.spool if rejects else lambda _: None
        self._cutter = cutter = Cutter(self._cut_at, sending.limits.text_bytes, keep)
        try:
            async for chunk in chunks(STDIN):
                self._records += _put(sending, room, cutter.feed(chunk), rejects)
                await sending.drain()
        except asyncio.CancelledError:
            # What was taken out of a pipe nobody else can read: finish the record that it ends with, if that is at hand.
            while self.separator and 0 < cutter.unfinished <= sending.limits.text_bytes and (rest := waiting_byte(STDIN)):
                self._records += _put(sending, room, cutter.feed(rest), rejects)
            raise
        self._records += _put(sending, room, cutter.end(), rejects)
        self._ended = True

    def unread(self) -> list[tuple[int, list[str]]]:
        """See Source."""
        return []

    def last(self, number: int) -> bool:
        """See Source."""
        return self._ended and number == self._records and self._cutter is not None and self._cutter.unterminated

    def stopped(self) -> Stopped | None:
        """See Source."""
        if self._ended or self._typed:
            return None
        cutter = self._cutter
        return Stopped(self._records, cutter.position, cutter.unfinished) if cutter else Stopped(0, 0, 0)

    def again(self, sender: str) -> str:
        """See Source."""
        return f"send the same input again with --sender {shlex.quote(sender)}"


class Kept:
    """Leftovers of an earlier run, all of them at once: a run leaves no more than a window."""

    separator = b"\n"
    single = False
    size: int | None = None

    def __init__(self, path: str, leftovers: Leftovers) -> None:
        self.kept = os.path.realpath(path)
        self.log = leftovers.log
        self._leftovers = leftovers

    async def feed(self, sending: "Sending", room: str, rejects: Rejects | None) -> None:
        """See Source."""
        for number, texts in self._leftovers.runs:
            sending.put(room, texts, number)

    def unread(self) -> list[tuple[int, list[str]]]:
        """See Source."""
        return self._leftovers.runs

    def last(self, number: int) -> bool:
        """See Source."""
        return False

    def stopped(self) -> Stopped | None:
        """See Source."""
        return None

    def again(self, sender: str) -> str:
        """See Source."""
        return ""


def _size() -> int | None:
    """The bytes of stdin that are still to be read, if it is a file."""
    try:
        status = os.fstat(STDIN)
        return status.st_size - os.lseek(STDIN, 0, os.SEEK_CUR) if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None


def _put(sending: "Sending", room: str, pieces: Iterable[Piece], rejects: Rejects | None) -> int:
    """Put what was cut; how many records it is."""
    records = 0
    for piece in pieces:
        if isinstance(piece, list):
            sending.put(room, piece)
            records += len(piece)
        else:
            sending.reject(room, piece.error)
            records += 1
            if rejects:
                rejects.ended(piece.size)
    return records


def _is_utf8(words: str) -> bool:
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True
