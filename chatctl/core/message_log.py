"""MessageLog: the seam to the stores.

Times are whole microseconds since 1970 in UTC, sizes are bytes of UTF-8.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from chatctl.errors import StoreFailed
from chatctl.model.messages import LookupResult, Page, Run, Selection
from chatctl.model.records import Receipt, RecordBatch
from chatctl.model.stats import LogStats


class MessageLog(Protocol):
    """A durable log in one order. All calls are from one event loop."""

    id: str
    """Identifies this log. A new log has another id, also in the same place."""
    kind: str
    """The kind of store, as in `--store KIND:...`."""
    failure: "asyncio.Future[StoreFailed]"
    """Done when the store has failed permanently; nothing is retried on it."""

    @property
    def first(self) -> int:
        """The sequence of the oldest message that is kept; head + 1 if there is none, so 1 in a new log."""

    @property
    def head(self) -> int:
        """The sequence of the newest message that may be read; 0 in a new log."""

    @property
    def clock_lag(self) -> int:
        """How many microseconds the clock is behind the newest message, if it is more than 1 s; else 0.

        New messages then get the time of the newest one.
        """

    def append(self, batch: RecordBatch) -> "asyncio.Future[list[Receipt]]":
        """Store the records. The receipts, in order and one for each record, arrive when everything is synced to disk.

        Batches of one user and input are stored in the order of the calls. The future raises StoreFull or StoreFailed: then
        nothing of the batch is stored. Cancelling the future does not stop the batch from being stored.
        """

    async def read(self, selection: Selection, after: int, end: int, count: int, backwards: bool = False) -> Page:
        """Return the first `count` selected messages (backwards: the last ones) with after < sequence <= end.

        May return fewer, so that a page stays small. The page's position says how far the log was searched; backwards, it is
        the sequence before the searched part. Runs have numbers if the selection has an input id.
        """

    async def lookup(self, sequences: Sequence[int]) -> LookupResult:
        """Return the messages with these sequences (a few hundred, ascending), however far apart.

        May return fewer, so that the result stays small: its position says how far the sequences were looked up.
        """

    async def sequence_at(self, time: int) -> int:
        """Return the sequence of the first message stored at `time` or later; head + 1 if there is none."""

    def subscribe(
        self, rooms: Sequence[str], on_commit: Callable[[Sequence[Run], int], None], input_id: str = ""
    ) -> Callable[[], None]:
        """Call `on_commit` whenever messages in these rooms (empty: all) and of this input (empty: any) raised the head.

        Its arguments are the new messages, and an upper bound for the size of their texts. The runs have numbers if there is
        an input id. It is called in the event loop, in log order, and must be quick. The function returned ends the
        subscription; call it once.
        """

    async def stats(self, top: int, rooms: Sequence[str]) -> LogStats:
        """Return statistics, in a time that does not grow with the messages.

        The rooms are those with most messages, at most `top`, or the given ones.
        """

    async def close(self) -> None:
        """Commit what was appended, then close the store. Call it after the last `append` and `read`."""
