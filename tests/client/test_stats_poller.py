"""ChatClient.watch_stats across servers that stop and start."""

import asyncio
from contextlib import aclosing

import pytest

from chatctl.client import ChatClient
from chatctl.errors import TimedOut, Unavailable
from tests.support.client_tasks import send_numbered
from tests.support.waiting import TIMEOUT_SECONDS, until_async


async def test_statistics_go_on_after_a_restart(start_server):
    server, notices = start_server(), []
    async with (
        ChatClient(server.address, TIMEOUT_SECONDS, notices.append) as chat,
        aclosing(chat.watch_stats(0.01, top=5)) as responses,
    ):
        assert (await anext(responses)).stats.num_messages == 0
        await send_numbered(server.address, 1, 3)
        async for response in responses:
            if response.stats.num_messages == 3:
                break
        assert [room.name for room in response.stats.rooms] == ["lobby"]
        await asyncio.to_thread(server.kill)
        waiting = asyncio.ensure_future(anext(responses))
        await until_async(lambda: notices)
        await asyncio.to_thread(start_server, listen=server.address, store=server.store)
        assert (await waiting).stats.num_messages == 3
        assert ["answers again" in notice for notice in notices] == [False, True]


async def test_a_server_that_stays_away_is_unavailable_after_the_timeout(start_server):
    server = start_server()
    async with ChatClient(server.address, 0.5) as chat, aclosing(chat.watch_stats(0.01)) as responses:
        await anext(responses)
        server.kill()
        with pytest.raises(Unavailable, match=r"gave up after 0\.5 s"):
            async for _ in responses:
                pass


async def test_a_silent_server_has_timed_out(silent_address):
    async with ChatClient(silent_address, 0.5) as chat, aclosing(chat.watch_stats(0.01)) as responses:
        with pytest.raises(TimedOut, match=r"for 0\.5 s"):
            await anext(responses)


async def test_head_is_an_empty_page_at_the_end_of_the_log(server):
    async with ChatClient(server.address) as chat:
        await send_numbered(server.address, 1, 3)
        head = await chat.head()
        assert (head.runs, head.live) == ([], True)
        assert head.cursor == f"{head.cursor_prefix}3"
