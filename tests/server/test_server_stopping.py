"""Stopping a server: connected clients get an error, receipts hold, and no client delays it past the grace period."""

import contextlib
import itertools
import signal
from struct import pack

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    WINDOW,
    connect_socket,
    frame_bytes,
    header_block,
    message_bytes,
)
from tests.support.waiting import TIMEOUT_SECONDS
from tests.support.wire_client import STORED, ManualStream, call_error, history_texts, send_frames, send_request

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
SERVING = health_pb2.HealthCheckResponse.SERVING


def following(stub, **conditions):
    """Return a call that follows, once it is live."""
    call = stub.GetMessages(pb.GetMessagesRequest(follow=True, **conditions), timeout=TIMEOUT_SECONDS)
    while not next(call).live:
        pass
    return call


def test_stopping_ends_every_stream_long_before_the_grace_period(start_server, connect):
    server = start_server("--grace", "10m")
    channel = connect(server)
    stub = chat_pb2_grpc.ChatServiceStub(channel)
    idle, joined = ManualStream(stub).send("a", user="ann", room="den"), ManualStream(stub)
    assert idle.receipts(1)[0].status == STORED
    joined.send(user="bob", room="den", receive=pb.Receive(all_rooms=True)).receive()
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
    assert next(watch).status == SERVING
    calls = [following(stub), idle.call, joined.call, watch]
    server.stop()
    for call in calls:
        assert call_error(call) == (UNAVAILABLE, "STOPPING")


def test_stopping_with_many_clients_ends_in_order_and_keeps_messages_with_receipts(start_server, connect):
    server = start_server("--grace", "2s")
    channel = connect(server)
    stub = chat_pb2_grpc.ChatServiceStub(channel)
    filled = send_frames(stub, *[send_request(*["x" * 1000] * 1000, user="ann", room="full")] * 10)
    assert {receipt.status for receipt in filled} == {STORED}
    followers = [following(stub, rooms=["empty"]) for _ in range(200)]
    idle = ManualStream(stub).send("a", user="ann", room="den")
    assert idle.receipts(1)
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
    assert next(watch).status == SERVING
    wires = [connect_socket(server) for _ in range(5)]
    for wire in wires:  # each allows responses without limit, and reads none
        allowed = frame_bytes(SETTINGS, body=pack(">HI", 4, 2**31 - 1)) + frame_bytes(
            WINDOW, body=pack(">I", 2**31 - 65_536)
        )
        asked = frame_bytes(HEADERS, END_HEADERS, 1, header_block(path=b"/chatctl.v1.ChatService/GetMessages"))
        wire.sendall(PREFACE + allowed + asked + frame_bytes(DATA, END_STREAM, 1, message_bytes()))

    texts = (str(n) for n in itertools.count())
    frames = (send_request(*itertools.islice(texts, 100), user="bob", input_id="s", room="busy") for _ in itertools.count())
    sending, kept, asked_to_stop = stub.SendAndReceiveMessage(frames, timeout=TIMEOUT_SECONDS), 0, False
    with contextlib.suppress(grpc.RpcError):
        for response in sending:
            kept += sum(receipt.count for receipt in response.receipts if receipt.status == STORED)
            if kept > 1000 and not asked_to_stop:
                asked_to_stop = True
                server.process.send_signal(signal.SIGTERM)
    assert kept > 1000
    server.process.wait(12)  # gRPC alone would wait 20 s for clients that do not read
    assert server.wait() == 0
    assert sending.code() == UNAVAILABLE
    for call in [*followers, idle.call, watch]:
        assert call_error(call) == (UNAVAILABLE, "STOPPING")
        assert "reconnect" in call.details()
    for wire in wires:
        wire.close()
    again = chat_pb2_grpc.ChatServiceStub(connect(start_server(store=server.store)))
    stored = history_texts(again, rooms=["busy"])
    assert stored == [str(n) for n in range(len(stored))]
    assert len(stored) >= kept
    assert len(history_texts(again, rooms=["full"])) == 10_000
