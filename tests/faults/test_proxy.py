"""The proxy does what the fault tests believe it does."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from tests.support.tcp_proxy import FaultProxy
from tests.support.waiting import TIMEOUT_SECONDS, until_async


@asynccontextmanager
async def echo_through_proxy():
    """A connection through a proxy to a server that gives back what it gets; and what the server got, b"" for the end."""
    got = []

    async def echo(reader, writer):
        try:
            while chunk := await reader.read(1000):
                got.append(chunk)
                writer.write(chunk)
            got.append(b"")
            await reader.read()
        except ConnectionError as error:
            got.append(error)
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with FaultProxy(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address.split(":"))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield proxy, reader, writer, got
        writer.close()
    server.close()


async def rest(reader):
    """What comes until the connection ends or is reset."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_everything_comes_through_in_order():
    async with echo_through_proxy() as (proxy, reader, writer, _got):
        data = bytes(range(256)) * 4000
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        assert proxy.accepted == 1


async def test_the_end_of_one_direction_comes_through_and_the_other_goes_on():
    async with echo_through_proxy() as (_proxy, reader, writer, got):
        writer.write(b"last")
        writer.write_eof()
        await until_async(lambda: got == [b"last", b""], "the end to reach the server")
        assert await reader.read() == b"last"


async def test_a_delay_is_taken_each_way():
    async with echo_through_proxy() as (proxy, reader, writer, _got):
        proxy.delay = 0.1
        for _ in range(2):
            start = time.monotonic()
            writer.write(b"a")
            assert await reader.readexactly(1) == b"a"
            assert time.monotonic() - start >= 0.2


async def test_what_is_held_comes_once_it_is_released():
    async with echo_through_proxy() as (proxy, reader, writer, got):
        proxy.blackhole()
        writer.write(b"held")
        other = await asyncio.open_connection(*proxy.address.split(":"))
        other[1].write(b"too")
        await until_async(lambda: proxy.accepted == 2, "the second connection")
        await asyncio.sleep(0.05)  # time enough for what must not happen
        assert got == []
        proxy.release()
        assert await reader.readexactly(4) == b"held"
        assert await other[0].readexactly(3) == b"too"
        other[1].close()


@pytest.mark.parametrize("holding", [False, True])
async def test_a_cut_breaks_both_sides_and_new_connections_work(holding):
    async with echo_through_proxy() as (proxy, reader, writer, got):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        if holding:
            proxy.blackhole()
            writer.write(b"lost")
        proxy.cut()
        assert await rest(reader) == b""
        await until_async(lambda: len(got) == 2, "the server to hear of it")
        assert b"lost" not in got
        proxy.release()
        again = await asyncio.open_connection(*proxy.address.split(":"))
        again[1].write(b"b")
        assert await again[0].readexactly(1) == b"b"
        again[1].close()


@pytest.mark.parametrize("towards", ["client", "server"])
async def test_a_half_close_ends_one_direction(towards):
    async with echo_through_proxy() as (proxy, reader, writer, got):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        proxy.half_close(towards)
        if towards == "server":
            await until_async(lambda: got == [b"a", b""], "the end to reach the server")
        else:
            assert await reader.read() == b""
            writer.write(b"b")
            await until_async(lambda: b"b" in got, "what is still said to reach the server")


async def test_without_a_server_connections_are_closed():
    async with FaultProxy("127.0.0.1:1") as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address.split(":"))
        assert await rest(reader) == b""
        writer.close()
