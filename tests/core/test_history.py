"""History: the messages that a query matches, their order, and following without a gap."""

import asyncio
from dataclasses import replace

import pytest

from chatctl import errors
from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.model.limits import Limits
from chatctl.model.messages import Query
from tests.support.logs import batch, opened_log, page_messages


@pytest.fixture
def url(tmp_path):
    return f"sqlite:{tmp_path}/chat.db"


async def answer(log, query):
    """Return the messages that a query finds, as (sequence, room, user, text)."""
    return [message async for page in history.read(Chat(log, Limits()), query) for message in page_messages(page)]


async def found(log, **conditions):
    """Return the texts that a query finds."""
    return [text for *_, text in await answer(log, Query(**conditions))]


def cursor(log, sequence):
    return f"{log.id}:{sequence}"


async def numbered(log, count=2500):
    """Store more than two pages of messages whose texts are their sequences; the room changes every 100 messages."""
    for n in range(1, count + 1, 100):
        await log.append(batch(*map(str, range(n, n + 100)), number=n, room=f"room{n // 100 % 2}"))
    assert log.head == count


def numbers(first, last):
    return [str(n) for n in range(first, last + 1)]


async def test_a_query_without_conditions_finds_everything_in_log_order(url):
    async with opened_log(url) as log:
        assert await found(log) == []
        await numbered(log)
        assert await found(log) == numbers(1, 2500)


async def test_last_limit_after_and_before_bound_the_result(url):
    async with opened_log(url) as log:
        await numbered(log)
        assert await found(log, last=3) == numbers(2498, 2500)
        assert await found(log, last=1500) == numbers(1001, 2500)
        assert await found(log, last=9999) == numbers(1, 2500)
        assert await found(log, limit=3) == numbers(1, 3)
        assert await found(log, limit=1000) == numbers(1, 1000)
        assert await found(log, limit=1001) == numbers(1, 1001)
        assert await found(log, last=1500, limit=2) == numbers(1001, 1002)
        assert await found(log, after=cursor(log, 2490)) == numbers(2491, 2500)
        assert await found(log, after=cursor(log, 2490), limit=2) == numbers(2491, 2492)
        assert await found(log, after=cursor(log, 2500)) == []
        assert await found(log, before=cursor(log, 5)) == numbers(1, 4)
        assert await found(log, before=cursor(log, 0)) == []
        assert await found(log, after=cursor(log, 10), before=cursor(log, 15)) == numbers(11, 14)
        assert await found(log, after=cursor(log, 15), before=cursor(log, 10)) == []
        assert await found(log, rooms=("room1",), last=150) == numbers(2251 - 100, 2200) + numbers(2301, 2400)
        assert await found(log, users=("unknown",)) == []


async def test_paging_backwards_with_before_and_last_finds_every_message_once(url):
    async with opened_log(url) as log:
        await numbered(log)
        for conditions in ({}, {"rooms": ("room1",)}, {"contains": "7"}):
            expected, pages, before = await found(log, **conditions), [], ""
            while page := await answer(log, Query(**conditions, before=before, last=130)):
                assert len(page) == 130 or page[-1][3] == expected[len(page) - 1]
                pages, before = page + pages, cursor(log, page[0][0])
            assert [text for *_, text in pages] == expected


async def test_since_includes_its_time_and_until_excludes_it(url, monkeypatch):
    async with opened_log(url) as log:
        for second in (10, 20, 20, 30):
            monkeypatch.setattr("time.time_ns", lambda second=second: second * 1_000_000_000)
            await log.append(batch(f"{second}.{log.head}", number=log.head + 1))
        ten, twenty, thirty = ["10.0"], ["20.1", "20.2"], ["30.3"]
        assert await found(log, since=20_000_000) == twenty + thirty
        assert await found(log, since=20_000_001) == thirty
        assert await found(log, until=20_000_000) == ten
        assert await found(log, until=20_000_001) == ten + twenty
        assert await found(log, since=20_000_000, until=30_000_000) == twenty
        assert await found(log, since=30_000_000, until=20_000_000) == []
        assert await found(log, since=10_000_000, last=2) == ["20.2", *thirty]
        assert await found(log, until=30_000_000, last=2) == twenty
        assert await found(log, since=20_000_000, contains="0", limit=1) == ["20.1"]
        assert await found(log, since=2**60) == await found(log, until=-5) == []


async def test_contains_ignores_case_and_has_no_patterns(url):
    texts = ["Eine Straße", "STRASSE", "100%", "100 percent", "under_score", "underXscore", "nul\0after", "two\nlines", ""]

    async with opened_log(url) as log:
        await log.append(batch(*texts))
        for needle, expected in {
            "STRASSE": ["Eine Straße", "STRASSE"],
            "straße": ["Eine Straße", "STRASSE"],
            "0%": ["100%"],
            "%": ["100%"],
            "_": ["under_score"],
            "after": ["nul\0after"],
            "\0": ["nul\0after"],
            "o\nl": ["two\nlines"],
            "e\nS": [],  # no match across two texts
            "nowhere": [],
        }.items():
            assert await found(log, contains=needle) == expected


async def test_last_and_limit_count_only_matches_of_contains(url):
    async with opened_log(url) as log:
        await numbered(log)
        sevens = [text for text in numbers(1, 2500) if "7" in text]
        for n in (1, 2, 10, 300, len(sevens), 5000):
            assert await found(log, contains="7", last=n) == sevens[-n:]
            assert await found(log, contains="7", limit=n) == sevens[:n]
        assert await found(log, contains="7", last=10, limit=4) == sevens[-10:-6]


async def test_a_text_must_contain_all_of_several(url):
    async with opened_log(url) as log:
        await log.append(batch("Straße nach Rom", "STRASSE", "nach Rom", "Rom, nach der strasse", "rom"))
        both = ["Straße nach Rom", "Rom, nach der strasse"]
        assert await found(log, contains="strasse", also_contains=("ROM",)) == both
        assert await found(log, also_contains=("nach", "strasse", "")) == both
        assert await found(log, contains="rom", also_contains=("ro", "nach rom")) == ["Straße nach Rom", "nach Rom"]
        assert await found(log, contains="rom", also_contains=("strasse",), last=1) == both[1:]
        assert await found(log, contains="rom", also_contains=("strasse",), limit=1) == both[:1]
        assert await found(log, contains="rom", also_contains=("nowhere",)) == []


async def test_the_cursor_of_a_page_resumes_after_it(url):
    async with opened_log(url) as log:
        await numbered(log)
        query = Query(contains="77", limit=3)
        seen = []
        while True:
            pages = [page async for page in history.read(Chat(log, Limits()), query)]
            seen += [text for page in pages for *_, text in page_messages(page)]
            query = replace(query, after=cursor(log, pages[-1].position))
            if pages[-1].position == log.head:
                break
        assert seen == [text for text in numbers(1, 2500) if "77" in text]


async def test_a_follower_gets_each_message_once_while_several_users_write(url):
    async def write(log, user):
        for n in range(1, 301, 3):
            await log.append(batch(*(f"{user}{i}" for i in range(n, n + 3)), number=n, user=user))

    async def follow(log, query, count):
        seen = []
        async for page in history.read(Chat(log, Limits()), query):
            seen += page_messages(page)
            if len(seen) >= count:
                return seen
        return None

    async with opened_log(url) as log:
        await numbered(log)
        users = ("bob", "cid", "dan")
        start = Query(after=cursor(log, 2000), follow=True)
        whole, bobs, late, *_ = await asyncio.gather(
            follow(log, start, 500 + 900),
            follow(log, replace(start, users=("bob",)), 300),
            follow(log, Query(last=1, contains="id", follow=True), 300),
            *[write(log, user) for user in users],
        )
        assert [m[0] for m in whole] == list(range(2001, 3401))
        assert [m[3] for m in bobs] == [f"bob{n}" for n in range(1, 301)]
        assert [m[3] for m in late] == [f"cid{n}" for n in range(1, 301)]


async def test_a_follower_reports_that_it_is_live_and_stops_at_its_limit_or_with_the_log(url):
    async with opened_log(url) as log:
        await numbered(log)
        pages = history.read(Chat(log, Limits()), Query(after=cursor(log, 1000), follow=True, limit=1502))
        lives, seen = [], []
        while len(seen) < 1500:
            page = await anext(pages)
            seen += page_messages(page)
            lives.append((len(seen), page.live))
        assert lives == sorted(lives)
        assert lives[-1] == (1500, True)
        assert not lives[0][1]
        await log.append(batch("new", "newer", "newest", user="late"))
        assert [(m[3], page.live) async for page in pages for m in page_messages(page)] == [("new", True), ("newer", True)]

        chat = Chat(log, Limits())
        empty = history.read(chat, Query(users=("unknown",), follow=True))
        assert (await anext(empty)).live
        chat.feeds.shut_down()
        with pytest.raises(errors.ServerStopping):
            await anext(empty)


@pytest.mark.parametrize(
    ("kind", "conditions"),
    [
        (errors.CursorMalformed, {"after": "nonsense"}),
        (errors.CursorMalformed, {"after": "LOG:"}),
        (errors.CursorMalformed, {"before": "LOG:-1"}),
        (errors.CursorMalformed, {"after": "LOG:1x"}),
        (errors.CursorMalformed, {"after": "LOG:٣"}),
        (errors.CursorMalformed, {"after": ":1"}),
        (errors.CursorMalformed, {"after": "LOG:" + "1" * 5000}),
        (errors.CursorOtherLog, {"after": "000000000000:1"}),
        (errors.CursorOtherLog, {"before": "000000000000:1"}),
        (errors.CursorBeyondHead, {"after": "LOG:2"}),
        (errors.CursorBeyondHead, {"before": "LOG:999"}),
        (errors.InvalidRequest, {"last": 1, "after": "LOG:1"}),
        (errors.InvalidRequest, {"last": -1}),
        (errors.InvalidRequest, {"limit": -1}),
        (errors.InvalidRequest, {"follow": True, "before": "LOG:1"}),
        (errors.InvalidRequest, {"contains": "ü" * 513}),
        (errors.InvalidRequest, {"also_contains": ("ü" * 513,)}),
        (errors.InvalidRequest, {"also_contains": ("x",) * 101}),
        (errors.InvalidRequest, {"rooms": ("",)}),
        (errors.InvalidRequest, {"input_id": "x" * 129}),
        (errors.InvalidRequest, {"input_id": "a\nb"}),
        (errors.InvalidRequest, {"users": ("x" * 129,)}),
        (errors.InvalidRequest, {"rooms": ("a\x1b[0m",)}),
        (errors.InvalidRequest, {"rooms": ("room",) * 101}),
    ],
    ids=str,
)
async def test_an_invalid_query_is_rejected_with_its_own_error(url, kind, conditions):
    async with opened_log(url) as log:
        await log.append(batch("one"))
        known = {key: value.replace("LOG", log.id) if isinstance(value, str) else value for key, value in conditions.items()}
        with pytest.raises(kind):
            await answer(log, Query(**known))


async def test_an_input_is_read_with_its_numbers_and_other_conditions(url):
    async with opened_log(url) as log:
        for n in range(1, 11):
            for input_id in ("build", "other"):
                await log.append(batch(f"{input_id} {n}", number=n, input_id=input_id, room=f"room{n % 2}"))

        async def numbers(**conditions):
            pages = [page async for page in history.read(Chat(log, Limits()), Query(input_id="build", **conditions))]
            assert {text.split()[0] for page in pages for *_, text in page_messages(page)} <= {"build"}
            return [run.number + i for page in pages for run in page.runs for i in range(len(run.texts))]

        assert await numbers() == list(range(1, 11))
        assert await numbers(rooms=("room1",)) == [1, 3, 5, 7, 9]
        assert await numbers(last=3) == [8, 9, 10]
        assert await numbers(limit=2, contains="0") == [10]
        assert await numbers(users=("bob",)) == []
        assert await numbers(after=cursor(log, 11)) == [7, 8, 9, 10]


async def test_a_search_and_a_limit_in_the_middle_of_a_run_keep_the_numbers_right(url):
    async with opened_log(url) as log:
        await log.append(batch("a", "b", "needle 1", "needle 2", "c", "needle 3", number=11, input_id="build"))
        query = Query(input_id="build", contains="needle", limit=2)
        pages = [page async for page in history.read(Chat(log, Limits()), query)]
        assert [(run.number, run.texts) for page in pages for run in page.runs] == [(13, ["needle 1", "needle 2"])]
