"""SQLite alone: store the lines of stdin in a file with chatctl's tables, indexes and page size.

It does what every log must do: rows with `executemany`, their block, and the totals, in one synced transaction per 2,000
lines. It has no network, second process, thread, receipts, input checks or deduplication. Prints the number of lines stored
and the seconds of storing.
"""

import json
import sqlite3
import sys
import time
from itertools import count, islice

from chatctl.store.sqlite.schema import DB_PAGE_BYTES, SCHEMA

BATCH_LINES = 2000
BLOCK_MESSAGES = 1000  # messages of a block, as in chatctl's files


def create(path: str) -> sqlite3.Connection:
    """Create a file with one room, user and input."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA page_size = {DB_PAGE_BYTES}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.executescript(
        f"BEGIN;{SCHEMA};INSERT INTO log VALUES ('bench', 0, 0, 0, 0, 1, 1);INSERT INTO room VALUES (1, 'bench', 0, 0);"
        "INSERT INTO user VALUES (1, 'bench', 0, 0);INSERT INTO sender VALUES (1, 1, 'bench');COMMIT"
    )
    return db


def store(db: sqlite3.Connection, first: int, texts: list[str]) -> None:
    """Store texts in one transaction; `first` is the sequence and number of the first text."""
    now, total = time.time_ns() // 1000, sum(map(len, texts))
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO message VALUES (?, ?)", zip(count(first), texts))
    for start in range(0, len(texts), BLOCK_MESSAGES):
        part = texts[start : start + BLOCK_MESSAGES]
        block = (first + start, len(part), sum(map(len, part)), 1, 1, 1, first + start, now)
        db.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?)", block)
    db.execute("UPDATE room SET messages = messages + ?, last_time = ? WHERE id = 1", (len(texts), now))
    db.execute("UPDATE user SET messages = messages + ?, last_time = ? WHERE id = 1", (len(texts), now))
    db.execute(
        "UPDATE log SET head = head + ?1, last_time = ?2, messages = messages + ?1, bytes = bytes + ?3",
        (len(texts), now, total),
    )
    db.execute("COMMIT")


def main(path: str) -> None:
    db = create(path)
    stored, seconds = 0, 0.0
    while texts := [line.removesuffix("\n") for line in islice(sys.stdin, BATCH_LINES)]:
        start = time.perf_counter()
        store(db, stored + 1, texts)
        seconds += time.perf_counter() - start
        stored += len(texts)
    db.close()
    print(json.dumps({"lines": stored, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1])
