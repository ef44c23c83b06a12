"""A TCP proxy that delays data by the same time in each direction, without a limit on data in flight.

Arguments: MILLISECONDS ADDRESS.
"""

import asyncio
import sys

CHUNK_BYTES = 256 * 1024
BUFFER_BYTES = 256 * 1024 * 1024  # in flight in one direction: more than any sender has without receipts

Chunk = tuple[float, bytes]
"""The time at which to write, and the data; empty data ends the stream."""


async def read_chunks(reader: asyncio.StreamReader, chunks: "asyncio.Queue[Chunk]", delay: float) -> None:
    """Read until the end, and set the time for each chunk."""
    clock = asyncio.get_running_loop().time
    while data := await reader.read(CHUNK_BYTES):
        await chunks.put((clock() + delay, data))
    await chunks.put((clock() + delay, b""))


async def write_chunks(chunks: "asyncio.Queue[Chunk]", writer: asyncio.StreamWriter) -> None:
    """Write each chunk at its time."""
    clock = asyncio.get_running_loop().time
    while True:
        due, data = await chunks.get()
        if (wait := due - clock()) > 0:
            await asyncio.sleep(wait)
        if not data:
            writer.close()
            return
        writer.write(data)
        await writer.drain()


async def main(milliseconds: str, address: str) -> None:
    host, _, port = address.rpartition(":")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port), limit=CHUNK_BYTES)
        tasks = []
        for source, target in ((reader, far_writer), (far_reader, writer)):
            chunks: asyncio.Queue[Chunk] = asyncio.Queue(BUFFER_BYTES // CHUNK_BYTES)
            tasks += [read_chunks(source, chunks, int(milliseconds) / 1000), write_chunks(chunks, target)]
        await asyncio.gather(*tasks, return_exceptions=True)  # either side may go at any time

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=CHUNK_BYTES)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
