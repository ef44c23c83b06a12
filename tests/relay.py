"""A TCP proxy in the event loop of a test; it can swallow what goes over a connection, and cut it."""

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
