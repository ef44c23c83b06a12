"""ChatClient.follow across servers that stop, die, hang, change or come late: no gap and no double."""

import asyncio
import shutil
import signal

import pytest
from followed import followed, outlasted, say
from relay import Proxy
from test_client_reconnect import PATIENCE, until

from chatctl import client
from chatctl.errors import CursorBeyondHead, CursorOtherLog, TimedOut, TooManyStreams, Unavailable


async def again(start_server, server, end):
    """Another server in the place of this one, which ends as `end` says."""
    await asyncio.to_thread(getattr(server, end))
    return await asyncio.to_thread(start_server, listen=server.address, store=server.store)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_ends_and_comes_back_is_no_more_than_a_pause(start_server, end):
    async def steps():
        server = start_server()
        await say(server.address, 1, 1500)
        async with followed(server.address) as follower:
            for life in range(1, 4):
                await follower.sees(1500 + 10 * (life - 1))
                await until(lambda: follower.live)
                server = await again(start_server, server, end)
                await until(lambda life=life: len(follower.notices) == 2 * life)
                await say(server.address, 1500 + 10 * life - 9, 1500 + 10 * life)
            await follower.sees(1530)
            assert ["answers again" in notice for notice in follower.notices] == [False, True] * 3
            assert all(server.address in notice or "server is stopping" in notice for notice in follower.notices)
            assert all(f"up to {PATIENCE} s" in notice for notice in follower.notices[::2])

    asyncio.run(steps())


def test_one_killed_in_the_middle_of_much_and_connections_that_break(start_server):
    async def steps():
        server = start_server()
        await say(server.address, 1, 40_000)
        async with Proxy(server.address) as proxy, followed(proxy.address) as follower:
            for part in range(1, 4):
                await until(lambda part=part: len(follower.texts) >= part * 5000)
                follower.reads.clear()
                if part == 2:
                    server = await again(start_server, server, "kill")
                proxy.cut()
                follower.reads.set()
                await until(lambda part=part: len(follower.notices) == 2 * part)
            await follower.sees(40_000)
            assert proxy.connections >= 4

    asyncio.run(steps())


def test_a_connection_over_which_nothing_comes_is_left_for_another(server):
    async def steps():
        await say(server.address, 1, 30_000)
        async with Proxy(server.address) as proxy, followed(proxy.address, timeout=3) as follower:
            await until(lambda: follower.texts)
            proxy.swallowed.add(1)
            await follower.sees(30_000)
            assert proxy.connections == 2
            assert not follower.notices  # it was short

    asyncio.run(steps())


def test_one_that_is_live_notices_it_too(server, monkeypatch):
    """Nothing has to come there, so only pings tell: the first after a minute, here after a second."""
    options = [(key, 100 if "timeout" in key else 1000 if "keepalive" in key else n) for key, n in client.OPTIONS]
    monkeypatch.setattr(client, "OPTIONS", options)

    async def steps():
        async with Proxy(server.address) as proxy, followed(proxy.address) as follower:
            await until(lambda: follower.live)
            proxy.swallowed.add(1)
            await until(lambda: proxy.connections > 1)
            await say(server.address, 1, 3)
            await follower.sees(3)
            assert len(follower.notices) == 2  # that it broke, and that it is back

    asyncio.run(steps())


def test_no_server_and_a_silent_one_are_given_up_after_the_timeout(start_server):
    async def steps():
        server = start_server()
        await say(server.address, 1, 3000)
        async with followed(server.address, timeout=1) as follower, followed(server.address, timeout=1) as stalled:
            stalled.reads.clear()
            await follower.sees(3000)
            await until(lambda: stalled.texts)
            server.kill()
            with pytest.raises(Unavailable, match=r"gave up after 1 s.*--timeout"):
                await follower.ends()
            assert len(follower.notices) == 1
            assert len(stalled.texts) == 1000
            stalled.reads.set()
            with pytest.raises(Unavailable, match="gave up"):
                await stalled.ends()
        async with followed(server.address, timeout=0.5) as late:
            with pytest.raises(Unavailable, match=r"no chatctl server.*chatctl serve.*gave up after 0.5 s"):
                await late.ends()
        server = await asyncio.to_thread(start_server)
        server.process.send_signal(signal.SIGSTOP)
        for from_now in (False, True):
            async with followed(server.address, timeout=1, from_now=from_now) as waiting:
                with pytest.raises(TimedOut, match=r"not answered for 1 s.*--timeout"):
                    await waiting.ends()

    asyncio.run(steps())


def test_a_server_that_comes_late_or_answers_late_is_followed(start_server):
    async def steps():
        server = start_server()
        server.kill()
        async with followed(server.address, from_now=True) as early:
            await until(lambda: early.notices)
            assert "chatctl serve" in early.notices[0]
            server = await asyncio.to_thread(start_server, listen=server.address, store=server.store)
            await until(lambda: early.live)
            await say(server.address, 1, 2)
            await early.sees(2)
            server.process.send_signal(signal.SIGSTOP)
            async with followed(server.address, timeout=12) as waiting:
                await until(lambda: waiting.notices)
                assert waiting.notices == [f"waiting for {server.address} to answer"]
                server.process.send_signal(signal.SIGCONT)
                await waiting.sees(2)
                assert waiting.notices[1:] == [f"{server.address} answers again"]
            assert len(early.notices) == 2  # to a live one it was no silence

    asyncio.run(steps())


def test_another_log_or_an_older_copy_in_its_place_is_refused_by_name(start_server, tmp_path):
    async def steps():
        server, copy = start_server(), tmp_path / "copy.db"
        await say(server.address, 1, 5)
        await asyncio.to_thread(server.stop)
        shutil.copy(server.store, copy)
        server = await asyncio.to_thread(start_server, listen=server.address, store=server.store)
        async with followed(server.address) as follower, followed(server.address) as other:
            await say(server.address, 6, 10)
            await follower.sees(10)
            await other.sees(10)
            server.kill()
            server = await asyncio.to_thread(start_server, listen=server.address, store=copy)
            with pytest.raises(CursorBeyondHead, match="restored from a copy"):
                await follower.ends()
            with pytest.raises(CursorBeyondHead):
                await other.ends()
            assert len(follower.notices) == 1
        async with followed(server.address) as follower:
            await follower.sees(5)
            server.kill()
            await asyncio.to_thread(start_server, listen=server.address)
            with pytest.raises(CursorOtherLog, match="another log"):
                await follower.ends()

    asyncio.run(steps())


def test_from_now_means_the_first_moment_and_not_that_of_another_call(start_server):
    async def steps():
        server = start_server()
        await say(server.address, 1, 5, room="old")
        async with Proxy(server.address) as proxy, followed(proxy.address, from_now=True, rooms=("lobby",)) as follower:
            await until(lambda: follower.live)
            server.kill()
            proxy.cut()
            server = await asyncio.to_thread(start_server, listen=server.address, store=server.store)
            await say(server.address, 1, 3)  # most likely before it is back
            await follower.sees(3)
            assert follower.texts == ["1", "2", "3"]

    asyncio.run(steps())


def test_a_slow_reader_takes_its_time_and_misses_nothing(start_server):
    async def steps():
        server = start_server()
        await say(server.address, 1, 5000)
        async with followed(server.address, timeout=0.5) as slow, followed(server.address) as quick:
            slow.reads.clear()
            await quick.sees(5000)
            server = await again(start_server, server, "stop")
            await say(server.address, 5001, 5010)
            await quick.sees(5010)
            await outlasted(0.5)
            await outlasted(0.5)  # so much is its own
            assert not slow.task.done()
            assert slow.notices == []
            slow.reads.set()
            await slow.sees(5010)

    asyncio.run(steps())


def test_a_stream_too_many_is_waited_for(start_server):
    async def steps():
        server = start_server("--streams", "1")
        async with followed(server.address) as first:
            await until(lambda: first.live)
            async with followed(server.address, timeout=0.5) as second:
                with pytest.raises(TooManyStreams, match="gave up after"):
                    await second.ends()
            async with followed(server.address) as third:
                await until(lambda: third.notices)
                assert "--streams" in third.notices[0]
                first.task.cancel()
                await until(lambda: third.live)
                await say_nothing(third)

    asyncio.run(steps())


async def say_nothing(follower):
    """It goes on without another word."""
    assert len(follower.notices) == 2
    assert not follower.task.done()
