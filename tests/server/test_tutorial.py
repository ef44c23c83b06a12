"""The tutorial's clients work unchanged, with stubs from both forms of its proto."""

import queue
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.waiting import TIMEOUT_SECONDS
from tests.support.wire_client import send_frames, send_request

CLIENT = Path(__file__).parents[1] / "support/tutorial_client.py"
PROTO = Path(__file__).parents[2] / "protos/chatctl/tutorial/chat.proto"
PACKAGE = "package grpc.chat;\n"


@pytest.fixture(scope="module", params=["with its package", "without a package"])
def stubs(request, tmp_path_factory):
    """A directory with stubs as the tutorial generates them: the published proto has a package, the one in its text none."""
    directory = tmp_path_factory.mktemp("stubs")
    proto = PROTO.read_text()
    assert PACKAGE in proto
    (directory / "chat.proto").write_text(proto if request.param == "with its package" else proto.replace(PACKAGE, ""))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", "chat.proto"]
    subprocess.run(command, cwd=directory, check=True, timeout=TIMEOUT_SECONDS)
    return directory


@pytest.fixture
def client(stubs):
    """Run the client in a process of its own: its stubs cannot be loaded beside chatctl's."""

    def client(server, *arguments):
        command = [sys.executable, CLIENT, stubs, server.address, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)

    return client


def said(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_each_text_gets_a_reply_and_is_an_ordinary_message(server, connect, client):
    assert said(client(server, "send", "hello", "", "Grüße 🚋")) == [
        "Server Responding to hello",
        "Server Responding to ",
        "Server Responding to Grüße 🚋",
    ]
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))
    runs = [run for response in stub.GetMessages(pb.GetMessagesRequest()) for run in response.runs]
    assert {(run.room, run.user) for run in runs} == {("lobby", "anonymous")}
    assert [text for run in runs for text in run.texts] == ["hello", "", "Grüße 🚋"]


def test_messages_and_statistics_cover_the_whole_log_after_a_restart_too(start_server, connect, client):
    server = start_server()
    assert said(client(server, "messages")) == []
    assert said(client(server, "stats")) == ["0"]
    said(client(server, "send", "from the tutorial"))
    send_frames(chat_pb2_grpc.ChatServiceStub(connect(server)), send_request("from v1", user="ann", room="den"))
    server.stop()
    again = start_server(store=server.store)
    assert said(client(again, "messages")) == ["from the tutorial", "from v1"]
    assert said(client(again, "send", "from the tutorial")) == ["Server Responding to from the tutorial"]
    assert said(client(again, "stats")) == ["3"]


def test_an_invalid_text_ends_the_stream_after_the_outstanding_replies(server, client):
    done = client(server, "send", "fine", "x" * 65_537, "never")
    assert done.stdout.splitlines() == ["Server Responding to fine"]
    assert done.stderr.startswith("INVALID_ARGUMENT the text has 65537 bytes")
    assert said(client(server, "messages")) == ["fine"]


@pytest.mark.parametrize("service", ["grpc.chat.ChatService", "ChatService"])
def test_the_service_answers_at_both_names_and_clients_need_not_wait_for_replies(server, connect, service):
    def encoded(text):  # one field with the number 1
        return b"\n" + bytes([len(text)]) + text.encode()

    channel = connect(server)
    texts = [f"text {n}" for n in range(500)]
    replies = channel.stream_stream(f"/{service}/SendAndReceiveMessage")(map(encoded, texts), timeout=TIMEOUT_SECONDS)
    assert list(replies) == [encoded(f"Server Responding to {text}") for text in texts]
    assert list(channel.unary_stream(f"/{service}/GetMessages")(b"", timeout=TIMEOUT_SECONDS)) == list(map(encoded, texts))
    assert channel.unary_unary(f"/{service}/GetStats")(b"", timeout=TIMEOUT_SECONDS) == b"\x08\xf4\x03"


def test_an_open_tutorial_stream_ends_when_the_server_stops(start_server, connect):
    server, texts = start_server("--grace", "10m"), queue.SimpleQueue()
    texts.put(b"\n\x01a")
    call = connect(server).stream_stream("/ChatService/SendAndReceiveMessage")(
        iter(texts.get, None), timeout=TIMEOUT_SECONDS
    )
    assert next(call) == b"\n\x16Server Responding to a"
    server.stop()
    with pytest.raises(grpc.RpcError) as ended:
        next(call)
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    texts.put(None)
