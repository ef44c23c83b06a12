"""A TCP proxy that delays, holds, drops, cuts and half-closes the connections through it, on command."""

import asyncio
import contextlib
import threading
from contextlib import contextmanager
from queue import SimpleQueue

from tests.support.waiting import TIMEOUT_SECONDS

CHUNK_BYTES = 64 * 1024


class TcpProxy:
    """Listens on a port of its own and passes everything on to one target; an async context manager.

    `delay` is how many seconds each byte takes each way from now on; it does not limit the throughput.
    `connections` counts the connections so far; all data of those whose numbers, from 1, are in `blackholed` is dropped.
    """

    def __init__(self, target):
        self.target = target.rsplit(":", 1)
        self.delay = 0.0
        self.connections = 0
        self.blackholed = set()
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._links = set()
        self._half_closed = set()  # writers that `half_close` has ended
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- on command

    def hold(self):
        """Keep connections open, and accept new ones, but pass nothing on until `release`."""
        self._may_pass.clear()

    def release(self):
        """Pass on everything that was held, in order."""
        self._may_pass.set()

    def cut(self):
        """Abort all connections at once; data that is held is lost."""
        for link in self._links:
            for writer in link:
                writer.transport.abort()
        self._links.clear()

    def half_close(self, towards):
        """Send end-of-file to one side, "server" or "client", and keep the other direction open."""
        for client, server in self._links:
            writer = {"client": client, "server": server}[towards]
            self._half_closed.add(writer)
            with contextlib.suppress(OSError):
                writer.write_eof()

    # --- passing on

    async def _accept(self, reader, writer):
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        try:
            await self._link(self.connections, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # no server, a side that disconnected, or the proxy closes: asyncio's streams would log all of these
        finally:
            writer.transport.abort()
            self._tasks.discard(asyncio.current_task())

    async def _link(self, number, from_client, to_client):
        from_server, to_server = await asyncio.open_connection(*self.target)
        link = (to_client, to_server)
        self._links.add(link)
        directions = [
            asyncio.ensure_future(self._pass(number, *way)) for way in ((from_client, to_server), (from_server, to_client))
        ]
        try:
            await asyncio.gather(*directions)
        finally:
            for way in directions:
                way.cancel()
            self._links.discard(link)
            self._half_closed.difference_update(link)
            to_server.transport.abort()

    async def _pass(self, number, reader, writer):
        """Pass on one direction, to its end."""
        clock = asyncio.get_running_loop().time
        queue = asyncio.Queue(64)

        async def read():
            while chunk := await reader.read(CHUNK_BYTES):
                await queue.put((clock() + self.delay, chunk))
            await queue.put((clock() + self.delay, b""))

        reading = asyncio.ensure_future(read())
        reading.add_done_callback(lambda done: done.cancelled() or not done.exception() or writer.transport.abort())
        try:
            while True:
                due, chunk = await queue.get()
                await asyncio.sleep(due - clock())
                await self._may_pass.wait()
                if not chunk or writer in self._half_closed:
                    break
                if number not in self.blackholed:
                    writer.write(chunk)
                    await writer.drain()
            writer.write_eof()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@contextmanager
def proxy_in_thread(target):
    """Run a proxy in a thread, for a test that is not async. Yields the proxy and its event loop."""
    started, done = SimpleQueue(), threading.Event()

    async def serve():
        async with TcpProxy(target) as proxy:
            started.put((proxy, asyncio.get_running_loop()))
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield started.get(timeout=TIMEOUT_SECONDS)
    finally:
        done.set()
        thread.join()
