"""The servers of the runs: real ones, and those that reset, are silent, stopped, talk something else or cut connections."""

import asyncio
import contextlib
import signal
import socket
import struct
import tempfile
import threading
from pathlib import Path

from tests.fuzz.runs import World
from tests.support.cli import run
from tests.support.servers import ServerFactory

MESSAGES = 300  # that can be read
CUT_BYTES = (0, 24, 100, 500, 2000, 20_000)  # after so many bytes a connection is cut, one after the other
GARBAGE = (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", b"\x00" * 100, b"\xff" * 20_000, b"SSH-2.0-x\r\n", b"")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


@contextlib.contextmanager
def open_world():
    """Start everything. Yields a World, and the lines of stderr of the real servers as a function."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chatctl-fuzz-servers-")))
        servers = ServerFactory(folder)
        stack.callback(servers.close)
        read, written, stopped = (servers(*_unix(folder, name), store=folder / f"{name}.db") for name in ("r", "w", "s"))
        receipts, cursor = _fill(read.address, folder)
        stopped.process.send_signal(signal.SIGSTOP)
        loop = stack.enter_context(_loop_in_thread())
        reserved = stack.enter_context(socket.socket())  # not listening: refuses connections
        reserved.bind(("127.0.0.1", 0))
        addresses = {
            "real": read.address, "real-send": written.address, "unix": f"unix:{folder}/r.socket",
            "unix-send": f"unix:{folder}/w.socket", "stopped": stopped.address, "none": _address(reserved),
            **asyncio.run_coroutine_threadsafe(_listen(read.address, written.address), loop).result(),
        }  # fmt: skip
        world = World(addresses, str(receipts), cursor, str(read.store))
        yield world, lambda: [*read.lines, *written.lines]


def _unix(folder, name):
    return ("--listen", f"unix:{folder}/{name}.socket")


def _address(listener):
    return "{}:{}".format(*listener.getsockname()[:2])


def _fill(address, folder):
    """Store messages in some rooms. Returns a file of receipts and a cursor."""
    receipts = folder / "receipts"
    for room in ("lobby", "ops", "日本"):
        path = folder / room
        lines = "".join(f"{room} {number}\n" for number in range(MESSAGES // 3))
        sent = run("send", "--room", room, "--user", "ann", "--receipts", path, piped=lines, server=address)
        assert sent.code == 0, sent.err
        with receipts.open("ab") as file:
            file.write(path.read_bytes())
    first = run("history", "--json", "--last", "50", "--count", "1", server=address).objects[0]
    return receipts, first["cursor"]


@contextlib.contextmanager
def _loop_in_thread():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(_cancel_tasks(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _cancel_tasks():
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(read, written):
    """Start the listeners that are no chatctl. Returns their addresses."""
    cuts = {"cut": _cutter(read), "cut-send": _cutter(written)}
    handlers = {"reset": _reset, "silent": _silent, "garbage": _talker(), **cuts}
    return {name: await _start(handler) for name, handler in handlers.items()}


async def _start(handler):
    server = await asyncio.start_server(_quietly(handler), "127.0.0.1", 0)
    server.get_loop().create_task(server.serve_forever())
    return _address(server.sockets[0])


def _quietly(handler):
    tasks = set()  # the event loop itself keeps no references to them

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.CancelledError):  # cancelled at the end
            await handler(reader, writer)
        writer.close()
        tasks.discard(asyncio.current_task())

    return handle


def _reset_at_close(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


async def _reset(reader, writer):
    _reset_at_close(writer)


async def _silent(reader, writer):
    while await reader.read(1 << 16):
        pass


def _talker():
    turns = iter(range(1 << 62))

    async def talk(reader, writer):
        writer.write(GARBAGE[next(turns) % len(GARBAGE)])
        await writer.drain()
        await reader.read(1 << 16)

    return talk


def _cutter(address):
    """Return a proxy that resets each connection after some bytes from the server."""
    host, port = address.rsplit(":", 1)
    turns = iter(range(1 << 62))

    async def cut(reader, writer):
        budget = CUT_BYTES[next(turns) % len(CUT_BYTES)]
        from_server, to_server = await asyncio.open_connection(host, int(port))
        _reset_at_close(writer)
        forth = asyncio.create_task(_copy(reader, to_server))
        try:
            while budget > 0 and (data := await from_server.read(min(budget, 1 << 16))):
                budget -= len(data)
                writer.write(data)
                await writer.drain()
        finally:
            forth.cancel()
            to_server.close()

    return cut


async def _copy(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
