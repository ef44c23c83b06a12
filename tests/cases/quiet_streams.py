#!/usr/bin/env python3
"""Quiet streams ended: those through a proxy, and those of clients that send a keepalive every 10 s.

A follower of a quiet room gets something within 50 s: proxies cut a stream on which nothing comes for 60 s. A stream on
which nothing is written goes on for 50 s though the client pings every 10 s: gRPC called that "too many pings".

slow: it waits as long as a proxy does.
"""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from harness import check, main

START = """
import sys, threading, time
import grpc
from chatctl.v1 import chat_pb2 as pb, chat_pb2_grpc
SECONDS = 50
def stub(**options):
    options = [(f"grpc.{name.replace('__', '.')}", value) for name, value in options.items()]
    return chat_pb2_grpc.ChatServiceStub(grpc.insecure_channel(sys.argv[1], options))
"""
FOLLOW = """
responses = stub().GetMessages(pb.GetMessagesRequest(follow=True, rooms=["quiet"]), timeout=SECONDS)
next(responses)
try:
    next(responses)
except grpc.RpcError as error:
    sys.exit(f"a follower of a quiet room got nothing for {SECONDS} s: {error.details()}")
"""
PING = """
def requests():
    yield pb.SendAndReceiveMessageRequest(user="ann")
    threading.Event().wait()
pinging = stub(keepalive_time_ms=10_000, http2__max_pings_without_data=0)
responses = pinging.SendAndReceiveMessage(requests(), timeout=SECONDS)
try:
    for response in responses:
        pass
except grpc.RpcError as error:
    if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
        sys.exit(f"a stream with a keepalive of 10 s ended: {error.details()}")
"""


def case(chatctl):
    chatctl.serve()

    def run(program):
        command = [chatctl.python, "-c", START + program, os.environ["CHATCTL_SERVER"]]
        return subprocess.run(command, capture_output=True, text=True, timeout=90)

    with ThreadPoolExecutor() as pool:
        for done in pool.map(run, [FOLLOW, PING]):
            check(done.returncode == 0, (done.stderr.splitlines() or ["no reason"])[-1])


if __name__ == "__main__":
    main(case)
