"""The core: the rules of a chat, apart from how it is stored and how it travels. Opens nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from chatctl.core.activity import ActivityMeter
from chatctl.core.feeds import FeedRegistry
from chatctl.core.message_log import MessageLog
from chatctl.core.presence import Presence
from chatctl.errors import CursorBeyondHead, CursorMalformed, CursorOtherLog, InvalidRequest
from chatctl.model.limits import DEFAULT_TOP, MAX_FILTERS, MAX_NUMBER, MAX_TOP, Limits, name_error
from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch, RejectReason
from chatctl.model.stats import LogStats


@dataclass(frozen=True, slots=True)
class Chat:
    """A log and the rules that hold for it."""

    log: MessageLog
    limits: Limits
    feeds: FeedRegistry = field(init=False)
    """For those who follow the log."""
    meter: ActivityMeter = field(init=False, default_factory=ActivityMeter)
    """Counts what is stored."""
    presence: Presence = field(init=False, default_factory=Presence)
    """Who is in which room."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "feeds", FeedRegistry(self.log, self.limits.batch_messages))

    def submit(self, batch: RecordBatch) -> "list[Receipt | asyncio.Future[list[Receipt]]]":
        """Store the records that break no rule; what comes back is, in order, receipts or futures of receipts."""
        reason, error = self._batch_error(batch)
        if error:
            return [Receipt(batch.number, len(batch.texts), ReceiptStatus.REJECTED, reason=reason, error=error)]
        if batch.size <= self.limits.text_bytes:  # then no text in it can be too long
            return [self._append(batch)]
        return [part if isinstance(part, Receipt) else self._append(part) for part in self._split_rejected(batch)]

    def _append(self, batch: RecordBatch) -> "asyncio.Future[list[Receipt]]":
        receipts = self.log.append(batch)
        self.meter.track(batch.room, receipts)
        return receipts

    def _batch_error(self, batch: RecordBatch) -> tuple[RejectReason, str]:
        """What is wrong with all records of the draft, if anything."""
        limit = self.limits.name_bytes
        if error := name_error("room", batch.room, limit):
            return RejectReason.BAD_ROOM, error
        if error := name_error("user", batch.user, limit):
            return RejectReason.BAD_USER, error
        if error := name_error("input id", batch.input_id, limit):
            return RejectReason.BAD_INPUT_ID, error
        if not 1 <= batch.number <= MAX_NUMBER + 1 - len(batch.texts):
            return RejectReason.BAD_NUMBER, f"the number {batch.number} is not between 1 and 2^53 - 1"
        return RejectReason.NONE, ""

    def _split_rejected(self, batch: RecordBatch) -> list[Receipt | RecordBatch]:
        """The draft without its texts that are too long, and rejections in their place, in order."""
        limit = self.limits.text_bytes
        sizes = [len(text) if text.isascii() else len(text.encode()) for text in batch.texts]
        parts: list[Receipt | RecordBatch] = []
        start = 0
        for end in [i for i, size in enumerate(sizes) if size > limit] + [len(sizes)]:
            if start < end:
                texts, size = batch.texts[start:end], sum(sizes[start:end])
                parts.append(batch._replace(number=batch.number + start, texts=texts, size=size))
            if end < len(sizes):
                error = f"the text has {sizes[end]} bytes, the limit is {limit}: split it, or raise `serve --text-bytes`"
                parts.append(
                    Receipt(batch.number + end, 1, ReceiptStatus.REJECTED, reason=RejectReason.TEXT_TOO_LONG, error=error)
                )
            start = end + 1
        return parts

    @property
    def cursor_prefix(self) -> str:
        """The cursor of a message is this and its sequence in decimal."""
        return f"{self.log.id}:"

    def parse_cursor(self, cursor: str) -> int:
        """The sequence a cursor stands at.

        Raises CursorMalformed, CursorOtherLog or CursorBeyondHead.
        """
        log, _, digits = cursor.partition(":")
        if not (log and digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise CursorMalformed(f"{cursor[:80]!r} is no cursor: take one from `chatctl history --json`, unchanged")
        if log != self.log.id:
            raise CursorOtherLog(
                f"the cursor {cursor[:80]!r} is of another log (this one is {self.log.id}): "
                "name the server it came from, or read from the start"
            )
        if int(digits) > self.log.head:
            raise CursorBeyondHead(
                f"the cursor {cursor[:80]!r} is beyond the head of this log, {self.log.id}:{self.log.head}: "
                "the store has lost its end or was restored from a copy"
            )
        return int(digits)

    async def stats(self, top: int, rooms: Sequence[str]) -> LogStats:
        """Figures of the log; `top` 0 means 100. Raises InvalidRequest."""
        if not 0 <= top <= MAX_TOP:
            raise InvalidRequest(f"top is {top}: it must be between 1 and {MAX_TOP}, or 0 for 100")
        self.validate_names("room", rooms)
        return await self.log.stats(top or DEFAULT_TOP, rooms)

    def validate_names(self, what: str, names: Sequence[str]) -> None:
        """Raise InvalidRequest unless these can be names, and are not too many to ask for at once."""
        if len(names) > MAX_FILTERS:
            raise InvalidRequest(f"{len(names)} {what}s are asked for at once: ask for at most {MAX_FILTERS}")
        for name in names:
            if error := name_error(what, name, self.limits.name_bytes):
                raise InvalidRequest(error)
