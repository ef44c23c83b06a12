"""Chat: a log and the rules for its users, independent of storage and transport."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from chatctl.core.activity import ActivityMeter
from chatctl.core.feeds import FeedRegistry
from chatctl.core.message_log import MessageLog
from chatctl.core.presence import Presence
from chatctl.errors import CursorBeyondHead, CursorOtherLog, InvalidRequest
from chatctl.model import cursor
from chatctl.model.limits import DEFAULT_TOP, MAX_FILTERS, MAX_NUMBER, MAX_TOP, Limits, name_error, text_size_error
from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch, RejectReason
from chatctl.model.stats import LogStats


@dataclass(frozen=True, slots=True)
class Chat:
    """A log, its rules and what followers share. Belongs to the log's event loop."""

    log: MessageLog
    limits: Limits
    feeds: FeedRegistry = field(init=False)
    """The feeds of the followers."""
    meter: ActivityMeter = field(init=False, default_factory=ActivityMeter)
    """Counts stored messages."""
    presence: Presence = field(init=False, default_factory=Presence)
    """The users in each room."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "feeds", FeedRegistry(self.log, self.limits.batch_messages))

    def submit(self, batch: RecordBatch) -> "list[Receipt | asyncio.Future[list[Receipt]]]":
        """Store the valid records. Returns receipts of rejected records and futures for the others, in order."""
        reason, error = self._batch_error(batch)
        if error:
            return [Receipt(batch.number, len(batch.texts), ReceiptStatus.REJECTED, reason=reason, error=error)]
        if batch.size <= self.limits.text_bytes:  # then each of its texts is short enough
            return [self._append(batch)]
        return [part if isinstance(part, Receipt) else self._append(part) for part in self._split_rejected(batch)]

    def _append(self, batch: RecordBatch) -> "asyncio.Future[list[Receipt]]":
        receipts = self.log.append(batch)
        self.meter.track(batch.room, receipts)
        return receipts

    def _batch_error(self, batch: RecordBatch) -> tuple[RejectReason, str]:
        """Return why all records of the batch are invalid, or NONE and an empty string."""
        limit = self.limits.name_bytes
        if error := name_error("room", batch.room, limit):
            return RejectReason.BAD_ROOM, error
        if error := name_error("user", batch.user, limit):
            return RejectReason.BAD_USER, error
        if error := name_error("input id", batch.input_id, limit):
            return RejectReason.BAD_INPUT_ID, error
        if not 1 <= batch.number <= MAX_NUMBER + 1 - len(batch.texts):
            return RejectReason.BAD_NUMBER, f"invalid number {batch.number}: it must be from 1 to 2^53 - 1"
        return RejectReason.NONE, ""

    def _split_rejected(self, batch: RecordBatch) -> list[Receipt | RecordBatch]:
        """Split the batch at texts that are too long, and return their rejections in between."""
        limit = self.limits.text_bytes
        sizes = [len(text) if text.isascii() else len(text.encode()) for text in batch.texts]
        parts: list[Receipt | RecordBatch] = []
        start = 0
        for end in [i for i, size in enumerate(sizes) if size > limit] + [len(sizes)]:
            if start < end:
                texts, size = batch.texts[start:end], sum(sizes[start:end])
                parts.append(batch._replace(number=batch.number + start, texts=texts, size=size))
            if end < len(sizes):
                error = text_size_error(sizes[end], limit)
                parts.append(
                    Receipt(batch.number + end, 1, ReceiptStatus.REJECTED, reason=RejectReason.TEXT_TOO_LONG, error=error)
                )
            start = end + 1
        return parts

    @property
    def cursor_prefix(self) -> str:
        """The prefix of the log's cursors."""
        return cursor.cursor_prefix(self.log.id)

    def cursor(self, sequence: int) -> str:
        """Return the cursor right after the message with this sequence."""
        return cursor.cursor_text(self.cursor_prefix, sequence)

    def parse_cursor(self, text: str) -> int:
        """Return the sequence of a cursor of this log. Raises CursorMalformed, CursorOtherLog or CursorBeyondHead."""
        log, sequence = cursor.parse_cursor(text)
        shown = text[: cursor.SHOWN_CHARACTERS]
        if log != self.log.id:
            raise CursorOtherLog(
                f"cursor {shown!r} is from another log than {self.log.id}",
                "use the server it came from, or read from the start",
            )
        if sequence > self.log.head:
            raise CursorBeyondHead(
                f"cursor {shown!r} is past the end of the log, {self.cursor(self.log.head)}",
                "the store has lost its end or was restored from a copy",
            )
        return sequence

    async def stats(self, top: int, rooms: Sequence[str]) -> LogStats:
        """Return statistics of the log; `top` 0 means 100. Raises InvalidRequest."""
        if not 0 <= top <= MAX_TOP:
            raise InvalidRequest(f"invalid top {top}", f"use a number from 1 to {MAX_TOP}, or 0 for {DEFAULT_TOP}")
        self.validate_names("room", rooms)
        return await self.log.stats(top or DEFAULT_TOP, rooms)

    def validate_names(self, what: str, names: Sequence[str]) -> None:
        """Raise InvalidRequest if there are too many names, or one is invalid."""
        if len(names) > MAX_FILTERS:
            raise InvalidRequest(f"too many {what}s in one request: {len(names)}", f"use at most {MAX_FILTERS}")
        for name in names:
            if error := name_error(what, name, self.limits.name_bytes):
                raise InvalidRequest(error)
