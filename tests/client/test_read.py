"""Reading stored messages: a break in the middle is only a pause, and a server that is away at first an error."""

import asyncio

import grpc
import pytest

from chatctl.client import Query
from chatctl.client.client import ChatClient
from chatctl.errors import TimedOut, Unavailable, UnexpectedStatus
from tests.support.client_tasks import send_numbered
from tests.support.fake_servers import ENDS, WAITS, fake_server, page
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import TIMEOUT_SECONDS

BROKEN = grpc.StatusCode.UNAVAILABLE


async def read(address, timeout=TIMEOUT_SECONDS, **conditions):
    """Return the texts of all messages that match."""
    async with ChatClient(address, timeout) as chat, chat.read(Query(**conditions)) as pages:
        return [text async for one in pages for run in one.runs for text in run.texts]


def requested(requests):
    """Return the cursor, `last` and `limit` of each request."""
    assert not any(request.follow for request in requests)
    return [(request.after, request.last, request.limit) for request in requests]


async def test_it_continues_at_its_cursor_after_each_break():
    calls = [(page(1, 2, position=5), BROKEN), (BROKEN,), (page(6), page(position=9), BROKEN), (page(10), ENDS)]
    async with fake_server(*calls) as (address, requests):
        assert await read(address) == ["1", "2", "6", "10"]
        assert requested(requests) == [("", 0, 0), ("log:5", 0, 0), ("log:5", 0, 0), ("log:9", 0, 0)]


async def test_the_last_ones_stay_the_last_ones_of_the_first_call():
    """Messages that are stored after the break are not among them."""
    calls = [(page(position=3), page(7, 8, position=8), BROKEN), (page(9, position=9), ENDS)]
    async with fake_server(*calls) as (address, requests):
        assert await read(address, last=3) == ["7", "8", "9"]
        assert requested(requests) == [("", 3, 0), ("log:8", 0, 1)]


@pytest.mark.parametrize("conditions", [{"limit": 2}, {"last": 2}, {"last": 2, "limit": 9}, {"last": 9, "limit": 2}])
async def test_a_break_after_the_last_message_changes_nothing(conditions):
    async with fake_server((page(1, 2), BROKEN)) as (address, requests):
        assert await read(address, **conditions) == ["1", "2"]
        assert len(requests) == 1


async def test_until_in_the_past_is_no_reason_to_give_up():
    async with fake_server((page(1), BROKEN), (page(2), ENDS)) as (address, _):
        assert await read(address, until=1) == ["1", "2"]


@pytest.mark.parametrize("code", [BROKEN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED])
async def test_without_a_response_it_fails_at_once(code):
    async with fake_server((code,), (page(1), ENDS)) as (address, requests):
        with pytest.raises((Unavailable, UnexpectedStatus)):
            await read(address)
        assert len(requests) == 1


async def test_the_first_response_has_the_whole_timeout():
    async with fake_server((WAITS,)) as (address, requests):
        with pytest.raises(TimedOut, match=r"for 0\.5 s"):
            await read(address, 0.5)
        assert len(requests) == 1
    async with fake_server((0.1, page(1), ENDS)) as (address, _):
        assert await read(address, timeout=0) == ["1"]


async def test_a_server_that_does_not_come_back_is_given_up_after_the_timeout():
    async with fake_server((page(1), BROKEN), (BROKEN,)) as (address, requests):
        with pytest.raises(Unavailable, match="gave up after 1 s"):
            await read(address, timeout=1)
        assert len(requests) > 2


async def test_every_message_is_read_once_through_a_connection_that_breaks(server):
    await send_numbered(server.address, 1, 20_000)
    texts, breaks = [], 0
    async with (
        TcpProxy(server.address) as proxy,
        ChatClient(proxy.address, TIMEOUT_SECONDS) as chat,
        chat.read(Query()) as pages,
        asyncio.timeout(TIMEOUT_SECONDS),
    ):
        async for one in pages:
            texts += [text for run in one.runs for text in run.texts]
            if len(texts) // 4000 > breaks:
                breaks += 1
                proxy.cut()
    assert texts == [f"{number}" for number in range(1, 20_001)]
    assert breaks == 5
