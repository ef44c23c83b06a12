#!/usr/bin/env python3
"""A follower of a quiet room got no byte for minutes, so that each proxy with a read timeout cut it off.

slow: it waits for the heartbeat, which comes after 30 s.
"""

import os

from harness import Untried, check, main

FOLLOWER = """
import asyncio, sys
import grpc
from chatctl.v1 import chat_pb2 as pb, chat_pb2_grpc
async def main():
    async with grpc.aio.insecure_channel(sys.argv[1]) as channel:
        call = chat_pb2_grpc.ChatServiceStub(channel).GetMessages(pb.GetMessagesRequest(follow=True, rooms=["a"]))
        await call.read()
        try:
            while not (await asyncio.wait_for(call.read(), 50)):
                pass
        except asyncio.TimeoutError:
            sys.exit(1)
asyncio.run(main())
"""


def case(chatctl):
    chatctl.serve()
    chatctl.send("--room", "a", "one")
    code = chatctl.start_command(chatctl.python, "-c", FOLLOWER, os.environ["CHATCTL_SERVER"]).wait()
    if code not in (0, 1):
        raise Untried(f"the follower ended with {code}")
    check(code == 0, "a follower of a quiet room gets nothing for 50 s")


if __name__ == "__main__":
    main(case)
