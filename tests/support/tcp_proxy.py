"""A TCP proxy that delays, holds, cuts and half-closes the connections through it, on command."""

import asyncio
import contextlib


class TcpProxy:
    """Passes bytes to a server and back. `blackholed` holds numbers of connections, from 1, over which nothing comes."""

    def __init__(self, target):
        self._host, _, self._port = target.rpartition(":")
        self._tasks = set()
        self._writers = set()
        self.connections = 0
        self.blackholed = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def abort_connections(self):
        """Break all connections there are."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(number, reader, server_writer))
                    group.create_task(self._pass(number, server_reader, writer))
            finally:
                server_writer.close()
        writer.close()
        self._writers.discard(writer)

    async def _pass(self, number, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if number not in self.blackholed:
                    writer.write(data)
                    await writer.drain()
            writer.close()


CHUNK_BYTES = 64 * 1024


class FaultProxy:
    """Listens on a port of its own and passes everything on to one target; an async context manager.

    `delay` is how many seconds every byte takes each way, from now on; however many follow it, they take no longer.
    """

    def __init__(self, target):
        self._target = target.rsplit(":", 1)
        self.delay = 0.0
        self.accepted = 0
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._links = set()
        self._half_closed = set()  # writers that were told to half-close
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

    def blackhole(self):
        """A black hole: connections stay open, also new ones, and nothing comes through until `release`."""
        self._may_pass.clear()

    def release(self):
        """Everything that was held goes on, in order."""
        self._may_pass.set()

    def cut(self):
        """Break all connections, in the middle of whatever is said; what is held is lost."""
        for link in self._links:
            for writer in link:
                writer.transport.abort()
        self._links.clear()

    def half_close(self, towards):
        """Tell one side, "server" or "client", that nothing more comes; the other direction goes on."""
        for client, server in self._links:
            writer = {"client": client, "server": server}[towards]
            self._half_closed.add(writer)
            with contextlib.suppress(OSError):
                writer.write_eof()

    # --- passing on

    async def _accept(self, reader, writer):
        self.accepted += 1
        self._tasks.add(asyncio.current_task())
        try:
            await self._link(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # no server at the moment, a side went away, or the proxy is closing, of which asyncio's streams complain
        finally:
            writer.transport.abort()
            self._tasks.discard(asyncio.current_task())

    async def _link(self, from_client, to_client):
        from_server, to_server = await asyncio.open_connection(*self._target)
        link = (to_client, to_server)
        self._links.add(link)
        directions = [
            asyncio.ensure_future(self._pass(*way)) for way in ((from_client, to_server), (from_server, to_client))
        ]
        try:
            await asyncio.gather(*directions)
        finally:
            for way in directions:
                way.cancel()
            self._links.discard(link)
            self._half_closed.difference_update(link)
            to_server.transport.abort()

    async def _pass(self, reader, writer):
        """One direction, to its end."""
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
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
