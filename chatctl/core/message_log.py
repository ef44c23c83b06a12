"""What is stored, and the seam to the stores that keep it.

Times are whole microseconds since 1970 in UTC, sizes are bytes of UTF-8.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from chatctl.errors import StoreFailed
from chatctl.model.messages import LookupResult, Page, Run
from chatctl.model.records import Receipt, RecordBatch
from chatctl.model.stats import LogStats


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
