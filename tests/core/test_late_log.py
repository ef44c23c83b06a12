"""A log whose oldest messages were removed: history, followers, deduplication, verification and statistics."""

from hashlib import sha256

import pytest

from chatctl.core import history, verify
from chatctl.core.chat import Chat
from chatctl.model.claims import Claim, FaultKind
from chatctl.model.limits import Limits
from chatctl.model.messages import Query
from chatctl.model.records import ReceiptStatus
from tests.support.feed_followers import append_each, live_followers
from tests.support.logs import FIRST_LATE, STORES, batch, opened_log, page_messages


@pytest.fixture
def url(tmp_path):
    return STORES["sqlite-late"](tmp_path)


async def found(log, **conditions):
    """Return the sequences that a query finds."""
    pages = [page async for page in history.read(Chat(log, Limits()), Query(**conditions))]
    return [sequence for page in pages for sequence, *_ in page_messages(page)]


async def test_history_finds_the_messages_that_are_kept(url):
    async with opened_log(url) as log:
        assert (log.first, log.head) == (FIRST_LATE, FIRST_LATE - 1)
        assert await found(log) == await found(log, last=3) == await found(log, since=0) == []
        times = []
        for n in range(10):
            (receipt,) = await log.append(batch(f"text {n}", number=1 + n, room=f"room{n % 2}"))
            times.append(receipt.time)
        everything = list(range(FIRST_LATE, FIRST_LATE + 10))
        cursor = Chat(log, Limits()).cursor
        for after in (0, 1, FIRST_LATE - 2, FIRST_LATE - 1):
            assert await found(log, after=cursor(after)) == everything
        assert await found(log, after=cursor(FIRST_LATE)) == everything[1:]
        assert await found(log, before=cursor(FIRST_LATE)) == await found(log, before=cursor(5)) == []
        assert await found(log, before=cursor(FIRST_LATE + 2)) == everything[:2]
        assert await found(log, last=3) == everything[-3:]
        assert await found(log, last=100) == await found(log, since=0) == await found(log, since=times[0]) == everything
        assert await found(log, until=times[0]) == await found(log, until=0) == []
        assert await found(log, limit=2) == everything[:2]
        assert await found(log, contains="TEXT", rooms=("room1",)) == everything[1::2]
        assert await found(log, last=1, rooms=("room0",), input_id="input") == [everything[-2]]


async def test_a_restart_keeps_the_first_sequence_and_the_duplicates(url):
    async with opened_log(url) as log:
        (stored,) = await log.append(batch("a", "b", "c"))
    async with opened_log(url) as log:
        (again,) = await log.append(batch("a", "b", "c"))
        assert log.first == FIRST_LATE
    assert (stored.status, again.status) == (ReceiptStatus.STORED, ReceiptStatus.DUPLICATE)
    assert (stored.sequence, stored.time) == (again.sequence, again.time) == (FIRST_LATE, stored.time)


async def test_followers_get_every_message(url):
    async with opened_log(url) as log:
        async with live_followers(log, 3) as (_, followers):
            await append_each(log, "one", "two")
            for follower in followers:
                await follower.expect_texts("one", "two")
                assert follower.position == FIRST_LATE + 1
        async with live_followers(log, 2, last=1) as (_, followers):
            for follower in followers:
                await follower.expect_texts("two")


async def test_verification_misses_what_was_removed_and_finds_the_rest(url):
    async with opened_log(url) as log:
        await log.append(batch("a", "b"))
        digest = sha256(b"b").digest()
        claims = [Claim(sequence, "lobby", "ann", digest) for sequence in (1, FIRST_LATE - 1, FIRST_LATE + 1, FIRST_LATE)]
        faults = await verify.find_faults(Chat(log, Limits()), claims)
        assert [(fault.index, fault.kind) for fault in faults] == [
            (0, FaultKind.MISSING),
            (1, FaultKind.MISSING),
            (3, FaultKind.OTHER_TEXT),
        ]


async def test_statistics_count_the_messages_that_are_kept(url):
    async with opened_log(url) as log:
        await log.append(batch("a", "bc"))
        stats = await log.stats(10, ())
        assert (stats.num_messages, stats.stored_bytes, stats.num_rooms, stats.num_users) == (2, 3, 1, 1)
