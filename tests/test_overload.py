"""Many at once: followers of quiet rooms cost the busy ones nothing."""

import asyncio
from collections import Counter

import pytest
from cli import until
from logs import STORES, draft, flat, on_log

from chatctl import history
from chatctl.chat import Chat, Limits
from chatctl.history import Query
from chatctl.store import wakes


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    return STORES[request.param](tmp_path)


async def collect(chat, query, found):
    async for page in history.read(chat, query):
        found += [text for *_, text in flat(page)]


async def drained(condition):
    """Let the event loop and the threads work until the condition holds."""
    await asyncio.to_thread(until, condition)


def test_followers_of_quiet_rooms_read_nothing_while_another_is_busy(url):
    async def step(log):
        reads, read = Counter(), log.read

        async def counted(rooms, *rest, **more):
            reads[tuple(rooms)] += 1
            return await read(rooms, *rest, **more)

        log.read = counted
        chat, rooms = Chat(log, Limits()), [(), ("busy",), ("busy", "quiet"), ("quiet",), ("never",), ("never", "nowhere")]
        found = {wanted: [] for wanted in rooms}
        tasks = [asyncio.create_task(collect(chat, Query(rooms=wanted, follow=True), found[wanted])) for wanted in rooms]
        for number in range(1, 51):
            await log.append(draft(f"{number}", number=number, room="busy"))
        await log.append(draft("at last", number=51, room="quiet"))
        busy = [f"{number}" for number in range(1, 51)]
        await drained(lambda: found[()] == [*busy, "at last"] and found["busy",] == busy and found["quiet",])
        await drained(lambda: found["busy", "quiet"] == [*busy, "at last"])
        assert (found["quiet",], found["never",], found["never", "nowhere"]) == (["at last"], [], [])
        # Once at the start, if there was something by then; and then only for what it got.
        assert reads["quiet",] <= 2
        assert reads["never",] + reads["never", "nowhere"] <= 2
        assert reads["busy",] > 3
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    on_log(url, step)


def test_who_waits_for_a_room_is_woken_however_many_rooms_there_are(url, monkeypatch):
    monkeypatch.setattr(wakes, "KNOWN_ROOMS", 3)

    async def step(log):
        waiting = [asyncio.create_task(log.wait(0, [f"r{n}", "nowhere"])) for n in range(20)]
        await asyncio.sleep(0)
        for number in range(1, 20):
            await log.append(draft("x", number=number, room=f"r{number}"))
        await asyncio.wait_for(asyncio.gather(*waiting[1:]), 30)
        assert not waiting[0].done()
        await asyncio.wait_for(asyncio.gather(*(log.wait(n - 1, [f"r{n}"]) for n in range(1, 20))), 30)
        waiting[0].cancel()
        await asyncio.wait(waiting)

    on_log(url, step)
