"""The contract of every store for readers: selections, pages, lookups, times and statistics."""

import itertools
from collections import Counter

import pytest

from chatctl.model.messages import Selection
from chatctl.model.stats import NameStats
from chatctl.store.sqlite import block_queries
from tests.support.logs import STORES, batch, messages, opened_log, page_messages, pages, receipt_rows


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    return STORES[request.param](tmp_path)


async def mixture(log):
    """Store messages of two rooms and three users in runs of 1 to 7."""
    number = 1
    for turn in range(40):
        run = [f"{turn}.{i}" for i in range(1 + turn % 7)]
        await log.append(batch(*run, number=number, room=f"room{turn % 2}", user=f"user{turn % 3}"))
        number += len(run)


ROOMS = [(), ("room0",), ("room1", "room0"), ("nowhere",), ("room0", "nowhere", "room0")]
USERS = [(), ("user1",), ("user2", "user0"), ("unknown",)]


async def test_selections_find_the_same_in_both_directions_and_for_any_page_size(url):
    async with opened_log(url) as log:
        await mixture(log)
        everything = await messages(log)
        for rooms, users, count in itertools.product(ROOMS, USERS, (1, 3, 1000)):
            expected = [m for m in everything if (not rooms or m[1] in rooms) and (not users or m[2] in users)]
            assert await messages(log, rooms, users, count) == expected
            found, end = [], log.head
            while end > 0:
                page = await log.read(Selection(rooms, users), 0, end, count, backwards=True)
                assert 0 <= page.position < end
                assert len(page_messages(page)) <= count
                found, end = page_messages(page) + found, page.position
            assert found == expected


async def test_the_bounds_of_a_page_may_be_in_the_middle_of_a_run(url):
    async with opened_log(url) as log:
        await mixture(log)
        everything = await messages(log)
        for after, end in itertools.product((0, *range(log.first - 1, log.first + 29)), repeat=2):
            expected = [m for m in everything if after < m[0] <= end]
            for backwards in (False, True):
                assert page_messages(await log.read(Selection(), after, end, 1000, backwards)) == expected


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


async def append_inputs(log, turns, size=3):
    """Store the inputs `build` and `other` of two users in turns, a third of the messages in the room `den`."""
    stored = []
    for turn in range(turns):
        for user, input_id, i in itertools.product(("ann", "bob"), ("build", "other"), range(size)):
            number, room = 1 + turn * size + i, "lobby" if (turn + i) % 3 else "den"
            (receipt,) = await log.append(batch(f"{turn}.{i}", number=number, user=user, input_id=input_id, room=room))
            stored.append((receipt.sequence, user, input_id, room, number))
    return stored


@pytest.mark.parametrize("limits", [{}, {"MAX_SORTED_BLOCKS": 10}, {"MAX_MERGED_INPUTS": 1}], ids=str)
async def test_an_input_is_found_with_its_numbers(url, monkeypatch, limits):
    for name, limit in limits.items():
        monkeypatch.setattr(block_queries, name, limit)
    async with opened_log(url) as log:
        stored = await append_inputs(log, 20)
        for rooms, users, count in itertools.product([(), ("den",), ("den", "lobby")], [(), ("bob",)], (1, 7, 1000)):
            expected = [
                (sequence, number)
                for sequence, user, input_id, room, number in stored
                if input_id == "build" and (not rooms or room in rooms) and (not users or user in users)
            ]
            found = [
                (run.sequence + i, run.number + i)
                async for page in pages(log, rooms, users, count, "build")
                for run in page.runs
                for i in range(len(run.texts))
            ]
            assert found == expected
            page = await log.read(Selection(rooms, users, "build"), 0, log.head, 5, backwards=True)
            assert [run.number for run in page.runs for _ in run.texts] == [number for _, number in expected][-5:]
        assert await messages(log, input_id="unknown") == []
        assert await messages(log, rooms=("nowhere",), input_id="build") == []
        assert {run.number async for page in pages(log) for run in page.runs} == {0}


async def test_a_part_of_a_block_has_the_number_of_its_first_text(url):
    async with opened_log(url) as log:
        await log.append(batch(*map(str, range(50)), number=101, input_id="build"))
        first = log.first
        (run,) = (await log.read(Selection(input_id="build"), first + 9, first + 20, 5)).runs
        assert (run.sequence, run.number, run.texts) == (first + 10, 111, ["10", "11", "12", "13", "14"])
        (run,) = (await log.read(Selection(input_id="build"), first + 9, first + 20, 5, backwards=True)).runs
        assert (run.sequence, run.number, run.texts) == (first + 16, 117, ["16", "17", "18", "19", "20"])


async def looked_up(log, sequences):
    """Look up the messages with these sequences in as many calls as it takes, each with a bounded result."""
    found, wanted = [], list(sequences)
    while wanted:
        messages, position = await log.lookup(wanted)
        assert position in wanted
        assert sum(len(message.text) for message in messages.values()) <= 1024 * 1024
        assert all(sequence == message.sequence <= position for sequence, message in messages.items())
        found += [tuple(messages[sequence]) for sequence in wanted if sequence in messages]
        wanted = [sequence for sequence in wanted if sequence > position]
    return found


async def test_messages_are_looked_up_however_far_apart_they_are(url):
    async with opened_log(url) as log:
        await mixture(log)
        everything = await messages(log)
        for offset, stride in itertools.product(range(-2, 8), (1, 2, 3, 5, 40)):
            wanted = range(max(1, log.first + offset), log.head + 1, stride)
            assert await looked_up(log, wanted) == [m for m in everything if m[0] in wanted]
        assert await looked_up(log, [log.head, log.head + 1, 2**63 - 1]) == everything[-1:]


async def test_a_lookup_of_long_texts_is_bounded(url):
    async with opened_log(url) as log:
        sizes = [1, 60_000, 999, 1000, 1001, 300_000, 0, 60_000] * 10
        for n, size in enumerate(sizes, 1):
            await log.append(batch("ü" * (size // 2), number=n))
            await log.append(batch("between", number=1000 + n))
        wanted = range(log.first, log.head + 1, 2)
        assert [len(text.encode()) for *_, text in await looked_up(log, wanted)] == [size // 2 * 2 for size in sizes]


async def test_a_time_has_the_sequence_of_the_first_message_at_or_after_it(url, monkeypatch):
    async with opened_log(url) as log:
        assert await log.sequence_at(0) == log.first
        stored = []
        for n, seconds in enumerate((10, 10, 20, 40, 40, 50)):
            monkeypatch.setattr("time.time_ns", lambda seconds=seconds: seconds * 1_000_000_000)
            stored += receipt_rows(await log.append(batch(*"abc", number=1 + 3 * n)))
        for micros in {0, 2**62} | {line[3] + d for line in stored for d in (-1, 0, 1)}:
            expected = next((sequence for _, _, sequence, time in stored if time >= micros), log.head + 1)
            assert await log.sequence_at(micros) == expected


async def test_statistics_agree_with_a_full_count(url):
    async with opened_log(url) as log:
        await mixture(log)
        await mixture(log)  # duplicates and conflicts do not count
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
    async with opened_log(url) as log:
        assert len((await log.stats(1, ())).users) == 1
        assert [figures.name for figures in (await log.stats(100, ("räume", "nowhere"))).rooms] == ["räume"]
        assert await log.stats(100, ()) == stats
