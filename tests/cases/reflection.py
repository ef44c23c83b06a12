#!/usr/bin/env python3
"""Reflection did not find methods and enum values, and answered v1alpha only: grpcurl describe failed."""

import os
import subprocess

from harness import check, main

ASK = """
import sys
import grpc
from grpc_reflection.v1alpha import reflection_pb2 as pb
names = ["chatctl.v1.ChatService.GetStats", "chatctl.v1.ReceiptStatus.RECEIPT_STATUS_STORED", "grpc.chat.ChatService"]
channel = grpc.insecure_channel(sys.argv[1])
for version in ("v1", "v1alpha"):
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        pb.ServerReflectionRequest.SerializeToString, pb.ServerReflectionResponse.FromString)
    try:
        answers = list(call(iter([pb.ServerReflectionRequest(file_containing_symbol=name) for name in names]), timeout=30))
    except grpc.RpcError as error:
        sys.exit(f"{version}: {error.details()}")
    for name, answer in zip(names, answers):
        if not answer.HasField("file_descriptor_response"):
            sys.exit(f"{version}: {name} is not found")
"""


def case(chatctl):
    chatctl.serve()
    command = [chatctl.python, "-c", ASK, os.environ["CHATCTL_SERVER"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, done.stderr.strip())


if __name__ == "__main__":
    main(case)
