"""Writing: what one group commit does to the file. Runs in the writer's thread, with its own connection."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch
from chatctl.store.sqlite import dedup
from chatctl.store.sqlite.schema import DB_PAGE_BYTES

# The sqlite3 module lets go of the GIL at every row and waits for it again, so many rows go into one statement: 17 µs a row
# instead of 708 beside a busy thread, and 0.64 instead of 1.21 alone.
INSERT_ROWS = (500, 100, 20, 5, 1)
INSERTS = {rows: "INSERT INTO message VALUES " + ",".join(f"(?1+{i},?{i + 2})" for i in range(rows)) for rows in INSERT_ROWS}
MAX_BLOCK_MESSAGES, MAX_BLOCK_BYTES = 1000, 256 * 1024  # drafts merge into blocks up to here; a page is about as large
MAX_CACHED_NAMES = 10_000
CHECKPOINT_BYTES = 16 * 1024 * 1024  # about so much is in the write-ahead log when it is moved into the file
COMMIT_WAL_BYTES, BLOCK_WAL_BYTES = (
    8 * DB_PAGE_BYTES,
    4 * DB_PAGE_BYTES,
)  # what a commit and a block write besides texts, at most


class Block(NamedTuple):
    """A row of the table."""

    sequence: int
    messages: int
    bytes: int
    room: int
    user: int
    input_key: int
    number: int
    time: int


class Totals(NamedTuple):
    """The row of the log."""

    head: int
    last_time: int
    messages: int
    bytes: int
    rooms: int
    users: int


class Writer:
    """Appends drafts to the file in transactions. Any error leaves the file and the writer as before the transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._db = connection
        self._clock = clock
        row = connection.execute("SELECT head, last_time, messages, bytes, rooms, users FROM log").fetchone()
        self.totals = Totals(*row)
        self._wal_bytes = CHECKPOINT_BYTES  # bytes in the write-ahead log, about: who was killed may have left many
        self._clear_caches()

    def _clear_caches(self) -> None:
        """Know nothing but the totals; the file knows the rest."""
        self._rooms: dict[str, int] = {}
        self._users: dict[str, int] = {}
        self._input_keys: dict[tuple[int, str], int] = {}
        self._max_number: dict[int, int] = {}  # of each sender, the highest number stored
        self._pending_texts: list[str] = []  # not yet inserted: the last messages up to the head
        self._pending_block: Block | None = None  # not yet inserted: it may grow
        self._room_counts: dict[int, int] = {}
        self._user_counts: dict[int, int] = {}

    def commit(self, batches: Sequence[RecordBatch]) -> list[list[Receipt]]:
        """Store the drafts in one synced transaction; the receipts of each. Raises sqlite3.Error: then nothing is stored.

        Where all of them are duplicates nothing is written or synced: their originals were, at the latest when the file was
        opened.
        """
        receipts = self._find_duplicates(batches)
        if others := [index for index in range(len(batches)) if index not in receipts]:
            receipts.update(zip(others, self._run_transaction([batches[place] for place in others]), strict=True))
        return [receipts[place] for place in range(len(batches))]

    def _find_duplicates(self, batches: Sequence[RecordBatch]) -> dict[int, list[Receipt]]:
        """The receipts of those drafts that can quickly be seen to hold nothing but duplicates, by their places."""
        found: dict[int, list[Receipt]] = {}
        for group in dedup.contiguous_groups(batches) if self._max_number else ():
            group_batches = [batches[index] for index in group]
            first, last = group_batches[0], group_batches[-1]
            input_key = self._input_keys.get((self._users.get(first.user, 0), first.input_id), 0)
            room = self._rooms.get(first.room, 0)
            if last.number + len(last.texts) - 1 <= self._max_number.get(input_key, 0):
                receipts = dedup.find_duplicates(self._db, input_key, room, group_batches)
                found.update(zip(group, receipts or (), strict=receipts is not None))
        return found

    def _run_transaction(self, batches: Sequence[RecordBatch]) -> list[list[Receipt]]:
        """The transaction."""
        if len(self._input_keys) > MAX_CACHED_NAMES or len(self._rooms) > MAX_CACHED_NAMES:
            self._clear_caches()
        if self._wal_bytes >= CHECKPOINT_BYTES:
            self._checkpoint()
        before = self.totals
        self._db.execute("BEGIN IMMEDIATE")
        try:
            # Times never decrease, whatever the clock does.
            self._commit_time = max(self._clock(), self.totals.last_time)
            receipts = [self._append_batch(batch) for batch in batches]
            self._write_texts()
            self._write_block()
            if self.totals != before:
                self._write_totals()
                self._wal_bytes += self.totals.bytes - before.bytes + COMMIT_WAL_BYTES
            self._db.execute("COMMIT")
        except BaseException:
            self.totals = before  # not from the file: a disk that fails here may fail again
            self._clear_caches()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return receipts

    def _checkpoint(self) -> None:
        """Move the write-ahead log into the file. Raises sqlite3.Error; then all stays where it is."""
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._wal_bytes = 0

    def _append_batch(self, batch: RecordBatch) -> list[Receipt]:
        user = self._row_id("user", self._users, batch.user)
        input_key = self._input_key(user, batch.input_id)
        if batch.number > self._max_number[input_key]:
            return [self._append_new(batch, user, input_key)]
        self._write_texts()
        self._write_block()
        receipts: list[Receipt] = []
        for part, stored_range in dedup.split_at_stored(self._db, batch, input_key):
            receipts += (
                dedup.compare_texts(self._db, part, stored_range)
                if stored_range
                else [self._append_new(part, user, input_key)]
            )
        return receipts

    def _append_new(self, batch: RecordBatch, user: int, input_key: int) -> Receipt:
        """Take texts that are new; they are written before anything is read."""
        count, sequence = len(batch.texts), self.totals.head + 1
        room = self._row_id("room", self._rooms, batch.room)
        self._pending_texts += batch.texts
        block = self._pending_block
        if (
            block
            and (block.input_key, block.room) == (input_key, room)
            and block.number + block.messages == batch.number
            and block.messages + count <= MAX_BLOCK_MESSAGES
            and block.bytes + batch.size <= MAX_BLOCK_BYTES
        ):
            self._pending_block = block._replace(messages=block.messages + count, bytes=block.bytes + batch.size)
        else:
            self._write_block()
            self._pending_block = Block(sequence, count, batch.size, room, user, input_key, batch.number, self._commit_time)
        self._max_number[input_key] = max(self._max_number[input_key], batch.number + count - 1)
        self._room_counts[room] = self._room_counts.get(room, 0) + count
        self._user_counts[user] = self._user_counts.get(user, 0) + count
        _, _, messages, size, rooms, users = self.totals
        self.totals = Totals(self.totals.head + count, self._commit_time, messages + count, size + batch.size, rooms, users)
        return Receipt(batch.number, count, ReceiptStatus.STORED, sequence, self._commit_time)

    def _row_id(self, table: str, cache: dict[str, int], name: str) -> int:
        """The id of a room or user, made if it is new."""
        if (found := cache.get(name)) is None:
            row = self._db.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()
            if row is None:
                row = self._db.execute(f"INSERT INTO {table} VALUES (NULL, ?, 0, 0) RETURNING id", (name,)).fetchone()
                self.totals = self.totals._replace(**{f"{table}s": getattr(self.totals, f"{table}s") + 1})
            cache[name] = found = row[0]
        return found

    def _input_key(self, user: int, input_id: str) -> int:
        """The id of a sender, made if it is new; its highest number is known afterwards."""
        if (found := self._input_keys.get((user, input_id))) is None:
            row = self._db.execute("SELECT id FROM sender WHERE user = ? AND name = ?", (user, input_id)).fetchone()
            if row is None:
                row = self._db.execute("INSERT INTO sender VALUES (NULL, ?, ?) RETURNING id", (user, input_id)).fetchone()
            self._input_keys[user, input_id] = found = row[0]
            last_number = self._db.execute(
                "SELECT number + messages - 1 FROM block WHERE sender = ? ORDER BY number DESC LIMIT 1", (found,)
            ).fetchone()
            self._max_number[found] = last_number[0] if last_number else 0
        return found

    def _write_texts(self) -> None:
        """Insert the texts taken so far, as many rows a statement as there are."""
        texts, at = self._pending_texts, 0
        sequence = self.totals.head - len(texts) + 1
        while at < len(texts):
            rows = next(rows for rows in INSERT_ROWS if rows <= len(texts) - at)
            self._db.execute(INSERTS[rows], (sequence + at, *texts[at : at + rows]))
            at += rows
        self._pending_texts = []

    def _write_block(self) -> None:
        if self._pending_block:
            self._db.execute("INSERT INTO block VALUES (?,?,?,?,?,?,?,?)", self._pending_block)
            self._wal_bytes += BLOCK_WAL_BYTES
            self._pending_block = None

    def _write_totals(self) -> None:
        update = "UPDATE {} SET messages = messages + ?, last_time = ? WHERE id = ?"
        for table, counts in (("room", self._room_counts), ("user", self._user_counts)):
            for key, count in counts.items():
                self._db.execute(update.format(table), (count, self._commit_time, key))
            counts.clear()
        self._db.execute(
            "UPDATE log SET head = ?, last_time = ?, messages = ?, bytes = ?, rooms = ?, users = ?", self.totals
        )
