"""grpcurl against the server: reflection, and each method."""

import base64
import json
import re
import subprocess
from hashlib import sha256

import pytest

from tests.support.grpcurl import binary as grpcurl_binary

SERVICES = ["chatctl.v1.ChatService", "grpc.chat.ChatService", "grpc.health.v1.Health"]
REFLECTION = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]


@pytest.fixture(scope="module")
def binary():
    return grpcurl_binary()


@pytest.fixture
def grpcurl(binary, server):
    def grpcurl(*arguments, data=None, code=0):
        """Return its output. Sends `data`, one JSON object for each message."""
        sent = ["-d", "\n".join(map(json.dumps, data))] if data is not None else []
        command = [binary, "-plaintext", *sent, server.address, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return grpcurl


def objects(text):
    """Return the JSON objects in a text, which follow each other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        thing, end = decoder.raw_decode(text)
        found.append(thing)
        text = text[end:]
    return found


def test_reflection_lists_each_service_except_the_tutorials_one_without_a_package(grpcurl):
    assert grpcurl("list").split() == sorted([*SERVICES, *REFLECTION])


@pytest.mark.parametrize("service", ["chatctl.v1.ChatService", "grpc.chat.ChatService"])
def test_reflection_describes_each_method(grpcurl, service):
    methods = grpcurl("list", service).split()
    streams = {"GetMessages": 1, "GetStats": 0, "SendAndReceiveMessage": 2}
    if service == "chatctl.v1.ChatService":
        streams["VerifyMessages"] = 2
    assert methods == [f"{service}.{name}" for name in streams]
    described = [line for line in grpcurl("describe", service).splitlines() if line.strip().startswith("rpc ")]
    assert [line.count("stream") for line in described] == list(streams.values())
    for line in described:
        for name in re.findall(r"\.([\w.]+Re[\w]+)", line):
            assert f"message {name.rpartition('.')[2]} {{" in grpcurl("describe", name)


@pytest.mark.parametrize(
    ("symbol", "described"),
    [
        ("chatctl.v1.ChatService.VerifyMessages", "is a method:\nrpc VerifyMessages ( stream "),
        ("grpc.chat.ChatService.GetStats", "is a method:\nrpc GetStats ( .grpc.chat.EmptyRequest ) "),
        ("chatctl.v1.Receipt", "is a message:\nmessage Receipt {"),
        ("chatctl.v1.Receipt.number", "is a field:\nint64 number = 1;"),
        ("chatctl.v1.ReceiptStatus", "is an enum:\nenum ReceiptStatus {"),
        ("chatctl.v1.ReceiptStatus.RECEIPT_STATUS_STORED", "is an enum value:\nRECEIPT_STATUS_STORED = 1;"),
        ("grpc.health.v1.HealthListResponse.StatusesEntry", "is the entry type for a map field"),
        ("google.protobuf.Timestamp", "is a message:\nmessage Timestamp {"),
        (REFLECTION[0], "is a service:\nservice ServerReflection {"),
    ],
)
def test_describe_takes_each_kind_of_symbol(grpcurl, symbol, described):
    assert f"{symbol} {described}" in grpcurl("describe", symbol)


def test_each_method_of_v1_answers(grpcurl):
    sent = [{"user": "ann", "room": "den", "input_id": "s", "texts": ["one", "two"]}, {"texts": ["x" * 65_537, "three"]}]
    responses = objects(grpcurl("chatctl.v1.ChatService/SendAndReceiveMessage", data=sent))
    assert responses[0]["welcome"]["input_id"] == "s"
    receipts = [receipt for response in responses for receipt in response.get("receipts", [])]
    assert [(receipt["number"], receipt["count"], receipt["status"].rpartition("_")[2]) for receipt in receipts] == [
        ("1", "2", "STORED"),
        ("3", "1", "REJECTED"),
        ("4", "1", "STORED"),
    ]
    found = objects(grpcurl("chatctl.v1.ChatService/GetMessages", data=[{"rooms": ["den"], "contains": "T"}]))
    assert [text for response in found for run in response["runs"] for text in run["texts"]] == ["two", "three"]
    (stats,) = objects(grpcurl("chatctl.v1.ChatService/GetStats"))
    assert (stats["num_messages"], stats["stored_bytes"], stats["store"]) == ("3", "11", "sqlite")
    digests = [base64.b64encode(sha256(text).digest()).decode() for text in (b"one", b"TWO", b"three", b"four")]
    claims = [{"sequence": 1, "room": "den", "user": "ann", "sha256": digests}]
    asked = [{"cursor_prefix": responses[0]["welcome"]["cursor_prefix"], "claims": claims}, {"claims": claims}]
    faults = [
        {"index": 1, "sequence": "2", "kind": "FAULT_KIND_OTHER_TEXT"},
        {"index": 3, "sequence": "4", "kind": "FAULT_KIND_MISSING"},
    ]
    answers = objects(grpcurl("chatctl.v1.ChatService/VerifyMessages", data=asked))
    assert answers == [{"num_messages": "4", "faults": faults}] * 2


def test_each_method_of_the_tutorial_answers(grpcurl):
    sent = [{"message": "hello"}, {"message": "again"}]
    replies = objects(grpcurl("grpc.chat.ChatService/SendAndReceiveMessage", data=sent))
    assert replies == [{"message": "Server Responding to hello"}, {"message": "Server Responding to again"}]
    assert objects(grpcurl("grpc.chat.ChatService/GetMessages")) == sent
    assert objects(grpcurl("grpc.chat.ChatService/GetStats")) == [{"num_messages": 2}]


@pytest.mark.parametrize("service", ["", "chatctl.v1.ChatService", "grpc.chat.ChatService"])
def test_health_is_serving(grpcurl, service):
    assert objects(grpcurl("grpc.health.v1.Health/Check", data=[{"service": service}])) == [{"status": "SERVING"}]


def test_health_lists_each_service(grpcurl):
    serving = {name: {"status": "SERVING"} for name in ("", "chatctl.v1.ChatService", "grpc.chat.ChatService")}
    assert objects(grpcurl("grpc.health.v1.Health/List")) == [{"statuses": serving}]


@pytest.mark.parametrize(
    ("status", "method", "data"),
    [
        (3, "chatctl.v1.ChatService/GetMessages", {"last": -1}),
        (3, "chatctl.v1.ChatService/GetStats", {"top": 5000}),
        (3, "chatctl.v1.ChatService/SendAndReceiveMessage", {"texts": ["x"] * 1001}),
        (3, "grpc.chat.ChatService/SendAndReceiveMessage", {"message": "x" * 65_537}),
        (9, "chatctl.v1.ChatService/GetMessages", {"after": "0:1"}),
        (9, "chatctl.v1.ChatService/VerifyMessages", {"cursor_prefix": "0:"}),
        (3, "chatctl.v1.ChatService/VerifyMessages", {}),
        (5, "grpc.health.v1.Health/Check", {"service": "unknown"}),
    ],
)
def test_an_error_sets_the_exit_code(grpcurl, status, method, data):
    said = grpcurl(method, data=[data], code=64 + status)
    assert "Code:" in said
