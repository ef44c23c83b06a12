"""The calls of a follower, how it handles their ends, and that it leaves nothing behind."""

import asyncio
import signal
import threading
import time
from types import SimpleNamespace

import grpc
import pytest

from chatctl.client import Query, call_errors
from chatctl.client.call_errors import INTERNAL, PERMISSION_DENIED, PROXY_HINT, UNAUTHENTICATED, UNAVAILABLE, UNKNOWN
from chatctl.client.client import ChatClient
from chatctl.client.follower import Follower
from chatctl.errors import IncompatibleServer, TimedOut, Unavailable, UnexpectedStatus
from tests.support.client_tasks import follow_task, send_numbered, wait_out
from tests.support.fake_servers import ENDS, WAITS, fake_server, page
from tests.support.waiting import TIMEOUT_SECONDS, until_async

BROKEN = grpc.StatusCode.UNAVAILABLE


def requested(requests):
    """Return the cursor, `last` and `limit` of each request."""
    assert all(request.follow for request in requests)
    return [(request.after, request.last, request.limit) for request in requests]


async def test_every_call_continues_where_the_last_one_broke():
    calls = [(page(1, 2, position=5), BROKEN), (page(6), ENDS), (BROKEN,), (page(position=9, live=True), WAITS)]
    async with fake_server(*calls) as (address, requests), follow_task(address) as follower:
        await until_async(lambda: follower.live)
        assert requested(requests) == [("", 0, 0), ("log:5", 0, 0), ("log:6", 0, 0), ("log:6", 0, 0)]
        assert follower.texts == ["1", "2", "6"]
        assert [page.cursor for page in follower.pages] == ["log:5", "log:6", "log:9"]


async def test_the_last_ones_are_asked_for_until_the_first_of_them_has_come():
    looking = page(position=3)  # before all of them
    calls = [(BROKEN,), (looking, BROKEN), (looking, page(10, position=12), BROKEN), (page(14, live=True), WAITS)]
    async with fake_server(*calls) as (address, requests), follow_task(address, last=5, limit=9) as follower:
        await until_async(lambda: follower.live)
        assert requested(requests) == [("", 5, 9)] * 3 + [("log:12", 0, 8)]
        assert follower.texts == ["10", "14"]


async def test_the_last_ones_of_nothing_are_what_comes_next():
    calls = [(page(position=3, live=True), BROKEN), (page(4, live=True), WAITS)]
    async with fake_server(*calls) as (address, requests), follow_task(address, last=5) as follower:
        await until_async(lambda: follower.texts)
        assert requested(requests) == [("", 5, 0), ("log:3", 0, 0)]


@pytest.mark.parametrize("end", [BROKEN, ENDS, WAITS])
async def test_a_limit_that_is_reached_ends_it_however_the_call_ends(end):
    calls = [(page(1, 2), BROKEN), (page(3, 4, 5), end)]
    async with fake_server(*calls) as (address, requests), follow_task(address, limit=5) as follower:
        await follower.wait_ended()
        assert requested(requests) == [("", 0, 5), ("log:2", 0, 3)]
        assert follower.texts == ["1", "2", "3", "4", "5"]


async def test_the_time_that_a_reader_takes_ends_no_call():
    calls = [(page(1), page(2, live=True), WAITS)]
    async with fake_server(*calls) as (address, requests), follow_task(address, timeout=0.2) as follower:
        follower.may_read.clear()
        await until_async(lambda: follower.pages)
        await wait_out(0.2)
        await wait_out(0.2)
        follower.may_read.set()
        await follower.expect_first(2)
        assert len(requests) == 1


async def test_from_now_is_asked_once():
    calls = [(BROKEN,), (page(position=9, live=True), BROKEN), (page(10, live=True), WAITS)]
    async with fake_server(*calls) as (address, requests), follow_task(address, from_now=True) as follower:
        await until_async(lambda: follower.texts)
        assert requested(requests) == [("log:7", 0, 0)] * 2 + [("log:9", 0, 0)]


async def test_until_is_over_when_the_server_says_so_and_not_when_it_breaks():
    calls = [(page(1), BROKEN), (page(2, position=4), ENDS)]
    async with fake_server(*calls) as (address, requests), follow_task(address, until=2**52) as follower:
        await follower.wait_ended()
        assert [request.until.ToMicroseconds() for request in requests] == [2**52] * 2
        assert requested(requests) == [("", 0, 0), ("log:1", 0, 0)]
        assert follower.pages[-1].cursor == "log:4"


async def test_until_is_given_up_when_it_has_passed_and_no_server_ends_it(monkeypatch):
    monkeypatch.setattr("chatctl.client.follower.UNTIL_GRACE_SECONDS", 0.5)

    moment = int((time.time() + 0.5) * 1_000_000)
    calls = [(page(1, live=True), BROKEN), (BROKEN,)]
    async with fake_server(*calls) as (address, _), follow_task(address, timeout=0, until=moment) as follower:
        with pytest.raises(Unavailable, match="gave up"):
            await follower.wait_ended()
        assert follower.texts == ["1"]
        assert isinstance(follower.last_error, Unavailable)


async def test_one_that_breaks_at_every_call_is_given_up():
    async with fake_server((BROKEN,)) as (address, requests), follow_task(address, timeout=1) as follower:
        with pytest.raises(Unavailable, match="gave up after 1 s"):
            await follower.wait_ended()
        assert len(requests) > 2
        assert len(follower.notices) == 1


async def test_another_server_is_retried_only_where_a_chatctl_server_was():
    other = (grpc.StatusCode.UNIMPLEMENTED,)
    async with fake_server(other) as (address, requests), follow_task(address) as follower:
        with pytest.raises(UnexpectedStatus):
            await follower.wait_ended()
        assert len(requests) == 1
    async with fake_server((page(1), *other), (page(2), WAITS)) as (address, requests), follow_task(address) as follower:
        await follower.expect_first(2)
        assert len(requests) == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE])
async def test_what_a_proxy_answers_for_a_server_that_is_down_is_retried(code):
    async with fake_server((code,), (page(1), code), (page(2), WAITS)) as (address, requests), follow_task(address) as one:
        await one.expect_first(2)
        assert len(requests) == 3
    async with fake_server((code,)) as (address, _), follow_task(address, timeout=1) as follower:
        with pytest.raises(Unavailable, match="gave up after 1 s") as raised:
            await follower.wait_ended()
    assert code is grpc.StatusCode.UNAVAILABLE or PROXY_HINT in raised.value.hint


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED])
async def test_a_refusal_is_never_retried(code):
    async with fake_server((page(1), code), (page(2), WAITS)) as (address, requests), follow_task(address) as follower:
        with pytest.raises(UnexpectedStatus) as raised:
            await follower.wait_ended()
        assert (len(requests), raised.value.code) == (1, code.value[0])
        assert f"{address} refuses the call" in raised.value.message


@pytest.mark.parametrize("code", [UNKNOWN, INTERNAL, UNAVAILABLE, PERMISSION_DENIED])
def test_a_page_of_a_proxy_that_refuses_is_a_refusal_whatever_grpc_makes_of_it(code):
    for status, expected in ((401, UNAUTHENTICATED), (403, PERMISSION_DENIED)):
        detail = f"Received http2 header with status: {status}"
        error = call_errors.error_from_foreign_status("chat:50051", code, detail, responded=False)
        assert (type(error), error.code) == (UnexpectedStatus, expected)
        assert str(error).startswith(f"what answers at chat:50051 refuses the call ({detail}): a proxy may be in front")


@pytest.mark.parametrize("state", ["live", "reading", "silent", "away", "failed", "finished", "closed"])
async def test_one_that_is_closed_leaves_nothing_behind(start_server, state):
    server = start_server()
    await send_numbered(server.address, 1, 5000)

    async def once():
        limit = 5000 if state == "finished" else 0
        async with follow_task(server.address, timeout=0 if state != "failed" else 0.3, limit=limit) as follower:
            if state in ("reading", "closed"):
                follower.may_read.clear()
            if state == "silent":
                server.process.send_signal(signal.SIGSTOP)
            await until_async(lambda: follower.pages or state == "silent")
            if state in ("live", "away"):
                await until_async(lambda: follower.live)
            if state in ("away", "failed"):
                server.kill()
                await until_async(lambda: follower.notices)
            if state == "failed":
                with pytest.raises(Unavailable):
                    await follower.wait_ended()
            if state == "finished":
                await follower.wait_ended()
            if state == "closed":
                async with ChatClient(server.address) as chat:
                    pages = chat.follow(Query())
                    assert (await anext(pages)).runs
                    await pages.aclose()
        await until_async(lambda: asyncio.all_tasks() == {asyncio.current_task()})  # one of grpc's takes a moment

    await once()
    timers = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
    assert not [timer for timer in timers if "ResponseWatchdog" in repr(timer)]
    threads = set(threading.enumerate())  # grpc.aio keeps one of its own
    if state in ("live", "reading", "finished", "closed"):  # the server is there for another
        await once()
    assert set(threading.enumerate()) <= threads


async def test_a_cancellation_at_the_moment_of_a_timeout_is_not_lost():
    opened = asyncio.Event()

    class Dying:
        """A call that times out at the moment of its cancellation."""

        async def __aenter__(self):
            opened.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise TimedOut("no answer") from None

        async def __aexit__(self, *_):
            pass

    connector = SimpleNamespace(open_call=lambda *_: Dying(), server="server", timeout=0, notify=None)

    async def read():
        async for _ in Follower(connector, Query(follow=True), False):
            pass

    for seconds in (0.01, None):
        opened.clear()
        reading = asyncio.create_task(asyncio.wait_for(read(), seconds))
        if seconds is None:
            await opened.wait()
            reading.cancel()
        with pytest.raises((TimeoutError, asyncio.CancelledError)):
            await asyncio.wait_for(asyncio.shield(reading), TIMEOUT_SECONDS)
        assert reading.done()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_server_that_ignores_the_input_id_is_incompatible_before_any_message():
    """As servers before 0.2.0 do: they send all messages, with the number 0."""
    for last_error_known in (False, True):
        calls = [*[(BROKEN,)] * last_error_known, (page(position=3), page(4, 5, live=True), WAITS)]
        async with fake_server(*calls) as (address, requests), follow_task(address, input_id="build 7") as follower:
            with pytest.raises(IncompatibleServer, match="upgrade the server"):
                await follower.wait_ended()
            assert follower.texts == []
            assert {request.input_id for request in requests} == {"build 7"}
    async with fake_server((page(1), ENDS)) as (address, _), ChatClient(address) as chat:
        with pytest.raises(IncompatibleServer, match="input id"):
            await anext(chat.read(Query(input_id="build 7")))


async def test_two_follow_at_once_with_an_error_of_their_own():
    calls = [(page(1, live=True), WAITS), (page(2), BROKEN), (BROKEN,)]
    async with fake_server(*calls) as (address, _), ChatClient(address, 60) as chat:
        async with chat.follow(Query()) as first, chat.follow(Query()) as second:
            assert (await anext(first)).cursor == "log:1"
            assert (await anext(second)).cursor == "log:2"
            waiting = asyncio.ensure_future(anext(second))
            await until_async(lambda: second.last_error)
            assert isinstance(second.last_error, Unavailable)
            assert first.last_error is None
            waiting.cancel()
            await asyncio.wait([waiting])
        with pytest.raises(StopAsyncIteration):
            await anext(first)


async def test_one_that_is_never_read_leaves_nothing_behind():
    async with ChatClient("127.0.0.1:1") as chat:
        async with chat.follow(Query()):
            pass
        chat.follow(Query())
    assert asyncio.all_tasks() == {asyncio.current_task()}
