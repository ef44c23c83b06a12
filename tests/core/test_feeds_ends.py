"""The start and the end of following, and what remains after the last follower."""

import asyncio

import pytest

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.core.page_cache import QueryPage
from chatctl.errors import ServerStopping, StoreFailed
from chatctl.model.limits import Limits
from chatctl.model.messages import Selection
from chatctl.store.sqlite.log import SQLiteLog
from tests.support.feed_followers import FeedFollower, RecordedReads, append_each, append_many, live_followers
from tests.support.logs import batch, opened_log
from tests.support.waiting import until_async

SECOND = 1_000_000


@pytest.fixture
def url(tmp_path):
    return f"sqlite:{tmp_path}/chat.db"


@pytest.mark.parametrize("stage", ["at once", "reading", "asleep", "looking", "woken", "stalled", "failed", "ended"])
@pytest.mark.usefixtures("quick_progress", "uncached")
async def test_the_last_follower_leaves_nothing_behind(url, stage):
    async with opened_log(url) as log:
        await append_many(log, 10)
        conditions = {"contains": "needle"} if stage == "looking" else {"limit": 10} if stage == "ended" else {}
        reads, chat = RecordedReads(log), Chat(log, Limits())
        if stage == "reading":
            reads.may_answer.clear()
        followers = [FeedFollower(chat, **conditions) for _ in range(2)]
        if stage == "reading":
            await until_async(lambda: reads)
        elif stage == "ended":
            await asyncio.gather(*(follower.task for follower in followers))
        elif stage != "at once":
            await until_async(lambda: all(follower.live for follower in followers))
        if stage == "stalled":
            followers[0].may_read.clear()
        if stage in ("looking", "woken", "stalled"):
            reads.may_answer.clear()
            reads.clear()
            await append_each(log, "one", "two")
            await until_async(lambda: reads)
        if stage == "failed":
            reads.error = StoreFailed("broken")
            await append_each(log, "one")
            await asyncio.wait([follower.task for follower in followers])
        for follower in followers:
            await follower.cancel()
        assert chat.feeds._feeds == {}
        assert log._listeners._listeners == {}
        reads.error = None
        reads.may_answer.set()
        await until_async(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        await until_async(lambda: chat.feeds._timer is None)
        again = FeedFollower(chat, last=1)  # and a follower can start again
        await until_async(lambda: again.live)
        await append_each(log, "new")
        await until_async(lambda: again.texts[-1] == "new")
        await again.cancel()


async def test_last_and_limit_count_stored_and_new_messages(url):
    async with opened_log(url) as log:
        await append_many(log, 1500)
        chat = Chat(log, Limits())
        last = FeedFollower(chat, last=2)
        limited = FeedFollower(chat, last=1, limit=3)
        found = FeedFollower(chat, last=1, contains="99", limit=2)
        await until_async(lambda: last.live and limited.live and found.live)
        await append_each(log, "a", "b 99", "c")
        await last.expect_texts("1499", "1500", "a", "b 99", "c")
        await limited.expect_texts("1500", "a", "b 99")
        await found.expect_texts("1499", "b 99")
        await limited.task
        await found.task
        assert (limited.position, found.position) == (1502, 1502)
        await last.cancel()


async def test_since_may_be_in_the_future(url, monkeypatch):
    async with opened_log(url) as log:
        clock = [10]
        monkeypatch.setattr("time.time_ns", lambda: clock[0] * 1_000_000_000)
        await append_each(log, "early")
        async with live_followers(log, 2, since=20 * SECOND) as (chat, followers):
            stored = FeedFollower(chat, since=5 * SECOND)
            await append_each(log, "too early")
            clock[0] = 20
            await append_each(log, "now")
            clock[0] = 15  # times never decrease along the log
            await append_each(log, "then")
            for follower in followers:
                await follower.expect_texts("now", "then")
            await stored.expect_texts("early", "too early", "now", "then")
            assert [follower.texts for follower in followers] == [["now", "then"]] * 2
            await stored.cancel()


async def test_until_yields_exactly_the_messages_stored_before(url, monkeypatch):
    async with opened_log(url) as log:
        clock = [10.0]
        monkeypatch.setattr("time.time_ns", lambda: int(clock[0] * 1_000_000_000))
        monkeypatch.setattr("time.time", lambda: clock[0])
        await append_each(log, "one")
        async with live_followers(log, 2, until=20 * SECOND) as (chat, followers):
            quiet, rare = (
                FeedFollower(chat, until=20 * SECOND, rooms=("den",)),
                FeedFollower(chat, until=20 * SECOND, contains="W"),
            )
            never = FeedFollower(chat, until=10 * SECOND)
            await never.expect_texts()
            await never.task
            clock[0] = 19.999
            await log.append(batch("two", "three", number=2))
            for follower in followers:
                await follower.expect_texts("one", "two", "three")
                assert not follower.task.done()
            clock[0] = 20.0
            await append_each(log, "too late")
            for follower in followers:
                await follower.task
                await follower.expect_texts("one", "two", "three")
            clock[0] = 30.0
            await append_each(log, "W", room="den")  # wakes the followers whose wait the faked clock does not end
            for follower, expected in ((quiet, []), (rare, ["two"])):
                await follower.task
                assert follower.texts == expected
                assert follower.position == 3


async def test_until_ends_a_quiet_follower_and_waits_for_messages_being_written(url, monkeypatch):
    async with opened_log(url) as log:
        now = asyncio.get_running_loop().time
        offset = 1_000_000 - now()
        monkeypatch.setattr("time.time", lambda: now() + offset)
        monkeypatch.setattr("time.time_ns", lambda: 999_999 * 1_000_000_000)  # the store's clock stands still
        monkeypatch.setattr("chatctl.core.history.COMMIT_GRACE_SECONDS", 0.3)
        ends = 1_000_000.2
        async with live_followers(log, 2, until=int(ends * SECOND)) as (_, followers):
            await until_async(lambda: now() + offset > ends)
            await append_each(log, "in the last moment")
            for follower in followers:
                await follower.task
                assert follower.texts == ["in the last moment"]


async def test_a_stopping_server_ends_all_followers_and_accepts_no_more(url):
    async with opened_log(url) as log:
        await append_many(log, 10)
        async with live_followers(log, 2, users=("unknown",)) as (chat, followers):
            stalled = FeedFollower(chat)
            stalled.may_read.clear()
            await until_async(lambda: stalled.pages)
            chat.feeds.shut_down()
            for follower in followers:
                with pytest.raises(ServerStopping, match="last cursor"):
                    await follower.task
            stalled.may_read.set()
            with pytest.raises(ServerStopping):
                await stalled.task
            assert stalled.texts == [f"{n}" for n in range(1, 11)]
            late = FeedFollower(chat)
            with pytest.raises(ServerStopping):
                await late.task
            assert chat.feeds._feeds == {}


async def test_until_goes_by_the_clock_if_messages_have_later_times(tmp_path, monkeypatch):
    """The clock was ahead for the first message, so those after it have its time, too."""
    stamp, clock = [9_000_000 * SECOND], [10.0]
    monkeypatch.setattr("time.time_ns", lambda: stamp[0] * 1000)
    monkeypatch.setattr("time.time", lambda: clock[0])
    monkeypatch.setattr(history, "COMMIT_GRACE_SECONDS", 0.0)
    log = await SQLiteLog.open(f"{tmp_path}/chat.db")
    await append_each(log, "ahead")
    stamp[0] = 10 * SECOND
    async with live_followers(log, 2, until=20 * SECOND) as (chat, followers):
        await log.append(batch("live", number=2))
        for follower in followers:
            await follower.expect_texts("ahead", "live")
            assert not follower.task.done()
        short = FeedFollower(chat, until=10 * SECOND + SECOND // 10, last=1)
        await short.task  # the time comes while nothing is stored
        assert short.texts == ["live"]
        clock[0] = 20.0
        await log.append(batch("late", number=3))
        for follower in followers:
            await follower.task
            assert follower.texts[:2] == ["ahead", "live"]
        past = FeedFollower(chat, until=19 * SECOND)
        await past.task
        assert past.texts == []
    await log.close()


async def test_messages_stored_after_the_end_are_not_shown_if_the_clock_was_ahead(tmp_path, monkeypatch):
    stamp = [9_000_000 * SECOND]
    monkeypatch.setattr("time.time_ns", lambda: stamp[0] * 1000)
    log = await SQLiteLog.open(f"{tmp_path}/chat.db")
    await append_each(log, "ahead", "live")
    stamp[0] = 10 * SECOND
    end = history.EndTime(Chat(log, Limits()), until=10 * SECOND)
    await until_async(lambda: end._head is not None)
    await log.append(batch("late", number=3))
    page = await log.read(Selection(), 0, 3, 10)
    assert end.is_before(QueryPage(page.runs, 3))
    assert not end.is_before(QueryPage(page.runs, 2))
    assert await end.last_sequence() == 2
    end.close()
    await log.close()
