"""The core: the rules of a chat, apart from how it is stored and how it travels. Opens nothing."""

import asyncio
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from chatctl.activity import Meter
from chatctl.errors import CursorBeyondHead, CursorMalformed, CursorOtherLog, InvalidRequest
from chatctl.feeds import Feeds
from chatctl.log import Draft, MessageLog, Reason, Receipt, Stats, Status
from chatctl.presence import Presence

MAX_NUMBER = 2**53 - 1  # what a JSON reader that keeps numbers as doubles still tells apart
MAX_FILTERS = 100
DEFAULT_TOP, MAX_TOP = 100, 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server accepts. The defaults keep every frame below the 4 MiB that any gRPC client accepts."""

    text_bytes: int = 64 * 1024
    name_bytes: int = 128
    batch_messages: int = 1000
    batch_bytes: int = 1024 * 1024
    streams: int = 10_000


def utf8_size(texts: Sequence[str]) -> int:
    """Bytes of UTF-8 of all the texts."""
    joined = "".join(texts)
    return len(joined) if joined.isascii() else len(joined.encode())


def name_fault(what: str, name: str, limit: int) -> str:
    """Why `name` cannot be the name of a room, user or sender; empty if it can."""
    if not name:
        return f"the {what} is empty: give it a name"
    if len(name) * 4 > limit and len(name.encode("utf-8", "surrogatepass")) > limit:
        return f"the {what} is longer than {limit} bytes of UTF-8: {name[:20]!r}…"
    if not name.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        return f"the {what} has control characters or is not UTF-8: {name[:40]!r}"
    return ""


@dataclass(frozen=True, slots=True)
class Chat:
    """A log and the rules that hold for it."""

    log: MessageLog
    limits: Limits
    feeds: Feeds = field(init=False)
    """For those who follow the log."""
    meter: Meter = field(init=False, default_factory=Meter)
    """Counts what is stored."""
    presence: Presence = field(init=False, default_factory=Presence)
    """Who is in which room."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "feeds", Feeds(self.log, self.limits.batch_messages))

    def post(self, draft: Draft) -> "list[Receipt | asyncio.Future[list[Receipt]]]":
        """Store the records that break no rule; what comes back is, in order, receipts or futures of receipts."""
        reason, fault = self._fault(draft)
        if fault:
            return [Receipt(draft.number, len(draft.texts), Status.REJECTED, reason=reason, error=fault)]
        if draft.size <= self.limits.text_bytes:  # then no text in it can be too long
            return [self._append(draft)]
        return [part if isinstance(part, Receipt) else self._append(part) for part in self._split(draft)]

    def _append(self, draft: Draft) -> "asyncio.Future[list[Receipt]]":
        receipts = self.log.append(draft)
        self.meter.watch(draft.room, receipts)
        return receipts

    def _fault(self, draft: Draft) -> tuple[Reason, str]:
        """What is wrong with all records of the draft, if anything."""
        limit = self.limits.name_bytes
        if fault := name_fault("room", draft.room, limit):
            return Reason.BAD_ROOM, fault
        if fault := name_fault("user", draft.user, limit):
            return Reason.BAD_USER, fault
        if fault := name_fault("sender", draft.sender, limit):
            return Reason.BAD_SENDER, fault
        if not 1 <= draft.number <= MAX_NUMBER + 1 - len(draft.texts):
            return Reason.BAD_NUMBER, f"the number {draft.number} is not between 1 and 2^53 - 1"
        return Reason.NONE, ""

    def _split(self, draft: Draft) -> list[Receipt | Draft]:
        """The draft without its texts that are too long, and rejections in their place, in order."""
        limit = self.limits.text_bytes
        sizes = [len(text) if text.isascii() else len(text.encode()) for text in draft.texts]
        parts: list[Receipt | Draft] = []
        start = 0
        for end in [i for i, size in enumerate(sizes) if size > limit] + [len(sizes)]:
            if start < end:
                texts, size = draft.texts[start:end], sum(sizes[start:end])
                parts.append(draft._replace(number=draft.number + start, texts=texts, size=size))
            if end < len(sizes):
                error = f"the text has {sizes[end]} bytes, the limit is {limit}: split it, or raise `serve --text-bytes`"
                parts.append(Receipt(draft.number + end, 1, Status.REJECTED, reason=Reason.TEXT_TOO_LONG, error=error))
            start = end + 1
        return parts

    @property
    def cursor_prefix(self) -> str:
        """The cursor of a message is this and its sequence in decimal."""
        return f"{self.log.id}:"

    def position(self, cursor: str) -> int:
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

    async def stats(self, top: int, rooms: Sequence[str]) -> Stats:
        """Figures of the log; `top` 0 means 100. Raises InvalidRequest."""
        if not 0 <= top <= MAX_TOP:
            raise InvalidRequest(f"top is {top}: it must be between 1 and {MAX_TOP}, or 0 for 100")
        self.check_names("room", rooms)
        return await self.log.stats(top or DEFAULT_TOP, rooms)

    def check_names(self, what: str, names: Sequence[str]) -> None:
        """Raise InvalidRequest unless these can be names, and are not too many to ask for at once."""
        if len(names) > MAX_FILTERS:
            raise InvalidRequest(f"{len(names)} {what}s are asked for at once: ask for at most {MAX_FILTERS}")
        for name in names:
            if fault := name_fault(what, name, self.limits.name_bytes):
                raise InvalidRequest(fault)
