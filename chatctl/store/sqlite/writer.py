"""Write batches to the file, a transaction for each group commit. Runs in the writer thread, with its own connection."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch
from chatctl.store.sqlite import dedup
from chatctl.store.sqlite.schema import DB_PAGE_BYTES

# The sqlite3 module releases the GIL at every row and waits to acquire it again. So one statement inserts many rows: 17 µs a
# row instead of 708 beside a busy thread, and 0.64 µs instead of 1.21 alone.
INSERT_ROWS = (500, 100, 20, 5, 1)
INSERTS = {rows: "INSERT INTO message VALUES " + ",".join(f"(?1+{i},?{i + 2})" for i in range(rows)) for rows in INSERT_ROWS}
MAX_BLOCK_MESSAGES, MAX_BLOCK_BYTES = 1000, 256 * 1024  # batches merge into blocks up to these sizes, about those of a page
MAX_CACHED_NAMES = 10_000
CHECKPOINT_BYTES = 16 * 1024 * 1024  # a write-ahead log of about this size is moved into the file
# Upper bounds for what a commit and a block write to the write-ahead log besides texts.
COMMIT_WAL_BYTES, BLOCK_WAL_BYTES = 8 * DB_PAGE_BYTES, 4 * DB_PAGE_BYTES


class Block(NamedTuple):
    """A row of the table `block`."""

    sequence: int
    messages: int
    bytes: int
    room: int
    user: int
    input_key: int
    number: int
    time: int


class Totals(NamedTuple):
    """The row of the table `log`."""

    head: int
    last_time: int
    messages: int
    bytes: int
    rooms: int
    users: int


class Writer:
    """Appends batches to the file in transactions. Any error leaves the file and the writer as before the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        row = connection.execute("SELECT head, last_time, messages, bytes, rooms, users FROM log").fetchone()
        self.totals = Totals(*row)
        self._wal_bytes = CHECKPOINT_BYTES  # an estimate; a killed server may have left a long one
        self._clear_caches()

    def _clear_caches(self) -> None:
        """Forget everything but the totals; the file has the rest."""
        self._rooms: dict[str, int] = {}
        self._users: dict[str, int] = {}
        self._input_keys: dict[tuple[int, str], int] = {}
        self._max_number: dict[int, int] = {}  # the highest number stored of each input
        self._pending_texts: list[str] = []  # not yet inserted: the newest texts, up to the head
        self._pending_block: Block | None = None  # not yet inserted, because it may grow
        self._room_counts: dict[int, int] = {}
        self._user_counts: dict[int, int] = {}

    def commit(self, batches: Sequence[RecordBatch], time: int) -> list[list[Receipt]]:
        """Store the batches in one synced transaction and return the receipts of each. If it raises, nothing is stored.

        `time` is that of the new messages, unless the newest one stored is later. If every record is a duplicate, nothing is
        written or synced: the originals were synced, at the latest when the file was opened.
        """
        receipts = self._find_duplicates(batches)
        if others := [index for index in range(len(batches)) if index not in receipts]:
            receipts.update(zip(others, self._run_transaction([batches[place] for place in others], time), strict=True))
        return [receipts[place] for place in range(len(batches))]

    def _find_duplicates(self, batches: Sequence[RecordBatch]) -> dict[int, list[Receipt]]:
        """Return the receipts of batches, by index, in which one query finds only duplicates."""
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

    def _run_transaction(self, batches: Sequence[RecordBatch], time: int) -> list[list[Receipt]]:
        if len(self._input_keys) > MAX_CACHED_NAMES or len(self._rooms) > MAX_CACHED_NAMES:
            self._clear_caches()
        if self._wal_bytes >= CHECKPOINT_BYTES:
            self._checkpoint()
        before = self.totals
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._commit_time = max(time, self.totals.last_time)  # times never decrease, even if the clock is set back
            receipts = [self._append_batch(batch) for batch in batches]
            self._write_texts()
            self._write_block()
            if self.totals != before:
                self._write_totals()
                self._wal_bytes += self.totals.bytes - before.bytes + COMMIT_WAL_BYTES
            self._db.execute("COMMIT")
        except BaseException:
            self.totals = before  # not read from the file: a disk that failed here may fail again
            self._clear_caches()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return receipts

    def _checkpoint(self) -> None:
        """Move the write-ahead log into the file. Raises sqlite3.Error: the write-ahead log then stays as it is."""
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
        """Append new texts and return their receipt. They are written before anything is read."""
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
        """Return the id of a room or user; insert a new one."""
        if (found := cache.get(name)) is None:
            row = self._db.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()
            if row is None:
                row = self._db.execute(f"INSERT INTO {table} VALUES (NULL, ?, 0, 0) RETURNING id", (name,)).fetchone()
                self.totals = self.totals._replace(**{f"{table}s": getattr(self.totals, f"{table}s") + 1})
            cache[name] = found = row[0]
        return found

    def _input_key(self, user: int, input_id: str) -> int:
        """Return the id of an input; insert a new one. Its highest number is in `_max_number` afterwards."""
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
        """Insert the pending texts, with as many rows in a statement as possible."""
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
