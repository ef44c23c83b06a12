"""Where the records of a `send` come from: the arguments, stdin, or a file of leftovers."""

import asyncio
import os
import shlex
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from chatctl.cli.files import RejectsFile
from chatctl.cli.leftovers import UnconfirmedRecords
from chatctl.cli.records import RecordSplitter, SplitResult, decode_record, read_chunks, read_ready_byte

if TYPE_CHECKING:
    from chatctl.client import SendStream

STDIN = 0


class StopPosition(NamedTuple):
    """Where reading stopped: how many whole records, their bytes, and the bytes read of the record after them."""

    record: int
    byte: int
    unfinished: int


class RecordInput(Protocol):
    """Puts records into a SendStream, all that was read before anything is waited for: no record is forgotten."""

    separator: bytes
    """What stands after each record in the input."""
    is_single_text: bool
    """The only record is a text, and not one of an input."""
    unconfirmed_path: str
    """The file of leftovers, if it is one."""
    log: str
    """The log its records may be stored in already; empty if there is none."""
    total_bytes: int | None
    """Its bytes, if that is known before they are read."""

    async def feed(self, stream: "SendStream", room: str, rejects: RejectsFile | None) -> None:
        """Put all records, as fast as they go out."""

    def unread_records(self) -> list[tuple[int, list[str]]]:
        """Records that are known before there is a server to send them to: texts and the number of their first."""

    def is_unterminated(self, number: int) -> bool:
        """Whether this is the input's last record and has no separator."""

    def stop_position(self) -> StopPosition | None:
        """Where reading stopped, if it did before the input's end."""

    def retry_hint(self, input_id: str) -> str:
        """How to finish what is unconfirmed, if it can be given again."""


class TextInput:
    """The one text that was given as arguments."""

    separator = b""
    is_single_text = True
    unconfirmed_path = log = ""
    total_bytes: int | None = None

    def __init__(self, text: str) -> None:
        self._text = text

    async def feed(self, stream: "SendStream", room: str, rejects: RejectsFile | None) -> None:
        """See RecordInput."""
        record = os.fsencode(self._text)  # what is not UTF-8 came with surrogates
        result = decode_record(record, stream.limits.text_bytes)
        if rejects and not isinstance(result, list):
            rejects.spool(record)
        put_results(stream, room, [result], rejects)

    def unread_records(self) -> list[tuple[int, list[str]]]:
        """See RecordInput."""
        return [(1, [self._text])] if _is_utf8(self._text) else []

    def is_unterminated(self, number: int) -> bool:
        """See RecordInput."""
        return True

    def stop_position(self) -> StopPosition | None:
        """See RecordInput."""
        return None

    def retry_hint(self, input_id: str) -> str:
        """See RecordInput."""
        return f"send it again with --sender {shlex.quote(input_id)}"


class StdinInput:
    """Standard input, cut at a separator; None: all of it is one record."""

    is_single_text = False
    unconfirmed_path = log = ""

    def __init__(self, separator: bytes | None, interactive: bool) -> None:
        """`interactive`: a person types it."""
        self.total_bytes = _stdin_size()
        self._split_at = separator
        self.separator = separator or b""
        self._interactive = interactive
        self._splitter: RecordSplitter | None = None
        self._at_end = False
        self._record_count = 0

    async def feed(self, stream: "SendStream", room: str, rejects: RejectsFile | None) -> None:
        """See RecordInput."""
        on_rejected_bytes = rejects.spool if rejects else lambda _: None
        self._splitter = splitter = RecordSplitter(self._split_at, stream.limits.text_bytes, on_rejected_bytes)
        try:
            async for chunk in read_chunks(STDIN):
                self._record_count += put_results(stream, room, splitter.feed(chunk), rejects)
                await stream.drain()
        except asyncio.CancelledError:
            # What was taken out of a pipe nobody else can read: finish the record that it ends with, if that is at hand.
            while (
                self.separator
                and 0 < splitter.partial_bytes <= stream.limits.text_bytes
                and (byte := read_ready_byte(STDIN))
            ):
                self._record_count += put_results(stream, room, splitter.feed(byte), rejects)
            raise
        self._record_count += put_results(stream, room, splitter.finish(), rejects)
        self._at_end = True

    def unread_records(self) -> list[tuple[int, list[str]]]:
        """See RecordInput."""
        return []

    def is_unterminated(self, number: int) -> bool:
        """See RecordInput."""
        return self._at_end and number == self._record_count and self._splitter is not None and self._splitter.unterminated

    def stop_position(self) -> StopPosition | None:
        """See RecordInput."""
        if self._at_end or self._interactive:
            return None
        splitter = self._splitter
        return (
            StopPosition(self._record_count, splitter.position, splitter.partial_bytes)
            if splitter
            else StopPosition(0, 0, 0)
        )

    def retry_hint(self, input_id: str) -> str:
        """See RecordInput."""
        return f"send the same input again with --sender {shlex.quote(input_id)}"


class ResumeInput:
    """Leftovers of an earlier run, all of them at once: a run leaves no more than a window."""

    separator = b"\n"
    is_single_text = False
    total_bytes: int | None = None

    def __init__(self, path: str, unconfirmed: UnconfirmedRecords) -> None:
        self.unconfirmed_path = os.path.realpath(path)
        self.log = unconfirmed.log
        self._unconfirmed = unconfirmed

    async def feed(self, stream: "SendStream", room: str, rejects: RejectsFile | None) -> None:
        """See RecordInput."""
        for number, texts in self._unconfirmed.runs:
            stream.put(room, texts, number)

    def unread_records(self) -> list[tuple[int, list[str]]]:
        """See RecordInput."""
        return self._unconfirmed.runs

    def is_unterminated(self, number: int) -> bool:
        """See RecordInput."""
        return False

    def stop_position(self) -> StopPosition | None:
        """See RecordInput."""
        return None

    def retry_hint(self, input_id: str) -> str:
        """See RecordInput."""
        return ""


def _stdin_size() -> int | None:
    """The bytes of stdin that are still to be read, if it is a file."""
    try:
        status = os.fstat(STDIN)
        return status.st_size - os.lseek(STDIN, 0, os.SEEK_CUR) if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None


def put_results(stream: "SendStream", room: str, results: Iterable[SplitResult], rejects: RejectsFile | None) -> int:
    """Put what was cut; how many records it is."""
    records = 0
    for result in results:
        if isinstance(result, list):
            stream.put(room, result)
            records += len(result)
        else:
            stream.reject(room, result.error)
            records += 1
            if rejects:
                rejects.end_record(result.size)
    return records


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
