"""Clients of other implementations: grpc-js, grpclib and buf curl. Calls of each kind, deadlines, and cancelling."""

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import grpclib
import pytest
from grpclib.client import Channel, StreamStreamMethod, UnaryStreamMethod, UnaryUnaryMethod

from chatctl.v1 import chat_pb2 as pb
from tests.support.cli import run, texts
from tests.support.foreign import grpc_js
from tests.support.waiting import TIMEOUT_SECONDS, until

PROTOS = Path(__file__).parents[2] / "protos"
SERVICE = "chatctl.v1.ChatService"
DEADLINE_EXCEEDED, CANCELLED = 4, 1


def followers(address):
    return run("stats", "--json", server=address).objects[0]["activity"]["followers"]


# grpc-js


@pytest.fixture
def node(address, room):
    def node(mode):
        """Run the client in a mode, and return what it printed."""
        done = subprocess.run(
            [*grpc_js(), PROTOS, address, room, mode], capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line) for line in done.stdout.splitlines()]

    return node


@pytest.fixture(scope="module", autouse=True)
def installed_grpc_js():
    grpc_js()


def test_grpc_js_calls_each_kind_of_method(node, address, room):
    assert node("unary") == ["sqlite"]
    assert node("bidirectional") == [[0, "1 RECEIPT_STATUS_STORED", "2 RECEIPT_STATUS_STORED"]]
    assert texts(room, address) == ["one", "two"]
    assert node("stream") == ["one", "two", 0]


def test_grpc_js_ends_a_call_by_deadline_and_by_cancelling(node, address, send):
    send("one")
    assert node("deadline") == [DEADLINE_EXCEEDED]
    assert node("cancel") == [CANCELLED]
    until(lambda: followers(address) == 0)


# grpclib


class GrpclibChat:
    """The methods of the service as grpclib calls them."""

    def __init__(self, channel):
        def method(kind, name):
            request, response = getattr(pb, f"{name}Request"), getattr(pb, f"{name}Response")
            return kind(channel, f"/{SERVICE}/{name}", request, response)

        self.stats = method(UnaryUnaryMethod, "GetStats")
        self.messages = method(UnaryStreamMethod, "GetMessages")
        self.send = method(StreamStreamMethod, "SendAndReceiveMessage")


@asynccontextmanager
async def grpclib_chat(address):
    host, _, port = address.rpartition(":")
    channel = Channel(host, int(port))
    try:
        yield GrpclibChat(channel)
    finally:
        channel.close()


async def test_grpclib_calls_each_kind_of_method(address, room):
    async with grpclib_chat(address) as chat:
        assert (await chat.stats(pb.GetStatsRequest())).store == "sqlite"
        async with chat.send.open() as stream:
            numbers = []
            await stream.send_message(pb.SendAndReceiveMessageRequest(user="ann", room=room, texts=["one"]))
            while len(numbers) < 2:
                response = await stream.recv_message()
                numbers += [receipt.number for receipt in response.receipts]
                if response.receipts and len(numbers) == 1:
                    await stream.send_message(pb.SendAndReceiveMessageRequest(texts=["two"]))
            await stream.end()
            assert await stream.recv_message() is None
        assert numbers == [1, 2]
        responses = await chat.messages(pb.GetMessagesRequest(rooms=[room]))
        assert [text for response in responses for run in response.runs for text in run.texts] == ["one", "two"]


async def test_grpclib_ends_a_call_by_deadline_and_by_cancelling(address, room, send):
    send("one")
    follow = pb.GetMessagesRequest(rooms=[room], follow=True)
    async with grpclib_chat(address) as chat:
        with pytest.raises((asyncio.TimeoutError, grpclib.GRPCError)):
            await chat.messages(follow, timeout=0.5)
        async with chat.messages.open() as stream:
            await stream.send_message(follow, end=True)
            assert (await stream.recv_message()).runs
            await stream.cancel()
        await asyncio.to_thread(until, lambda: followers(address) == 0)


# buf curl


@pytest.fixture
def buf_curl(address):
    def buf_curl(method, *requests, reflection="grpc-v1"):
        """Call a method, whose types come from reflection, and return the responses."""
        options = ["--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", reflection, "--data", "@-"]
        command = [Path(sys.executable).with_name("buf"), "curl", *options, f"http://{address}/{method}"]
        sent = "\n".join(map(json.dumps, requests))
        done = subprocess.run(command, input=sent, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        assert done.returncode == 0, done.stderr
        decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
        while text:
            response, end = decoder.raw_decode(text)
            found.append(response)
            text = text[end:].strip()
        return found

    return buf_curl


@pytest.mark.parametrize("reflection", ["grpc-v1", "grpc-v1alpha"])
def test_buf_curl_calls_each_kind_of_method(buf_curl, room, reflection):
    (stats,) = buf_curl(f"{SERVICE}/GetStats", {}, reflection=reflection)
    assert stats["store"] == "sqlite"
    sent = [{"user": "ann", "room": room, "texts": ["one"]}, {"texts": ["two"]}]
    received = buf_curl(f"{SERVICE}/SendAndReceiveMessage", *sent, reflection=reflection)
    receipts = [receipt for response in received for receipt in response.get("receipts", [])]
    assert sum(int(receipt["count"]) for receipt in receipts) == 2
    found = buf_curl(f"{SERVICE}/GetMessages", {"rooms": [room]}, reflection=reflection)
    assert [text for response in found for run in response.get("runs", []) for text in run["texts"]] == ["one", "two"]
    (health,) = buf_curl("grpc.health.v1.Health/Check", {}, reflection=reflection)
    assert health == {"status": "SERVING"}
