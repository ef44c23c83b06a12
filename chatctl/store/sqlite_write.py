"""Writing: what one group commit does to the file. Runs in the writer's thread, with its own connection."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chatctl.log import Draft, Receipt, Status
from chatctl.store import sqlite_known
from chatctl.store.sqlite_schema import PAGE_BYTES

# The sqlite3 module lets go of the GIL at every row and waits for it again, so many rows go into one statement: 17 µs a row
# instead of 708 beside a busy thread, and 0.64 instead of 1.21 alone.
INSERT_ROWS = (500, 100, 20, 5, 1)
INSERTS = {rows: "INSERT INTO message VALUES " + ",".join(f"(?1+{i},?{i + 2})" for i in range(rows)) for rows in INSERT_ROWS}
BLOCK_MESSAGES, BLOCK_BYTES = 1000, 256 * 1024  # drafts merge into blocks up to here; a page is about as large
CACHED_NAMES = 10_000
CHECKPOINT_BYTES = 16 * 1024 * 1024  # about so much is in the write-ahead log when it is moved into the file
COMMIT_LOGGED, BLOCK_LOGGED = 8 * PAGE_BYTES, 4 * PAGE_BYTES  # what a commit and a block write besides texts, at most


class Block(NamedTuple):
    """A row of the table."""

    sequence: int
    messages: int
    bytes: int
    room: int
    user: int
    sender: int
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

    def __init__(self, connection: sqlite3.Connection, now: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._db = connection
        self._now = now
        row = connection.execute("SELECT head, last_time, messages, bytes, rooms, users FROM log").fetchone()
        self.totals = Totals(*row)
        self._logged = CHECKPOINT_BYTES  # bytes in the write-ahead log, about: who was killed may have left many
        self._forget()

    def _forget(self) -> None:
        """Know nothing but the totals; the file knows the rest."""
        self._rooms: dict[str, int] = {}
        self._users: dict[str, int] = {}
        self._senders: dict[tuple[int, str], int] = {}
        self._highest: dict[int, int] = {}  # of each sender, the highest number stored
        self._texts: list[str] = []  # not yet inserted: the last messages up to the head
        self._block: Block | None = None  # not yet inserted: it may grow
        self._room_counts: dict[int, int] = {}
        self._user_counts: dict[int, int] = {}

    def commit(self, drafts: Sequence[Draft]) -> list[list[Receipt]]:
        """Store the drafts in one synced transaction; the receipts of each. Raises sqlite3.Error: then nothing is stored.

        Where all of them are duplicates nothing is written or synced: their originals were, at the latest when the file was
        opened.
        """
        receipts = self._duplicates(drafts)
        if others := [place for place in range(len(drafts)) if place not in receipts]:
            receipts.update(zip(others, self._store_all([drafts[place] for place in others]), strict=True))
        return [receipts[place] for place in range(len(drafts))]

    def _duplicates(self, drafts: Sequence[Draft]) -> dict[int, list[Receipt]]:
        """The receipts of those drafts that can quickly be seen to hold nothing but duplicates, by their places."""
        found: dict[int, list[Receipt]] = {}
        for stretch in sqlite_known.stretches(drafts) if self._highest else ():
            together = [drafts[place] for place in stretch]
            first, last = together[0], together[-1]
            sender = self._senders.get((self._users.get(first.user, 0), first.sender), 0)
            room = self._rooms.get(first.room, 0)
            if last.number + len(last.texts) - 1 <= self._highest.get(sender, 0):
                receipts = sqlite_known.duplicates(self._db, sender, room, together)
                found.update(zip(stretch, receipts or (), strict=receipts is not None))
        return found

    def _store_all(self, drafts: Sequence[Draft]) -> list[list[Receipt]]:
        """The transaction."""
        if len(self._senders) > CACHED_NAMES or len(self._rooms) > CACHED_NAMES:
            self._forget()
        if self._logged >= CHECKPOINT_BYTES:
            self._checkpoint()
        before = self.totals
        self._db.execute("BEGIN IMMEDIATE")
        try:
            # Times never decrease, whatever the clock does.
            self._time = max(self._now(), self.totals.last_time)
            receipts = [self._append(draft) for draft in drafts]
            self._write_texts()
            self._write_block()
            if self.totals != before:
                self._write_totals()
                self._logged += self.totals.bytes - before.bytes + COMMIT_LOGGED
            self._db.execute("COMMIT")
        except BaseException:
            self.totals = before  # not from the file: a disk that fails here may fail again
            self._forget()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return receipts

    def _checkpoint(self) -> None:
        """Move the write-ahead log into the file. Raises sqlite3.Error; then all stays where it is."""
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._logged = 0

    def _append(self, draft: Draft) -> list[Receipt]:
        user = self._id("user", self._users, draft.user)
        sender = self._sender(user, draft.sender)
        if draft.number > self._highest[sender]:
            return [self._store(draft, user, sender)]
        self._write_texts()
        self._write_block()
        receipts: list[Receipt] = []
        for part, known in sqlite_known.parts(self._db, draft, sender):
            receipts += sqlite_known.compare(self._db, part, known) if known else [self._store(part, user, sender)]
        return receipts

    def _store(self, draft: Draft, user: int, sender: int) -> Receipt:
        """Take texts that are new; they are written before anything is read."""
        count, sequence = len(draft.texts), self.totals.head + 1
        room = self._id("room", self._rooms, draft.room)
        self._texts += draft.texts
        last = self._block
        if (
            last
            and (last.sender, last.room) == (sender, room)
            and last.number + last.messages == draft.number
            and last.messages + count <= BLOCK_MESSAGES
            and last.bytes + draft.size <= BLOCK_BYTES
        ):
            self._block = last._replace(messages=last.messages + count, bytes=last.bytes + draft.size)
        else:
            self._write_block()
            self._block = Block(sequence, count, draft.size, room, user, sender, draft.number, self._time)
        self._highest[sender] = max(self._highest[sender], draft.number + count - 1)
        self._room_counts[room] = self._room_counts.get(room, 0) + count
        self._user_counts[user] = self._user_counts.get(user, 0) + count
        _, _, messages, size, rooms, users = self.totals
        self.totals = Totals(self.totals.head + count, self._time, messages + count, size + draft.size, rooms, users)
        return Receipt(draft.number, count, Status.STORED, sequence, self._time)

    def _id(self, table: str, known: dict[str, int], name: str) -> int:
        """The id of a room or user, made if it is new."""
        if (found := known.get(name)) is None:
            row = self._db.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()
            if row is None:
                row = self._db.execute(f"INSERT INTO {table} VALUES (NULL, ?, 0, 0) RETURNING id", (name,)).fetchone()
                self.totals = self.totals._replace(**{f"{table}s": getattr(self.totals, f"{table}s") + 1})
            known[name] = found = row[0]
        return found

    def _sender(self, user: int, name: str) -> int:
        """The id of a sender, made if it is new; its highest number is known afterwards."""
        if (found := self._senders.get((user, name))) is None:
            row = self._db.execute("SELECT id FROM sender WHERE user = ? AND name = ?", (user, name)).fetchone()
            if row is None:
                row = self._db.execute("INSERT INTO sender VALUES (NULL, ?, ?) RETURNING id", (user, name)).fetchone()
            self._senders[user, name] = found = row[0]
            highest = self._db.execute(
                "SELECT number + messages - 1 FROM block WHERE sender = ? ORDER BY number DESC LIMIT 1", (found,)
            ).fetchone()
            self._highest[found] = highest[0] if highest else 0
        return found

    def _write_texts(self) -> None:
        """Insert the texts taken so far, as many rows a statement as there are."""
        texts, at = self._texts, 0
        sequence = self.totals.head - len(texts) + 1
        while at < len(texts):
            rows = next(rows for rows in INSERT_ROWS if rows <= len(texts) - at)
            self._db.execute(INSERTS[rows], (sequence + at, *texts[at : at + rows]))
            at += rows
        self._texts = []

    def _write_block(self) -> None:
        if self._block:
            self._db.execute("INSERT INTO block VALUES (?,?,?,?,?,?,?,?)", self._block)
            self._logged += BLOCK_LOGGED
            self._block = None

    def _write_totals(self) -> None:
        update = "UPDATE {} SET messages = messages + ?, last_time = ? WHERE id = ?"
        for table, counts in (("room", self._room_counts), ("user", self._user_counts)):
            for key, count in counts.items():
                self._db.execute(update.format(table), (count, self._time, key))
            counts.clear()
        self._db.execute(
            "UPDATE log SET head = ?, last_time = ?, messages = ?, bytes = ?, rooms = ?, users = ?", self.totals
        )
