"""Logs as tests use them: the stores, drafts, and everything of a log read back."""

import asyncio
import itertools
from contextlib import asynccontextmanager

from chatctl.model.records import RecordBatch
from chatctl.store import open_log

STORES = {"sqlite": lambda directory: f"sqlite:{directory}/chat.db"}
"""For each store, the URL of a fresh one."""


def batch(*texts, number=1, room="lobby", user="ann", input_id="input"):
    return RecordBatch(user, input_id, room, number, texts, sum(len(text.encode()) for text in texts))


def receipt_rows(receipts):
    """A line for each record: number, status, sequence (0 if rejected), time."""
    assert all(receipt.count > 0 for receipt in receipts)
    return [
        (receipt.number + i, receipt.status, receipt.sequence and receipt.sequence + i, receipt.time)
        for receipt in receipts
        for i in range(receipt.count)
    ]


def page_messages(page):
    """The messages of a page as (sequence, room, user, text)."""
    return [(run.sequence + i, run.room, run.user, text) for run in page.runs for i, text in enumerate(run.texts)]


async def pages(log, rooms=(), users=(), count=1000):
    """All pages, forwards."""
    after, end = 0, log.head
    while after < end:
        page = await log.read(rooms, users, after, end, count)
        assert after < page.position <= end
        after = page.position
        yield page


async def messages(log, rooms=(), users=(), count=1000):
    """All messages as (sequence, room, user, text)."""
    found = [message async for page in pages(log, rooms, users, count) for message in page_messages(page)]
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
