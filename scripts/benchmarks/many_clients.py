"""Many concurrent clients in one process. Print a JSON object.

`send ADDRESS SENDERS TEXTS SECONDS` sends frames of TEXTS texts on SENDERS streams, each frame after the receipts for the
one before, and prints the messages stored per second. `follow ADDRESS FOLLOWERS` follows as many quiet rooms until its
stdin ends, and prints the number of received messages.
"""

import asyncio
import json
import sys
import time

import grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

STREAMS_PER_CHANNEL = 25
WARM_UP_SECONDS = 0.5  # excludes the opening of hundreds of streams
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


def stubs(address: str, count: int) -> list[chat_pb2_grpc.ChatServiceStub]:
    """Return a stub for each stream; 25 streams share a connection."""
    channels = [grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) for _ in range(-(-count // STREAMS_PER_CHANNEL))]
    return [chat_pb2_grpc.ChatServiceStub(channels[i // STREAMS_PER_CHANNEL]) for i in range(count)]


async def send(address: str, senders: int, texts: int, seconds: float) -> dict[str, float]:
    stored = 0
    run = [f"{i:0100d}" for i in range(texts)]

    async def pump(stub: chat_pb2_grpc.ChatServiceStub, name: int) -> None:
        nonlocal stored
        call = stub.SendAndReceiveMessage()
        frame = pb.SendAndReceiveMessageRequest(user=f"user-{name}", room=f"busy-{name}", texts=run)
        while True:
            await call.write(frame)
            unconfirmed = texts
            while unconfirmed:
                counts = [receipt.count for receipt in (await call.read()).receipts]
                unconfirmed -= sum(counts)
                stored += sum(counts)

    pumps = [asyncio.create_task(pump(stub, i)) for i, stub in enumerate(stubs(address, senders))]
    await asyncio.sleep(WARM_UP_SECONDS)
    before, start = stored, time.perf_counter()
    await asyncio.wait(pumps, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    rate = (stored - before) / (time.perf_counter() - start)
    for task in pumps:
        task.cancel()
    for ended in await asyncio.gather(*pumps, return_exceptions=True):
        if isinstance(ended, grpc.RpcError):
            raise ended
    return {"rate": rate}


async def follow(address: str, followers: int) -> dict[str, float]:
    received = 0
    live = asyncio.Queue[int]()

    async def follow_room(stub: chat_pb2_grpc.ChatServiceStub, name: int) -> None:
        nonlocal received
        async for response in stub.GetMessages(pb.GetMessagesRequest(rooms=[f"quiet-{name}"], follow=True)):
            received += sum(len(run.texts) for run in response.runs)
            if response.live:
                live.put_nowait(name)

    tasks = [asyncio.create_task(follow_room(stub, i)) for i, stub in enumerate(stubs(address, followers))]
    await asyncio.gather(*(live.get() for _ in tasks))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"received": received}


async def main(what: str, address: str, *numbers: str) -> None:
    if what == "send":
        figures = await send(address, int(numbers[0]), int(numbers[1]), float(numbers[2]))
    else:
        figures = await follow(address, int(numbers[0]))
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
