"""What is stored, and the seam to the stores that keep it.

Times are whole microseconds since 1970 in UTC, sizes are bytes of UTF-8.
"""

import asyncio
import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from chatctl.errors import StoreFailed


class ReceiptStatus(enum.IntEnum):
    """What became of a record; the numbers are those of the contract's ReceiptStatus."""

    UNCONFIRMED = 0  # said by clients only: the stream ended before the receipt came
    STORED = 1
    DUPLICATE = 2
    REJECTED = 3


class RejectReason(enum.IntEnum):
    """Why a record was rejected; the numbers are those of the contract's RejectReason."""

    NONE = 0
    TEXT_TOO_LONG = 1
    BAD_ROOM = 2
    BAD_USER = 3
    BAD_INPUT_ID = 4
    BAD_NUMBER = 5
    CONFLICT = 6


class RecordBatch(NamedTuple):
    """Consecutive records of one sender for one room: texts[i] is the record `number` + i. `size` is that of all texts."""

    user: str
    input_id: str
    room: str
    number: int
    texts: Sequence[str]
    size: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of `count` consecutive records, the first of them `number`.

    Stored or duplicate: the messages are `sequence` and the following, created at `time`. Rejected: `reason` and `error`.
    """

    number: int
    count: int
    status: ReceiptStatus
    sequence: int = 0
    time: int = 0
    reason: RejectReason = RejectReason.NONE
    error: str = ""


class Run(NamedTuple):
    """Consecutive messages of one room and user, stored at one time: texts[i] has `sequence` + i."""

    sequence: int
    room: str
    user: str
    time: int
    texts: list[str]


class Page(NamedTuple):
    """Some messages in log order, and the sequence up to which (inclusive) everything that matches is in them."""

    runs: list[Run]
    position: int


class Message(NamedTuple):
    """One message by itself."""

    sequence: int
    room: str
    user: str
    text: str


class LookupResult(NamedTuple):
    """Messages by sequence, and the sequence up to which (inclusive) all that were asked for are in them."""

    messages: dict[int, Message]
    position: int


class NameStats(NamedTuple):
    """What one room or user amounts to; `last_time` is when their newest message was stored."""

    name: str
    num_messages: int
    last_time: int


@dataclass(frozen=True, slots=True)
class LogStats:
    """What the log amounts to. `rooms` and `users` are those with most messages, most first."""

    num_messages: int
    num_rooms: int
    num_users: int
    stored_bytes: int
    rooms: list[NameStats]
    users: list[NameStats]


class MessageLog(Protocol):
    """The seam to the stores: an append-only log in one order. All calls are from one event loop."""

    id: str
    """Names this log for ever; a log made anew has another one."""
    kind: str
    """The kind of store, as in `--store KIND:...`."""
    failure: "asyncio.Future[StoreFailed]"
    """Done when the store has failed for good: nothing is tried on it again."""

    @property
    def head(self) -> int:
        """The sequence of the newest message that may be read; 0 in an empty log."""

    def append(self, batch: RecordBatch) -> "asyncio.Future[list[Receipt]]":
        """Store the records; the receipts, together one for each record and in order, come when all is synced to disk.

        Drafts of one user and sender are stored in the order of the calls. Raises (through the future) StoreFull and
        StoreFailed: then nothing of the draft is stored. Cancelling the future does not stop the draft from being stored.
        """

    async def read(
        self, rooms: Sequence[str], users: Sequence[str], after: int, end: int, count: int, backwards: bool = False
    ) -> Page:
        """The first `count` messages (backwards: the last) with after < sequence <= end in these rooms by these users.

        May give fewer, so that a page stays small; the page's position (backwards: of its beginning, exclusive) says how far
        the log was looked through.
        """

    async def lookup(self, sequences: Sequence[int]) -> LookupResult:
        """The messages with these sequences (some hundred at most, rising), however far apart they lie.

        May give fewer, so that what is held stays small: the position says how far the sequences were looked through.
        """

    async def sequence_at(self, time: int) -> int:
        """The sequence of the first message created at `time` or later; head + 1 if there is none."""

    def subscribe(self, rooms: Sequence[str], on_commit: Callable[[Sequence[Run], int], None]) -> Callable[[], None]:
        """Call `on_commit` with the new messages in these rooms (empty: any) whenever the head has been raised by some.

        With them comes how many bytes of text they are at most. It is called in the event loop, in log order, and must be
        quick. What comes back ends this; call it once.
        """

    async def stats(self, top: int, rooms: Sequence[str]) -> LogStats:
        """Figures of the log, in time that does not grow with the messages."""

    async def close(self) -> None:
        """Commit what was appended, then close the store. Only after the last `append` and `read`."""
