"""The log in one SQLite file: a writer thread with group commit, reader connections beside it, WAL, synchronous=FULL."""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from chatctl.errors import ChatError, StoreFailed, StoreFull, Unavailable
from chatctl.model.messages import LookupResult, Page, Run
from chatctl.model.records import Receipt, RecordBatch
from chatctl.model.stats import LogStats
from chatctl.store.commit_listeners import CommitListeners
from chatctl.store.sqlite import disk_space, queries
from chatctl.store.sqlite.file import StoreFile
from chatctl.store.sqlite.group_commit import FAILURE_DELIVERED, InputQueues, PendingAppend, _next_group
from chatctl.store.sqlite.readers import NUM_READERS, T
from chatctl.store.sqlite.writer import Writer

logger = logging.getLogger(__name__)


_unclosed: list[sqlite3.Connection] = []
"""Connections to stores that failed: open until the process ends."""


class SQLiteLog:
    """A MessageLog in a SQLite file. Belongs to the event loop it was opened in."""

    kind = "sqlite"

    def __init__(self, file: StoreFile) -> None:
        """Use `SQLiteLog.open`."""
        self._file = file
        self._loop = asyncio.get_running_loop()
        self._connections: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._writer = Writer(self._connect())
        (self.id,) = self._connections[0].execute("SELECT id FROM log").fetchone()
        self._head = self._writer.totals.head
        self._listeners = CommitListeners()
        self.failure: asyncio.Future[StoreFailed] = self._loop.create_future()
        """Done when the store has failed for good: nothing is tried on it again."""
        self._fatal_error: StoreFailed | None = (
            None  # the writer knows it at once, `failure` when the event loop hears of it
        )
        self._last_error: ChatError | None = None  # what kept the last group from being stored
        self._append_queue: queue.SimpleQueue[PendingAppend | None] = queue.SimpleQueue()
        self._close_received = False  # the writer has met the None of `close`
        self._reader_pool = ThreadPoolExecutor(NUM_READERS, "chatctl-read")
        self._writer_thread = threading.Thread(target=self._run_writer, name="chatctl-write", daemon=True)
        self._writer_thread.start()

    @classmethod
    async def open(cls, path: str) -> "SQLiteLog":
        """Open the file, made if it does not exist. Raises StoreOpenError."""
        file = await asyncio.to_thread(StoreFile, path)
        try:
            return cls(file)
        except BaseException:
            file.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = self._file.connect()
        self._connections.append(connection)
        return connection

    @property
    def head(self) -> int:
        return self._head

    # --- writing

    def append(self, batch: RecordBatch) -> "asyncio.Future[list[Receipt]]":
        receipts: asyncio.Future[list[Receipt]] = self._loop.create_future()
        if self.failure.done():
            receipts.set_exception(self.failure.result())
        else:
            self._append_queue.put(PendingAppend(batch, receipts))
        return receipts

    def _run_writer(self) -> None:
        """The writer thread: group after group, until the None of `close`."""
        queues: InputQueues = OrderedDict()
        while self._collect(queues) or queues:
            group = _next_group(queues)
            result = self._commit(group)
            if isinstance(result, StoreFailed):
                self._fatal_error = result
            if isinstance(result, ChatError):
                self._fail_group(queues, group, result)
            else:
                self._loop.call_soon_threadsafe(self._publish, group, result, self._writer.totals.head)

    def _fail_group(self, queues: InputQueues, group: list[PendingAppend], error: ChatError) -> None:
        """Nothing is to overtake a failed draft: what its sender appended before it could hear of it fails, too."""
        self._loop.call_soon_threadsafe(self._publish_failure, group, error)
        if isinstance(error, StoreFailed):
            return  # so does everything else
        while (pending := self._append_queue.get()) is not FAILURE_DELIVERED:
            self._enqueue(queues, pending)
        later_appends = [
            job for key in {(job.batch.user, job.batch.input_id) for job in group} for job in queues.pop(key, ())
        ]
        self._loop.call_soon_threadsafe(self._publish, later_appends, error, self._head)

    def _collect(self, queues: InputQueues) -> bool:
        """Put all jobs that have come into their lines; whether more may come. Waits while there is nothing to do."""
        try:
            pending = None if self._close_received else self._append_queue.get(block=not queues)
            while pending is not None:
                self._enqueue(queues, pending)
                pending = self._append_queue.get_nowait()
            self._close_received = True
        except queue.Empty:
            pass
        return not self._close_received

    def _enqueue(self, queues: InputQueues, pending: PendingAppend | None) -> None:
        if pending is None:
            self._close_received = True
        else:
            queues.setdefault((pending.batch.user, pending.batch.input_id), deque()).append(pending)

    def _commit(self, group: list[PendingAppend]) -> list[list[Receipt]] | ChatError:
        """Store a group: the receipts of each job, or why nothing of it is stored."""
        try:
            if self._fatal_error:
                raise self._fatal_error
            if not self._file.is_same_file():
                raise StoreFailed(f"the store {self._file.path} was deleted or replaced while it was open: put it back")
            return self._writer.commit([pending.batch for pending in group])
        except sqlite3.Error as error:
            return self._translate_error(error)
        except ChatError as error:
            return error
        except Exception as error:  # a fault of ours must not leave the clients waiting
            return StoreFailed(f"storing failed: {error!r}")

    def _publish_failure(self, group: list[PendingAppend], error: ChatError) -> None:
        """In the event loop: hand out the failure, and mark in the queue who can have heard of it."""
        self._publish(group, error, self._head)
        if not isinstance(error, StoreFailed):
            self._append_queue.put(FAILURE_DELIVERED)

    def _publish(self, group: list[PendingAppend], result: list[list[Receipt]] | ChatError, head: int) -> None:
        """In the event loop: hand out the receipts, raise the head, call those who watch it."""
        self._log_state_change(result if isinstance(result, ChatError) else None)
        if isinstance(result, StoreFailed) and not self.failure.done():
            self.failure.set_result(result)
        for i, pending in enumerate(group):
            if pending.receipts.done():
                continue
            if isinstance(result, ChatError):
                pending.receipts.set_exception(result)
                pending.receipts.exception()  # its stream may be gone, and asyncio would complain that nobody looked
            else:
                pending.receipts.set_result(result[i])
        if head > self._head and not isinstance(result, ChatError):
            self._head = head
            self._listeners.notify(zip((job.batch for job in group), result, strict=True))

    def _log_state_change(self, error: ChatError | None) -> None:
        """Once when it begins and once when it ends: clients may try again many times a second."""
        if error and type(error) is not type(self._last_error):
            logger.warning("cannot store: %s", error)
        elif self._last_error and not error:
            logger.warning("storing again")
        self._last_error = error

    def _translate_error(self, error: sqlite3.Error) -> ChatError:
        """The moment's error where there is no space, otherwise the end of this store."""
        path = self._file.path
        if disk_space.is_full(error, path):
            return StoreFull("the server has no space left for its store: make some there")
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY"):
            return Unavailable("another program has locked the server's store: close it there")
        return StoreFailed(f"the store {path} failed: {error} ({name})")

    # --- reading

    async def _read(self, call: Callable[[sqlite3.Connection], T]) -> T:
        return await self._loop.run_in_executor(self._reader_pool, self._with_connection, call)

    def _with_connection(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """In a reader's thread: call with the thread's own connection."""
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        try:
            return call(self._local.connection)
        except sqlite3.Error as error:
            raise StoreFailed(f"the store {self._file.path} cannot be read: {error}") from error

    async def read(
        self, rooms: Sequence[str], users: Sequence[str], after: int, end: int, count: int, backwards: bool = False
    ) -> Page:
        return await self._read(lambda db: queries.read(db, rooms, users, after, end, count, backwards))

    async def lookup(self, sequences: Sequence[int]) -> LookupResult:
        return await self._read(lambda db: queries.lookup(db, sequences))

    async def sequence_at(self, time: int) -> int:
        return await self._read(lambda db: queries.sequence_at(db, time))

    async def stats(self, top: int, rooms: Sequence[str]) -> LogStats:
        return await self._read(lambda db: queries.stats(db, top, rooms))

    def subscribe(self, rooms: Sequence[str], on_commit: Callable[[Sequence[Run], int], None]) -> Callable[[], None]:
        return self._listeners.subscribe(rooms, on_commit)

    async def close(self) -> None:
        self._append_queue.put(None)
        await asyncio.to_thread(self._writer_thread.join)
        self._reader_pool.shutdown()
        if self._fatal_error:
            _unclosed.extend(self._connections)  # closing the last one would sync again, and then drop the write-ahead log
        else:
            for connection in self._connections:
                connection.close()
        self._file.close()
