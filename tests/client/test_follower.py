"""ChatClient.follow across servers that stop, die, hang, change or come late: without gaps or repetitions."""

import asyncio
import shutil
import signal

import pytest

from chatctl.errors import CursorBeyondHead, CursorOtherLog, TimedOut, TooManyStreams, Unavailable
from chatctl.net import grpc_options
from tests.support.client_tasks import follow_task, send_numbered, wait_out
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import TIMEOUT_SECONDS, until_async


async def again(start_server, server, end):
    """End this server by `end`, and start another one at its address."""
    await asyncio.to_thread(getattr(server, end))
    return await asyncio.to_thread(start_server, listen=server.address, store=server.store)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_server_that_ends_and_starts_again_is_only_a_pause(start_server, end):
    server = start_server()
    await send_numbered(server.address, 1, 1500)
    async with follow_task(server.address) as follower:
        for life in range(1, 4):
            await follower.expect_first(1500 + 10 * (life - 1))
            await until_async(lambda: follower.live)
            server = await again(start_server, server, end)
            await until_async(lambda life=life: len(follower.notices) == 2 * life)
            await send_numbered(server.address, 1500 + 10 * life - 9, 1500 + 10 * life)
        await follower.expect_first(1530)
        assert ["answers again" in notice for notice in follower.notices] == [False, True] * 3
        assert all(server.address in notice or "server is stopping" in notice for notice in follower.notices)
        assert all(f"up to {TIMEOUT_SECONDS} s" in notice for notice in follower.notices[::2])


async def test_one_killed_in_the_middle_of_much_and_connections_that_break(start_server):
    server = start_server()
    await send_numbered(server.address, 1, 40_000)
    async with TcpProxy(server.address) as proxy, follow_task(proxy.address) as follower:
        for part in range(1, 4):
            await until_async(lambda part=part: len(follower.texts) >= part * 5000)
            follower.may_read.clear()
            if part == 2:
                server = await again(start_server, server, "kill")
            proxy.cut()
            follower.may_read.set()
            await until_async(lambda part=part: len(follower.notices) == 2 * part)
        await follower.expect_first(40_000)
        assert proxy.connections >= 4


async def test_a_connection_over_which_nothing_comes_is_left_for_another(server):
    await send_numbered(server.address, 1, 30_000)
    async with TcpProxy(server.address) as proxy, follow_task(proxy.address, timeout=3) as follower:
        await until_async(lambda: follower.texts)
        proxy.blackholed.add(1)
        await follower.expect_first(30_000)
        assert proxy.connections == 2
        assert not follower.notices  # the interruption was short


async def test_one_that_is_live_notices_it_too(server, monkeypatch):
    """No response is due there, so only pings notice it: the first after a minute, here after a second."""
    options = [
        (key, 100 if "timeout" in key else 1000 if "keepalive" in key else n) for key, n in grpc_options.CLIENT_OPTIONS
    ]
    monkeypatch.setattr("chatctl.net.channel.CLIENT_OPTIONS", options)

    async with TcpProxy(server.address) as proxy, follow_task(proxy.address) as follower:
        await until_async(lambda: follower.live)
        proxy.blackholed.add(1)
        await until_async(lambda: proxy.connections > 1)
        await send_numbered(server.address, 1, 3)
        await follower.expect_first(3)
        assert len(follower.notices) == 2  # that it broke, and that it works again


async def test_no_server_and_a_silent_one_are_given_up_after_the_timeout(start_server):
    server = start_server()
    await send_numbered(server.address, 1, 3000)
    async with follow_task(server.address, timeout=1) as follower, follow_task(server.address, timeout=1) as stalled:
        stalled.may_read.clear()
        await follower.expect_first(3000)
        await until_async(lambda: stalled.texts)
        server.kill()
        with pytest.raises(Unavailable, match=r"gave up after 1 s.*--timeout"):
            await follower.wait_ended()
        assert len(follower.notices) == 1
        assert len(stalled.texts) == 1000
        stalled.may_read.set()
        with pytest.raises(Unavailable, match="gave up"):
            await stalled.wait_ended()
    async with follow_task(server.address, timeout=0.5) as late:
        with pytest.raises(Unavailable, match=r"no chatctl server.*gave up after 0.5 s.*chatctl serve.*--timeout"):
            await late.wait_ended()
    server = await asyncio.to_thread(start_server)
    server.process.send_signal(signal.SIGSTOP)
    for from_now in (False, True):
        async with follow_task(server.address, timeout=1, from_now=from_now) as waiting:
            with pytest.raises(TimedOut, match=r"no response from .* for 1 s.*--timeout"):
                await waiting.wait_ended()


async def test_a_server_that_comes_late_or_answers_late_is_followed(start_server):
    server = start_server()
    server.kill()
    async with follow_task(server.address, from_now=True) as early:
        await until_async(lambda: early.notices)
        assert "no chatctl server" in early.notices[0]
        assert "`chatctl serve`" in early.notices[0]  # what a person can do meanwhile
        server = await asyncio.to_thread(start_server, listen=server.address, store=server.store)
        await until_async(lambda: early.live)
        await send_numbered(server.address, 1, 2)
        await early.expect_first(2)
        server.process.send_signal(signal.SIGSTOP)
        async with follow_task(server.address, timeout=12) as waiting:
            await until_async(lambda: waiting.notices)
            assert waiting.notices == [f"waiting for {server.address} to answer"]
            server.process.send_signal(signal.SIGCONT)
            await waiting.expect_first(2)
            assert waiting.notices[1:] == [f"{server.address} answers again"]
        assert len(early.notices) == 2  # a live follower expected no response


async def test_another_log_or_an_older_copy_in_its_place_is_refused_by_name(start_server, tmp_path):
    server, copy = start_server(), tmp_path / "copy.db"
    await send_numbered(server.address, 1, 5)
    await asyncio.to_thread(server.stop)
    shutil.copy(server.store, copy)
    server = await asyncio.to_thread(start_server, listen=server.address, store=server.store)
    async with follow_task(server.address) as follower, follow_task(server.address) as other:
        await send_numbered(server.address, 6, 10)
        await follower.expect_first(10)
        await other.expect_first(10)
        server.kill()
        server = await asyncio.to_thread(start_server, listen=server.address, store=copy)
        with pytest.raises(CursorBeyondHead, match="restored from a copy"):
            await follower.wait_ended()
        with pytest.raises(CursorBeyondHead):
            await other.wait_ended()
        assert len(follower.notices) == 1
    async with follow_task(server.address) as follower:
        await follower.expect_first(5)
        server.kill()
        await asyncio.to_thread(start_server, listen=server.address)
        with pytest.raises(CursorOtherLog, match="another log"):
            await follower.wait_ended()


async def test_from_now_means_the_first_moment_and_not_that_of_another_call(start_server):
    server = start_server()
    await send_numbered(server.address, 1, 5, room="old")
    async with (
        TcpProxy(server.address) as proxy,
        follow_task(proxy.address, from_now=True, rooms=("lobby",)) as follower,
    ):
        await until_async(lambda: follower.live)
        server.kill()
        proxy.cut()
        server = await asyncio.to_thread(start_server, listen=server.address, store=server.store)
        await send_numbered(server.address, 1, 3)  # most likely before it has connected again
        await follower.expect_first(3)
        assert follower.texts == ["1", "2", "3"]


async def test_a_slow_reader_takes_its_time_and_misses_nothing(start_server):
    server = start_server()
    await send_numbered(server.address, 1, 5000)
    async with follow_task(server.address, timeout=0.5) as slow, follow_task(server.address) as quick:
        slow.may_read.clear()
        await quick.expect_first(5000)
        server = await again(start_server, server, "stop")
        await send_numbered(server.address, 5001, 5010)
        await quick.expect_first(5010)
        await wait_out(0.5)
        await wait_out(0.5)  # the reader's time does not count
        assert not slow.task.done()
        assert slow.notices == []
        slow.may_read.set()
        await slow.expect_first(5010)


async def test_a_stream_too_many_is_waited_for(start_server):
    server = start_server("--streams", "1")
    async with follow_task(server.address) as first:
        await until_async(lambda: first.live)
        async with follow_task(server.address, timeout=0.5) as second:
            with pytest.raises(TooManyStreams, match=r"gave up after .*--streams"):
                await second.wait_ended()
        async with follow_task(server.address) as third:
            await until_async(lambda: third.notices)
            assert "too many open streams" in third.notices[0]
            first.task.cancel()
            await until_async(lambda: third.live)
            await say_nothing(third)


async def say_nothing(follower):
    """Check that it continues without another notice."""
    assert len(follower.notices) == 2
    assert not follower.task.done()
