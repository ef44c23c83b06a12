"""Feeds: followers share pages that are read once, and do not disturb each other."""

import asyncio
import tracemalloc

import pytest

from chatctl.core import feeds, history, page_cache
from chatctl.core.chat import Chat
from chatctl.core.filters import MessageFilter
from chatctl.errors import StoreFailed
from chatctl.model.limits import Limits
from chatctl.server.service import ChatService
from tests.support.feed_followers import FeedFollower, RecordedReads, append_each, append_many, cursor, live_followers
from tests.support.logs import batch, opened_log
from tests.support.waiting import until_async


@pytest.fixture
def url(tmp_path):
    return f"sqlite:{tmp_path}/chat.db"


async def test_followers_of_one_filter_share_each_read(url):
    async with opened_log(url) as log:
        reads = RecordedReads(log)
        async with live_followers(log, 40, rooms=("lobby",)) as (chat, followers):
            expected = [f"{n}" for n in range(150)]
            await append_each(log, *expected)
            for follower in followers:
                await follower.expect_texts(*expected)
            assert len(reads) <= len(expected)
            assert len(set(reads)) == len(reads)
            assert max(len(follower.pages) for follower in followers) <= len(expected) + 1
            (feed,) = chat.feeds._feeds.values()
            assert len(feed._waiters) <= 40


async def test_followers_that_start_together_share_the_reads_of_stored_messages(url):
    async with opened_log(url) as log:
        await append_many(log, 5000)
        reads = RecordedReads(log)
        async with live_followers(log, 30) as (_, followers):
            for follower in followers:
                await follower.expect_texts(*(f"{n}" for n in range(1, 5001)))
            assert [after for _, after in reads] == [0, 1000, 2000, 3000, 4000]
            # All get the same page object, so its frame is made once.
            assert len({id(follower.pages[2]) for follower in followers}) == 1


async def test_more_followers_get_larger_pages(url, monkeypatch):
    monkeypatch.setattr(feeds, "WAKE_SECONDS_PER_FOLLOWER", 0.005)

    async with opened_log(url) as log, live_followers(log, 20) as (_, followers):
        expected = [f"{n}" for n in range(100)]
        await append_each(log, *expected)  # takes about as long as one wake-up of all of them
        for follower in followers:
            await follower.expect_texts(*expected)
            assert len(follower.pages) < 50


async def test_every_follower_is_woken_even_in_small_batches(url, monkeypatch):
    monkeypatch.setattr(feeds, "WAKE_BATCH", 2)

    async with opened_log(url) as log, live_followers(log, 7) as (_, followers):
        await append_each(log, "the only one")
        for follower in followers:
            await follower.expect_texts("the only one")
        assert all(follower.live for follower in followers)


async def test_followers_of_other_rooms_do_not_wake_or_read(url, monkeypatch):
    waits = []
    wait = feeds.Feed.wait

    async def counted(feed):
        waits.append(feed)
        await wait(feed)

    monkeypatch.setattr(feeds.Feed, "wait", counted)

    async with opened_log(url) as log:
        await append_each(log, "before", room="den")
        reads = RecordedReads(log)
        async with (
            live_followers(log, 5, rooms=("den", "attic"), after=cursor(log, 1)) as (_, quiet),
            live_followers(log, 1, rooms=("lobby",)) as (_, (busy,)),
        ):
            await until_async(lambda: len(waits) == 6)
            await append_each(log, *"abc")
            await busy.expect_texts(*"abc")
            assert len([feed for feed in waits if feed is waits[0]]) == 5
            await append_each(log, "d", room="attic")
            for follower in quiet:
                await follower.expect_texts("d")
            assert {rooms for rooms, _ in reads} <= {("lobby",)}


@pytest.mark.usefixtures("quick_progress")
@pytest.mark.parametrize("conditions", [{"contains": "NEEDLE"}, {"users": ("eve",)}], ids=str)
@pytest.mark.parametrize("fresh_runs", [0, 4096])
async def test_a_rare_match_is_searched_once_for_all_followers_and_their_cursors_advance(
    url, monkeypatch, conditions, fresh_runs
):
    monkeypatch.setattr(feeds, "MAX_RECENT_RUNS", fresh_runs)

    async with opened_log(url) as log:
        reads = RecordedReads(log)
        async with live_followers(log, 20, **conditions) as (_, followers):
            await append_each(log, *(f"hay {n}" for n in range(100)))
            await until_async(lambda: all(follower.position == log.head for follower in followers))
            assert [follower.seen for follower in followers] == [[]] * 20
            assert len(reads) <= (1 if fresh_runs else 100)
            assert len(set(reads)) == len(reads)
            await append_each(log, "the needle", user="eve")
            await append_each(log, "more hay")
            for follower in followers:
                await follower.expect_texts("the needle")
                positions = [answer.position for answer in follower.pages]
                assert positions == sorted(positions)
            await until_async(lambda: all(follower.position == 102 for follower in followers))


@pytest.mark.usefixtures("quick_progress")
async def test_the_cursors_of_quiet_rooms_advance_without_a_read(url):
    async with opened_log(url) as log:
        await append_each(log, "here", room="den")
        async with live_followers(log, 3, rooms=("den",), last=1) as (chat, quiet):
            quiet += [FeedFollower(chat, rooms=(f"room {n}",), after=cursor(log, 1)) for n in range(7)]
            await until_async(lambda: all(follower.live for follower in quiet))
            reads = RecordedReads(log)
            for _ in range(3):
                await append_each(log, "elsewhere")
                await until_async(lambda: all(follower.position == log.head for follower in quiet))
            assert reads == []
            await append_each(log, "there", room="den")
            for follower in quiet[:3]:
                await follower.expect_texts("here", "there")


@pytest.mark.usefixtures("quick_progress")
@pytest.mark.parametrize("count", [1, 100])
async def test_followers_hear_something_though_nothing_is_stored(url, count):
    """A proxy cuts a stream on which nothing comes. The position is the same, and nothing is read for it."""
    async with opened_log(url) as log:
        await append_each(log, "here")
        async with live_followers(log, count, after=cursor(log, 1)) as (chat, quiet):
            other = FeedFollower(chat, rooms=("den",), after=cursor(log, 1))
            await until_async(lambda: other.live)
            reads = RecordedReads(log)
            for follower in (*quiet, other):
                await until_async(lambda follower=follower: len(follower.pages) >= 4)
                assert [(page.runs, page.position, page.live) for page in follower.pages] == [
                    ([], 1, True) for _ in follower.pages
                ]
            assert reads == []
            await other.cancel()
        assert chat.feeds._timer is None  # without followers there is no timer


@pytest.mark.usefixtures("uncached")
async def test_a_report_that_is_due_during_a_search_follows_it(url, monkeypatch):
    """A log that is busy with other messages is always searched when a feed has its turn."""
    monkeypatch.setattr(history, "SEARCH_PROGRESS_SECONDS", 0)
    async with opened_log(url) as log, live_followers(log, contains="needle") as (chat, (follower,)):
        reads = RecordedReads(log)
        reads.may_answer.clear()
        await append_each(log, "hay")
        await until_async(lambda: reads)
        (feed,) = chat.feeds._feeds.values()
        feed._last_wakeup -= feeds.PROGRESS_INTERVAL_SECONDS
        feed.report_progress()
        assert follower.position == 0
        reads.may_answer.set()
        await until_async(lambda: follower.position == 1)


@pytest.mark.usefixtures("uncached")
async def test_a_feed_that_woke_its_followers_lately_lets_its_turn_pass(url):
    async with opened_log(url) as log, live_followers(log) as (chat, _):
        (feed,) = chat.feeds._feeds.values()
        feed.report_progress()
        assert feed._delivery_handle is None
        feed._last_wakeup -= feeds.PROGRESS_INTERVAL_SECONDS
        feed.report_progress()
        assert feed._delivery_handle is not None


# --- late, slow and cancelled followers


async def test_late_and_stalled_followers_get_every_message_once(url):
    async with opened_log(url) as log, live_followers(log, 3) as (chat, (stalled, *others)):
        stalled.may_read.clear()
        await append_many(log, 2500)
        await others[0].expect_texts(*(f"{n}" for n in range(1, 2501)))
        late, middle = FeedFollower(chat), FeedFollower(chat, after=cursor(log, 1234))
        await append_many(log, 700)
        stalled.may_read.set()
        expected = [f"{n}" for n in range(1, 3201)]
        for follower in (stalled, late, *others):
            await follower.expect_texts(*expected)
        await middle.expect_texts(*expected[1234:])
        await append_each(log, "3201")
        for follower in (stalled, late, middle):
            await until_async(lambda follower=follower: follower.texts[-1] == "3201")
            assert follower.live
        await late.cancel()
        await middle.cancel()


async def test_the_cache_is_bounded_and_evictions_lose_nothing(url, monkeypatch):
    monkeypatch.setattr(page_cache, "MAX_CACHE_BYTES", 100_000)

    async with opened_log(url) as log:
        await append_many(log, 3000)
        async with live_followers(log, 2, limits=Limits(batch_messages=100)) as (chat, followers):
            kept = chat.feeds._cache._pages
            laggards = [FeedFollower(chat) for _ in range(5)]
            for number, follower in enumerate(laggards):
                follower.may_read.clear()
                await until_async(lambda follower=follower: follower.pages)
                follower.may_read.set()
                await until_async(lambda follower=follower, number=number: len(follower.pages) > 3 * number)
                follower.may_read.clear()
            await append_many(log, 1000)
            for follower in laggards:
                follower.may_read.set()
            for follower in (*followers, *laggards):
                await follower.expect_texts(*(f"{n}" for n in range(1, 4001)))
                await follower.cancel()
            assert (
                0
                < sum(page_cache._memory_size(answers) for answers, _ in kept.values())
                == chat.feeds._cache._bytes
                <= 100_000
            )


@pytest.mark.parametrize("text", ["", "hello", "😀" * 100], ids=len)
async def test_the_bound_of_the_cache_is_close_to_its_memory(url, monkeypatch, text):
    monkeypatch.setattr(page_cache, "MAX_CACHE_BYTES", 1_000_000)

    async with opened_log(url) as log:
        # Each message is its own run, as in a conversation.
        await asyncio.gather(*(log.append(batch(text, number=n, room=f"room {n % 3}")) for n in range(1, 8001)))
        chat = Chat(log, Limits())
        service = ChatService(chat, None, None)
        tracemalloc.start()
        for after in range(0, 8000, 1000):
            for answer in await chat.feeds._cache.read(MessageFilter(), after, log.head):
                service._frame(answer)
        del answer
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(chat.feeds._cache._pages) < 8
        assert 500_000 < taken < 3_000_000


async def test_a_follower_cancelled_during_a_shared_read_does_not_disturb_the_others(url):
    async with opened_log(url) as log:
        await append_many(log, 10)
        reads, chat = RecordedReads(log), Chat(log, Limits())
        reads.may_answer.clear()
        first, second, third = (FeedFollower(chat) for _ in range(3))
        await until_async(lambda: reads)
        await first.cancel()
        await second.cancel()
        late = FeedFollower(chat)
        reads.may_answer.set()
        for follower in (third, late):
            await follower.expect_texts(*map(str, range(1, 11)))
        assert reads == [((), 0)]
        await third.cancel()
        await late.cancel()


@pytest.mark.usefixtures("uncached")
async def test_a_failed_read_reaches_every_follower_and_later_reads_work(url):
    async with opened_log(url) as log, live_followers(log, 3) as (chat, followers):
        reads = RecordedReads(log)
        reads.error = StoreFailed("the disk is broken")
        await append_each(log, "one")
        for follower in followers:
            with pytest.raises(StoreFailed, match="broken"):
                await follower.task
        reads.error = None
        again = FeedFollower(chat, last=1)
        await again.expect_texts("one")
        await until_async(lambda: again.live)
        await append_each(log, "two")
        await again.expect_texts("one", "two")
        await again.cancel()


@pytest.mark.parametrize("recent_runs", [0, 4096])
async def test_followers_of_an_input_get_its_messages_with_their_numbers(url, monkeypatch, recent_runs):
    monkeypatch.setattr(feeds, "MAX_RECENT_RUNS", recent_runs)
    async with opened_log(url) as log, live_followers(log, 3, input_id="build") as (_, followers):
        for n in range(1, 6):
            await log.append(batch(f"other {n}", number=n, input_id="other"))
            await log.append(batch(f"build {n}", number=n, input_id="build"))
        for follower in followers:
            await follower.expect_texts(*(f"build {n}" for n in range(1, 6)))
            assert [run.number for page in follower.pages for run in page.runs] == [1, 2, 3, 4, 5]
