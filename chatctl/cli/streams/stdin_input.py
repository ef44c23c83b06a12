"""Stdin as an input: its records go into a RecordStream."""

import asyncio
import shlex
from collections.abc import Iterable, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, NamedTuple, Protocol

from chatctl.cli.streams.descriptors import Input
from chatctl.cli.streams.rejects import RejectsFile
from chatctl.cli.streams.splitter import RecordSplitter, RejectedRecord, ReplacedRecords, SplitResult
from chatctl.cli.streams.stdin import STDIN, read_ready_byte, read_stdin, unread_size
from chatctl.model.limits import Limits

if TYPE_CHECKING:
    from chatctl.client import RecordStream


class RecordSink(Protocol):
    """Takes records: a RecordStream, or what keeps records that are not sent."""

    @property
    def limits(self) -> Limits:
        """The limits of a record."""

    def put(self, room: str, texts: Sequence[str], number: int = 0) -> None:
        """Take texts, numbered from `number`, or on from the last one."""

    def reject(self, room: str, error: str) -> None:
        """Count a record that is not a text."""

    async def drain(self) -> None:
        """Wait until there is space for more."""


class StopPosition(NamedTuple):
    """The place where reading stopped: the number of whole records, their bytes, and the bytes read of the next record."""

    record: int
    byte: int
    unfinished: int


class StdinInput:
    """Stdin, split into records at a separator. Without a separator, all of it is one record."""

    is_single_text = False
    unconfirmed_path = log = ""

    def __init__(self, separator: bytes | None, interactive: bool, replace_invalid: bool = False) -> None:
        """`interactive`: a person types the records. `replace_invalid`: bytes that are not UTF-8 become U+FFFD."""
        self._replace_invalid = replace_invalid
        self.num_replaced = 0
        self.total_bytes = unread_size()
        self._split_at = separator
        self.separator = separator or b""
        self._interactive = interactive
        self._splitter: RecordSplitter | None = None
        self._at_end = False
        self._record_count = 0

    async def feed(self, stream: "RecordStream", room: str, rejects: RejectsFile | None) -> None:
        self._splitter = splitter = self._make_splitter(stream, rejects)
        try:
            async for chunk in read_stdin():
                self._put(stream, room, splitter.feed(chunk), rejects)
                await stream.drain()
        except asyncio.CancelledError:
            # No other process can read what was taken out of a pipe: finish its last record if the rest is ready.
            with closing(Input(STDIN)) as stdin:
                while (
                    self.separator
                    and 0 < splitter.partial_bytes <= stream.limits.text_bytes
                    and (byte := read_ready_byte(stdin))
                ):
                    self._put(stream, room, splitter.feed(byte), rejects)
            raise
        self._put(stream, room, splitter.finish(), rejects)
        self._at_end = True

    async def feed_rest(self, sink: RecordSink, room: str, rejects: RejectsFile | None, seconds: float) -> None:
        """Put the rest of the input, for as long as it can be read. Raises TimeoutError after some seconds without any."""
        if self._at_end or self._interactive:
            return
        self._splitter = splitter = self._splitter or self._make_splitter(sink, rejects)
        async with aclosing(read_stdin()) as chunks:
            while True:
                async with asyncio.timeout(seconds):
                    if (chunk := await anext(chunks, None)) is None:
                        break
                self._put(sink, room, splitter.feed(chunk), rejects)
                await sink.drain()
        self._put(sink, room, splitter.finish(), rejects)
        self._at_end = True

    def _make_splitter(self, sink: RecordSink, rejects: RejectsFile | None) -> RecordSplitter:
        on_rejected_bytes = rejects.spool if rejects else lambda _: None
        return RecordSplitter(self._split_at, sink.limits.text_bytes, on_rejected_bytes, self._replace_invalid)

    def _put(self, stream: RecordSink, room: str, results: Iterable[SplitResult], rejects: RejectsFile | None) -> None:
        records, replaced = put_results(stream, room, results, rejects, self._record_count + 1)
        self._record_count += records
        self.num_replaced += replaced

    def is_unterminated(self, number: int) -> bool:
        return self._at_end and number == self._record_count and self._splitter is not None and self._splitter.unterminated

    def stop_position(self) -> StopPosition | None:
        if self._at_end or self._interactive:
            return None
        splitter = self._splitter
        return (
            StopPosition(self._record_count, splitter.position, splitter.partial_bytes)
            if splitter
            else StopPosition(0, 0, 0)
        )

    def retry_hint(self, input_id: str) -> str:
        if self.total_bytes is None:  # a pipe, a socket or a terminal
            return ""
        invalid = " --invalid replace" if self._replace_invalid else ""
        return f"send the same input again with --input-id {shlex.quote(input_id)}{invalid}"


def put_results(
    stream: RecordSink, room: str, results: Iterable[SplitResult], rejects: RejectsFile | None, number: int = 1
) -> tuple[int, int]:
    """Put records into the stream, the first of which has this number. Returns how many they are, and how many replaced."""
    first, replaced = number, 0
    for result in results:
        if isinstance(result, RejectedRecord):
            stream.reject(room, result.error)
            number += 1
            if rejects:
                rejects.end_record(result.size)
            continue
        texts, originals = result if isinstance(result, ReplacedRecords) else (result, {})
        if rejects and originals:
            rejects.keep_originals(number, originals)
        stream.put(room, texts)
        number, replaced = number + len(texts), replaced + len(originals)
    return number - first, replaced


def replaced_text(count: int, noun: str) -> str:
    """Return how many records were changed, because they were not UTF-8."""
    what = f"1 {noun} was" if count == 1 else f"{count:,} {noun}s were"
    return f"{what} not UTF-8: invalid bytes were replaced by U+FFFD"
