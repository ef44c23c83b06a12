"""SQLiteLog: the log in one SQLite file, with a writer thread for group commit and reader threads beside it."""

import asyncio
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence

from chatctl.errors import ChatError, StoreFailed, StoreFull, Unavailable
from chatctl.model.messages import LookupResult, Page, Run, Selection
from chatctl.model.records import Receipt, RecordBatch
from chatctl.model.stats import LogStats
from chatctl.store.clock_monitor import ClockMonitor, clock_lag
from chatctl.store.commit_listeners import CommitListeners
from chatctl.store.sqlite import disk_space, queries
from chatctl.store.sqlite.file import StoreFile, keep_open
from chatctl.store.sqlite.group_commit import Committed, GroupCommitter, GroupResult, PendingAppend
from chatctl.store.sqlite.readers import ReaderPool, T
from chatctl.store.sqlite.writer import Writer

logger = logging.getLogger(__name__)


def system_clock() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1000


def random_log_id() -> str:
    """Return an id that no other log has."""
    return secrets.token_hex(6)


class SQLiteLog:
    """A MessageLog in a SQLite file. Belongs to the event loop that opened it."""

    kind = "sqlite"

    def __init__(self, file: StoreFile, clock: Callable[[], int]) -> None:
        """Use `SQLiteLog.open`."""
        self._file = file
        self._clock = clock
        self._connections: list[sqlite3.Connection] = []
        connection = self._connect()
        self._writer = Writer(connection)
        (self.id,) = connection.execute("SELECT id FROM log").fetchone()
        self._head = self._writer.totals.head
        self._clock_monitor = ClockMonitor()
        self._clock_monitor.check(system_clock(), self._writer.totals.last_time)
        self._first = queries.first_sequence(connection)
        self._listeners = CommitListeners()
        self.failure: asyncio.Future[StoreFailed] = asyncio.get_running_loop().create_future()
        self._last_error: ChatError | None = None  # why the last group was not stored
        self._readers = ReaderPool(self._connect)
        self._committer = GroupCommitter(self._commit, self._publish)
        self._committer.start()

    @classmethod
    async def open(
        cls,
        path: str,
        clock: Callable[[], int] = system_clock,
        new_log_id: Callable[[], str] = random_log_id,
        allow_shared: bool = False,
    ) -> "SQLiteLog":
        """Open the file, or create it. Raises StoreOpenError, also if others can write to it, unless `allow_shared`.

        `clock` gives the time of each commit in microseconds since 1970, `new_log_id` the id of a log that is created.
        """
        file = await asyncio.to_thread(StoreFile, path, new_log_id, allow_shared)
        try:
            return cls(file, clock)
        except BaseException:
            file.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = self._file.connect()
        self._connections.append(connection)
        return connection

    @property
    def first(self) -> int:
        return self._first

    @property
    def head(self) -> int:
        return self._head

    @property
    def clock_lag(self) -> int:
        return clock_lag(system_clock(), self._writer.totals.last_time)

    # --- writing

    def append(self, batch: RecordBatch) -> "asyncio.Future[list[Receipt]]":
        if not self.failure.done():
            return self._committer.append(batch)
        receipts: asyncio.Future[list[Receipt]] = asyncio.get_running_loop().create_future()
        receipts.set_exception(self.failure.result())
        return receipts

    def _commit(self, batches: Sequence[RecordBatch]) -> GroupResult:
        """In the writer thread: store a group, or return why nothing of it is stored."""
        try:
            if not self._file.is_same_file():
                return StoreFailed(f"the store {self._file.path} was deleted or replaced while it was open", "put it back")
            now = self._clock()
            self._clock_monitor.check(now, self._writer.totals.last_time)
            return Committed(self._writer.commit(batches, now), self._writer.totals.head)
        except sqlite3.Error as error:
            return self._translate_error(error)
        except ChatError as error:
            return error
        except Exception as error:  # a bug of ours must not leave the clients waiting
            return StoreFailed(f"storing failed: {error!r}")

    def _translate_error(self, error: sqlite3.Error) -> ChatError:
        path = self._file.path
        if disk_space.is_full(error, path):
            return StoreFull("the server has no space left for messages", "free space on its disk and send again")
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY"):
            return Unavailable("another program has locked the server's store", "close it there")
        return StoreFailed(f"the store {path} failed: {error} ({name})")

    def _publish(self, group: Sequence[PendingAppend], result: GroupResult) -> None:
        """In the event loop: deliver the receipts, raise the head and notify the listeners."""
        error = result if isinstance(result, ChatError) else None
        self._log_state_change(error)
        if isinstance(error, StoreFailed) and not self.failure.done():
            self.failure.set_result(error)
        for i, pending in enumerate(group):
            if pending.receipts.done():
                continue
            if isinstance(result, ChatError):
                pending.receipts.set_exception(result)
                pending.receipts.exception()  # its stream may be gone: asyncio would log an exception never retrieved
            else:
                pending.receipts.set_result(result.receipts[i])
        if isinstance(result, Committed) and result.head > self._head:
            self._head = result.head
            self._listeners.notify(zip((pending.batch for pending in group), result.receipts, strict=True))

    def _log_state_change(self, error: ChatError | None) -> None:
        """Log when a failure begins and when it ends: clients may retry many times a second."""
        if error and type(error) is not type(self._last_error):
            logger.warning("cannot store: %s", error)
        elif self._last_error and not error:
            logger.warning("storing again")
        self._last_error = error

    # --- reading

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._readers.run(query)
        except sqlite3.Error as error:
            raise StoreFailed(f"cannot read the store {self._file.path}: {error}") from error

    async def read(self, selection: Selection, after: int, end: int, count: int, backwards: bool = False) -> Page:
        return await self._read(lambda db: queries.read(db, selection, after, end, count, backwards))

    async def lookup(self, sequences: Sequence[int]) -> LookupResult:
        return await self._read(lambda db: queries.lookup(db, sequences))

    async def sequence_at(self, time: int) -> int:
        return await self._read(lambda db: queries.sequence_at(db, time))

    async def stats(self, top: int, rooms: Sequence[str]) -> LogStats:
        return await self._read(lambda db: queries.stats(db, top, rooms))

    def subscribe(
        self, rooms: Sequence[str], on_commit: Callable[[Sequence[Run], int], None], input_id: str = ""
    ) -> Callable[[], None]:
        return self._listeners.subscribe(rooms, on_commit, input_id)

    async def close(self) -> None:
        await asyncio.to_thread(self._committer.close)
        self._readers.close()
        if self._committer.fatal_error:
            keep_open(self._connections)  # closing the last one would sync again, then delete the write-ahead log
        else:
            for connection in self._connections:
                connection.close()
        self._file.close()
