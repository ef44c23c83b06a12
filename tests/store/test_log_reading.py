"""What every store promises to readers of its log: filters, pages, times and figures."""

import itertools
from collections import Counter

import pytest

from chatctl.model.stats import NameStats
from tests.support.logs import STORES, batch, messages, opened_log, page_messages, pages, receipt_rows, run_on_log


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    return STORES[request.param](tmp_path)


async def mixture(log):
    """Messages of two rooms and three users in runs of 1 to 7."""
    number = 1
    for turn in range(40):
        run = [f"{turn}.{i}" for i in range(1 + turn % 7)]
        await log.append(batch(*run, number=number, room=f"room{turn % 2}", user=f"user{turn % 3}"))
        number += len(run)


ROOMS = [(), ("room0",), ("room1", "room0"), ("nowhere",), ("room0", "nowhere", "room0")]
USERS = [(), ("user1",), ("user2", "user0"), ("nobody",)]


async def test_filters_find_the_same_forwards_and_backwards_whatever_the_page(url):
    async with opened_log(url) as log:
        await mixture(log)
        everything = await messages(log)
        for rooms, users, count in itertools.product(ROOMS, USERS, (1, 3, 1000)):
            expected = [m for m in everything if (not rooms or m[1] in rooms) and (not users or m[2] in users)]
            assert await messages(log, rooms, users, count) == expected
            found, end = [], log.head
            while end > 0:
                page = await log.read(rooms, users, 0, end, count, backwards=True)
                assert 0 <= page.position < end
                assert len(page_messages(page)) <= count
                found, end = page_messages(page) + found, page.position
            assert found == expected


async def test_a_page_holds_what_lies_between_its_bounds_also_in_the_middle_of_a_run(url):
    async with opened_log(url) as log:
        await mixture(log)
        everything = await messages(log)
        for after, end in itertools.product(range(30), repeat=2):
            expected = [m for m in everything if after < m[0] <= end]
            for backwards in (False, True):
                assert page_messages(await log.read((), (), after, end, 1000, backwards)) == expected


async def test_a_page_is_bounded_in_messages_and_in_bytes(url):
    async with opened_log(url) as log:
        for n in range(5):
            await log.append(batch(*["x"] * 1000, number=1 + 1000 * n))
        for n in range(40):
            await log.append(batch("y" * 60_000, number=10_001 + n))
        found = [page async for page in pages(log)]
        assert sum(len(page_messages(page)) for page in found) == 5040
        for page in found:
            assert len(page_messages(page)) <= 1000
            assert sum(len(text) for *_, text in page_messages(page)) <= 1024 * 1024


async def picked(log, sequences):
    """The messages with these sequences, picked in as many turns as it takes, none of which holds much."""
    found, wanted = [], list(sequences)
    while wanted:
        messages, position = await log.lookup(wanted)
        assert position in wanted
        assert sum(len(message.text) for message in messages.values()) <= 1024 * 1024
        assert all(sequence == message.sequence <= position for sequence, message in messages.items())
        found += [tuple(messages[sequence]) for sequence in wanted if sequence in messages]
        wanted = [sequence for sequence in wanted if sequence > position]
    return found


async def test_messages_are_picked_by_sequence_however_far_apart_they_lie(url):
    async with opened_log(url) as log:
        await mixture(log)
        everything = await messages(log)
        for first, stride in itertools.product(range(1, 9), (1, 2, 3, 5, 40)):
            wanted = range(first, log.head + 1, stride)
            assert await picked(log, wanted) == [m for m in everything if m[0] in wanted]
        assert await picked(log, [log.head, log.head + 1, 2**63 - 1]) == everything[-1:]


async def test_what_is_picked_comes_in_small_pages_when_texts_are_long(url):
    async with opened_log(url) as log:
        sizes = [1, 60_000, 999, 1000, 1001, 300_000, 0, 60_000] * 10
        for n, size in enumerate(sizes, 1):
            await log.append(batch("ü" * (size // 2), number=n))
            await log.append(batch("between", number=1000 + n))
        wanted = range(1, log.head + 1, 2)
        assert [len(text.encode()) for *_, text in await picked(log, wanted)] == [size // 2 * 2 for size in sizes]


async def test_a_time_is_found_by_the_first_message_stored_then_or_later(url, monkeypatch):
    async with opened_log(url) as log:
        assert await log.sequence_at(0) == 1
        stored = []
        for n, seconds in enumerate((10, 10, 20, 40, 40, 50)):
            monkeypatch.setattr("time.time_ns", lambda seconds=seconds: seconds * 1_000_000_000)
            stored += receipt_rows(await log.append(batch(*"abc", number=1 + 3 * n)))
        for micros in {0, 2**62} | {line[3] + d for line in stored for d in (-1, 0, 1)}:
            expected = next((sequence for _, _, sequence, time in stored if time >= micros), log.head + 1)
            assert await log.sequence_at(micros) == expected


def test_figures_are_those_of_a_count_from_scratch(url):
    async def step(log):
        await mixture(log)
        await mixture(log)  # duplicates and conflicts count for nothing
        await log.append(batch("not stored", number=1, user="user0", room="never"))
        await log.append(batch("Straße 🚋", number=10_000, user="zoë", room="räume"))
        everything = await messages(log)
        stats = await log.stats(100, ())
        assert stats.num_messages == len(everything)
        assert stats.stored_bytes == sum(len(text.encode()) for *_, text in everything)
        times = {
            m: run.time async for page in pages(log) for run in page.runs for m in page_messages(page._replace(runs=[run]))
        }
        for at, figures, number in ((1, stats.rooms, stats.num_rooms), (2, stats.users, stats.num_users)):
            counts = Counter(m[at] for m in everything)
            last = {m[at]: times[m] for m in everything}
            assert sorted(figures) == sorted(NameStats(name, count, last[name]) for name, count in counts.items())
            assert [f.num_messages for f in figures] == sorted(counts.values(), reverse=True)
            assert number == len(counts)
        return stats

    async def again(log):
        assert len((await log.stats(1, ())).users) == 1
        assert [figures.name for figures in (await log.stats(100, ("räume", "nowhere"))).rooms] == ["räume"]
        return await log.stats(100, ())

    before, after = run_on_log(url, step, again)
    assert before == after
