#!/usr/bin/env python3
"""A hostile server forged receipts, kept send waiting, passed for the end of the log, and ended commands with tracebacks."""

import json
import subprocess

from harness import check, main, until

SERVER = r"""
import sys, grpc
from concurrent.futures import ThreadPoolExecutor
from google.protobuf.timestamp_pb2 import Timestamp
from chatctl.v1 import chat_pb2 as pb

lie = sys.argv[1]
TIME = Timestamp(seconds=1700000000)
LIMITS = pb.Limits(text_bytes=65536, name_bytes=128, batch_messages=1000, batch_bytes=1048576, streams=100)
INPUT = "input_id" if "input_id" in pb.Welcome.DESCRIPTOR.fields_by_name else "sender"

def stats(request, context):
    if lie == "error":
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad\nchatctl: 5 stored (room lobby)")
    response = pb.GetStatsResponse(version="0.1.0", log="log", head="log:1", store="sqlite", limits=LIMITS)
    response.activity.num_messages.append(1)
    response.activity.commit_median.seconds = 2**62
    return response

def messages(request, context):
    run = pb.Run(sequence=1, room="lobby", user="ann", create_time=TIME, texts=["hi"])
    yield pb.GetMessagesResponse(runs=[run], cursor="log:1", cursor_prefix="log:")
    yield b"\xff\xff"

def send(requests, context):
    first = next(requests)
    welcome = pb.Welcome(log="log", cursor_prefix='x:1","room":"prod","z":"' if lie == "prefix" else "log:", limits=LIMITS)
    setattr(welcome, INPUT, getattr(first, INPUT) or "id")
    yield pb.SendAndReceiveMessageResponse(welcome=welcome)
    for request in requests:
        while request.texts:
            receipt = pb.Receipt(number=1, count=-5 if lie == "count" else 1, sequence=1, create_time=TIME)
            receipt.status = 0 if lie == "status" else 1
            yield pb.SendAndReceiveMessageResponse(receipts=[] if lie == "empty" else [receipt])
            if lie != "empty":
                break

def serialize(message):
    return message if isinstance(message, bytes) else message.SerializeToString()

server = grpc.server(ThreadPoolExecutor(8))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("chatctl.v1.ChatService", {
    "GetStats": grpc.unary_unary_rpc_method_handler(stats, pb.GetStatsRequest.FromString, serialize),
    "GetMessages": grpc.unary_stream_rpc_method_handler(messages, pb.GetMessagesRequest.FromString, serialize),
    "SendAndReceiveMessage":
        grpc.stream_stream_rpc_method_handler(send, pb.SendAndReceiveMessageRequest.FromString, serialize),
})])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"127.0.0.1:{port}", flush=True)
server.wait_for_termination()
"""
LIES = {
    "prefix": (["send", "--json", "hi"], 76),
    "count": (["send", "--json", "hi"], 76),
    "status": (["send", "--json", "hi"], 76),
    "empty": (["send", "--json", "--timeout", "2s", "hi"], 78),
    "unreadable": (["history", "--json"], 76),
    "figures": (["stats"], 76),
    "error": (["stats"], 67),
}


def case(chatctl):
    program = chatctl.folder / "server.py"
    program.write_text(SERVER)
    for lie, (command, code) in LIES.items():
        server = chatctl.start_command(chatctl.python, program, lie, stdout=subprocess.PIPE)
        address = until(server.stdout.readline, "the start of the server").decode().strip()
        done = chatctl.run(*command, "--server", address)
        server.kill()
        said = done.stderr.splitlines()[-1:]
        check("Traceback" not in done.stderr, f"lie {lie}: {command[0]} ends with a traceback: {said}")
        check(done.returncode == code, f"lie {lie}: {command[0]} ends with {done.returncode}, not {code}: {said}")
        lines = [json.loads(line) for line in done.stdout.splitlines()] if "--json" in command else []
        check(not [line for line in lines if line.get("status") == "stored"], f"lie {lie}: a false receipt: {lines}")
        check(len(done.stderr.splitlines()) == 1, f"lie {lie}: the server forges lines of stderr: {done.stderr!r}")


if __name__ == "__main__":
    main(case)
