"""The log in one SQLite file: a writer thread with group commit, reader connections beside it, WAL, synchronous=FULL."""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from chatctl.errors import ChatError, StoreFailed, StoreFull, Unavailable
from chatctl.log import Draft, Page, Picked, Receipt, Run, Stats
from chatctl.store import sqlite_read, sqlite_space
from chatctl.store.sqlite_file import StoreFile
from chatctl.store.sqlite_write import Writer
from chatctl.store.watches import Watches

logger = logging.getLogger(__name__)

GROUP_MESSAGES, GROUP_BYTES = 4000, 4 * 1024 * 1024  # of one commit; 1,000 messages cost 15 to 25 %, more gain nothing
READERS = 2

T = TypeVar("T")


_KEPT: list[sqlite3.Connection] = []
"""Connections to stores that failed: open until the process ends."""


class Job(NamedTuple):
    """A draft and the future its receipts go to."""

    draft: Draft
    receipts: "asyncio.Future[list[Receipt]]"


HEARD = Job(Draft("", "", "", 0, (), 0), None)  # type: ignore[arg-type]
"""In the queue: whoever appends from here on can have heard of the failure before."""

Lines = OrderedDict[tuple[str, str], deque[Job]]
"""A line of jobs for each user and sender."""


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
        self._watches = Watches()
        self.failed: asyncio.Future[StoreFailed] = self._loop.create_future()
        """Done when the store has failed for good: nothing is tried on it again."""
        self._broken: StoreFailed | None = None  # the writer knows it at once, `failed` when the event loop hears of it
        self._trouble: ChatError | None = None  # what kept the last group from being stored
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False  # the writer has met the None of `close`
        self._readers = ThreadPoolExecutor(READERS, "chatctl-read")
        self._thread = threading.Thread(target=self._write, name="chatctl-write", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, path: str) -> "SQLiteLog":
        """Open the file, made if it does not exist. Raises StoreRefused."""
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
        """See MessageLog."""
        return self._head

    # --- writing

    def append(self, draft: Draft) -> "asyncio.Future[list[Receipt]]":
        """See MessageLog."""
        receipts: asyncio.Future[list[Receipt]] = self._loop.create_future()
        if self.failed.done():
            receipts.set_exception(self.failed.result())
        else:
            self._jobs.put(Job(draft, receipts))
        return receipts

    def _write(self) -> None:
        """The writer thread: group after group, until the None of `close`."""
        lines: Lines = OrderedDict()
        while self._collect(lines) or lines:
            group = _next_group(lines)
            outcome = self._commit(group)
            if isinstance(outcome, StoreFailed):
                self._broken = outcome
            if isinstance(outcome, ChatError):
                self._fail(lines, group, outcome)
            else:
                self._loop.call_soon_threadsafe(self._publish, group, outcome, self._writer.totals.head)

    def _fail(self, lines: Lines, group: list[Job], error: ChatError) -> None:
        """Nothing is to overtake a failed draft: what its sender appended before it could hear of it fails, too."""
        self._loop.call_soon_threadsafe(self._tell, group, error)
        if isinstance(error, StoreFailed):
            return  # so does everything else
        while (job := self._jobs.get()) is not HEARD:
            self._take(lines, job)
        late = [job for sender in {(job.draft.user, job.draft.sender) for job in group} for job in lines.pop(sender, ())]
        self._loop.call_soon_threadsafe(self._publish, late, error, self._head)

    def _collect(self, lines: Lines) -> bool:
        """Put all jobs that have come into their lines; whether more may come. Waits while there is nothing to do."""
        try:
            job = None if self._closed else self._jobs.get(block=not lines)
            while job is not None:
                self._take(lines, job)
                job = self._jobs.get_nowait()
            self._closed = True
        except queue.Empty:
            pass
        return not self._closed

    def _take(self, lines: Lines, job: Job | None) -> None:
        if job is None:
            self._closed = True
        else:
            lines.setdefault((job.draft.user, job.draft.sender), deque()).append(job)

    def _commit(self, group: list[Job]) -> list[list[Receipt]] | ChatError:
        """Store a group: the receipts of each job, or why nothing of it is stored."""
        try:
            if self._broken:
                raise self._broken
            if not self._file.is_there():
                raise StoreFailed(f"the store {self._file.path} was deleted or replaced while it was open: put it back")
            return self._writer.commit([job.draft for job in group])
        except sqlite3.Error as error:
            return self._translate(error)
        except ChatError as error:
            return error
        except Exception as error:  # a fault of ours must not leave the clients waiting
            return StoreFailed(f"storing failed: {error!r}")

    def _tell(self, group: list[Job], error: ChatError) -> None:
        """In the event loop: hand out the failure, and mark in the queue who can have heard of it."""
        self._publish(group, error, self._head)
        if not isinstance(error, StoreFailed):
            self._jobs.put(HEARD)

    def _publish(self, group: list[Job], outcome: list[list[Receipt]] | ChatError, head: int) -> None:
        """In the event loop: hand out the receipts, raise the head, call those who watch it."""
        self._log_trouble(outcome if isinstance(outcome, ChatError) else None)
        if isinstance(outcome, StoreFailed) and not self.failed.done():
            self.failed.set_result(outcome)
        for i, job in enumerate(group):
            if job.receipts.done():
                continue
            if isinstance(outcome, ChatError):
                job.receipts.set_exception(outcome)
                job.receipts.exception()  # its stream may be gone, and asyncio would complain that nobody looked
            else:
                job.receipts.set_result(outcome[i])
        if head > self._head and not isinstance(outcome, ChatError):
            self._head = head
            self._watches.moved(zip((job.draft for job in group), outcome, strict=True))

    def _log_trouble(self, error: ChatError | None) -> None:
        """Once when it begins and once when it ends: clients may try again many times a second."""
        if error and type(error) is not type(self._trouble):
            logger.warning("cannot store: %s", error)
        elif self._trouble and not error:
            logger.warning("storing again")
        self._trouble = error

    def _translate(self, error: sqlite3.Error) -> ChatError:
        """The moment's error where there is no space, otherwise the end of this store."""
        path = self._file.path
        if sqlite_space.is_full(error, path):
            return StoreFull("the server has no space left for its store: make some there")
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY"):
            return Unavailable("another program has locked the server's store: close it there")
        return StoreFailed(f"the store {path} failed: {error} ({name})")

    # --- reading

    async def _read(self, call: Callable[[sqlite3.Connection], T]) -> T:
        return await self._loop.run_in_executor(self._readers, self._with_connection, call)

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
        """See MessageLog."""
        return await self._read(lambda db: sqlite_read.read(db, rooms, users, after, end, count, backwards))

    async def pick(self, sequences: Sequence[int]) -> Picked:
        """See MessageLog."""
        return await self._read(lambda db: sqlite_read.pick(db, sequences))

    async def sequence_at(self, time: int) -> int:
        """See MessageLog."""
        return await self._read(lambda db: sqlite_read.sequence_at(db, time))

    async def stats(self, top: int, rooms: Sequence[str]) -> Stats:
        """See MessageLog."""
        return await self._read(lambda db: sqlite_read.stats(db, top, rooms))

    def watch(self, rooms: Sequence[str], moved: Callable[[Sequence[Run], int], None]) -> Callable[[], None]:
        """See MessageLog."""
        return self._watches.watch(rooms, moved)

    async def close(self) -> None:
        """See MessageLog."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._readers.shutdown()
        if self._broken:
            _KEPT.extend(self._connections)  # closing the last one would sync again, and then drop the write-ahead log
        else:
            for connection in self._connections:
                connection.close()
        self._file.close()


def _next_group(lines: Lines) -> list[Job]:
    """The jobs of the next commit, one of each sender in turn, so that a lone message does not wait behind bulk."""
    group, messages, size = [], 0, 0
    while lines and messages < GROUP_MESSAGES and size < GROUP_BYTES:
        sender, line = lines.popitem(last=False)
        job = line.popleft()
        group.append(job)
        messages += len(job.draft.texts)
        size += job.draft.size
        if line:
            lines[sender] = line
    return group
