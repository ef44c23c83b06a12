"""The TCP proxy of the tests: delay, hold, drop, cut and half-close."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until_async


@asynccontextmanager
async def echo_through_proxy():
    """Open a connection through a proxy to an echo server.

    Yields the proxy, the connection's reader and writer, and the list of all that the server receives (b"" is an end).
    """
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
    async with TcpProxy(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address.split(":"))
        yield proxy, reader, writer, got
        writer.close()
    server.close()


async def read_rest(reader):
    """Read until the connection ends or is reset."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def let_pass(proxy):
    """Give the proxy every chance to pass on what it has: exchange bytes with the server that do not go through it."""
    reader, writer = await asyncio.open_connection(*proxy.target)
    for _ in range(100):
        writer.write(b".")
        assert await reader.readexactly(1) == b"."
    writer.close()


async def test_everything_comes_through_in_order():
    async with echo_through_proxy() as (proxy, reader, writer, _got):
        data = bytes(range(256)) * 4000
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        assert proxy.connections == 1


async def test_the_end_of_one_direction_comes_through_and_the_other_goes_on():
    async with echo_through_proxy() as (_proxy, reader, writer, got):
        writer.write(b"last")
        writer.write_eof()
        await until_async(lambda: got == [b"last", b""], "the end to reach the server")
        assert await reader.read() == b"last"


async def test_a_delay_is_taken_each_way(monkeypatch):
    loop = asyncio.get_running_loop()
    clock, passed = loop.time, 0
    monkeypatch.setattr(loop, "time", lambda: clock() + passed)
    async with echo_through_proxy() as (proxy, reader, writer, got):
        proxy.delay = 3600
        echo = asyncio.create_task(reader.readexactly(1))
        writer.write(b"a")
        await let_pass(proxy)
        assert b"a" not in got
        passed += 3600
        await until_async(lambda: b"a" in got, "the byte to reach the server")
        await let_pass(proxy)
        assert not echo.done()
        passed += 3600
        assert await echo == b"a"


async def test_what_is_held_comes_once_it_is_released():
    async with echo_through_proxy() as (proxy, reader, writer, got):
        proxy.hold()
        writer.write(b"held")
        other = await asyncio.open_connection(*proxy.address.split(":"))
        other[1].write(b"too")
        await until_async(lambda: proxy.connections == 2, "the second connection")
        await let_pass(proxy)
        assert b"held" not in got
        assert b"too" not in got
        proxy.release()
        assert await reader.readexactly(4) == b"held"
        assert await other[0].readexactly(3) == b"too"
        other[1].close()


async def test_data_of_a_blackholed_connection_is_lost_and_other_connections_work():
    async with echo_through_proxy() as (proxy, reader, writer, got):
        proxy.blackholed.add(1)
        writer.write(b"lost")
        await let_pass(proxy)
        other = await asyncio.open_connection(*proxy.address.split(":"))
        other[1].write(b"a")
        assert await other[0].readexactly(1) == b"a"
        other[1].close()
        proxy.blackholed.clear()
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        assert b"lost" not in got


@pytest.mark.parametrize("holding", [False, True])
async def test_a_cut_breaks_both_sides_and_new_connections_work(holding):
    async with echo_through_proxy() as (proxy, reader, writer, got):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        if holding:
            proxy.hold()
            writer.write(b"lost")
        proxy.cut()
        assert await read_rest(reader) == b""
        await until_async(lambda: len(got) == 2, "the server to notice it")
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
            await until_async(lambda: b"b" in got, "later data to reach the server")


async def test_without_a_server_connections_are_closed():
    async with TcpProxy("127.0.0.1:1") as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address.split(":"))
        assert await read_rest(reader) == b""
        writer.close()
