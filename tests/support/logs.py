"""Logs for tests: the stores, batches, and everything of a log read back."""

import asyncio
import itertools
import sqlite3
from contextlib import asynccontextmanager, closing

from chatctl.model.messages import Selection
from chatctl.model.records import RecordBatch
from chatctl.store import open_log
from chatctl.store.sqlite.file import StoreFile

FIRST_LATE = 1000


def _sqlite_url(directory):
    return f"sqlite:{directory}/chat.db"


def _late_sqlite_url(directory):
    """Create a log as retention leaves it: its messages were removed, and the next one has the sequence FIRST_LATE."""
    StoreFile(f"{directory}/chat.db", lambda: "0123456789ab").close()
    with closing(sqlite3.connect(f"{directory}/chat.db")) as db, db:
        db.execute("UPDATE log SET head = ?", (FIRST_LATE - 1,))
    return _sqlite_url(directory)


STORES = {"sqlite": _sqlite_url, "sqlite-late": _late_sqlite_url}
"""For each store, a function that returns the URL of an empty log. That of a "late" one begins at FIRST_LATE."""


def batch(*texts, number=1, room="lobby", user="ann", input_id="input"):
    return RecordBatch(user, input_id, room, number, texts, sum(len(text.encode()) for text in texts))


def receipt_rows(receipts):
    """Return a row for each record: number, status, sequence (0 if rejected), time."""
    assert all(receipt.count > 0 for receipt in receipts)
    return [
        (receipt.number + i, receipt.status, receipt.sequence and receipt.sequence + i, receipt.time)
        for receipt in receipts
        for i in range(receipt.count)
    ]


def page_messages(page):
    """Return the messages of a page as (sequence, room, user, text)."""
    return [(run.sequence + i, run.room, run.user, text) for run in page.runs for i, text in enumerate(run.texts)]


async def pages(log, rooms=(), users=(), count=1000, input_id=""):
    """Yield all pages, forwards."""
    after, end = 0, log.head
    while after < end:
        page = await log.read(Selection(rooms, users, input_id), after, end, count)
        assert after < page.position <= end
        after = page.position
        yield page


async def messages(log, rooms=(), users=(), count=1000, input_id=""):
    """Return all messages as (sequence, room, user, text)."""
    found = [message async for page in pages(log, rooms, users, count, input_id) for message in page_messages(page)]
    assert all(a[0] < b[0] for a, b in itertools.pairwise(found))
    return found


async def texts(log):
    return [text for *_, text in await messages(log)]


@asynccontextmanager
async def opened_log(url):
    """Open the log of a store, and close it at the end."""
    log = await open_log(url)
    try:
        yield log
    finally:
        await log.close()


def run_on_log(url, *steps):
    """Run async functions in tests that are not async, each on a newly opened log, and return their results."""

    async def run_step(step):
        async with opened_log(url) as log:
            return await step(log)

    return [asyncio.run(run_step(step)) for step in steps]
