"""A server from start to end: addresses, limits, stopping, crashes, and internals that no client may see."""

import contextlib
import sys

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chatctl.tutorial import chat_pb2 as tutorial_pb2
from chatctl.tutorial import chat_pb2_grpc as tutorial_pb2_grpc
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.waiting import TIMEOUT_SECONDS, until
from tests.support.wire_client import (
    DUPLICATE,
    REJECTED,
    STORED,
    ManualStream,
    call_error,
    history_texts,
    send_frames,
    send_request,
)

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def stub(server, connect):
    return chat_pb2_grpc.ChatServiceStub(connect(server))


def following(stub, **conditions):
    """Return a call that follows, once it is live."""
    call = stub.GetMessages(pb.GetMessagesRequest(follow=True, **conditions), timeout=TIMEOUT_SECONDS)
    while not next(call).live:
        pass
    return call


METHODS = [
    *(f"chatctl.v1.ChatService/{name}" for name in ("GetStats", "GetMessages", "SendAndReceiveMessage", "VerifyMessages")),
    *(f"{service}/SendAndReceiveMessage" for service in ("grpc.chat.ChatService", "ChatService")),
    "grpc.health.v1.Health/Check",
]


JUNK = {"wire": b"\xff\xff\xff", "no UTF-8": b"\x0a\x02\xff\xfe", "a surrogate": b"\x0a\x03\xed\xa0\x80"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("junk", JUNK)
def test_malformed_bytes_get_a_status_that_shows_no_internals(server, connect, method, junk):
    channel = connect(server)
    if (method, junk == "wire") != ("chatctl.v1.ChatService/GetStats", False):  # its first field is a number
        with pytest.raises(grpc.RpcError) as refused:
            next(channel.stream_stream("/" + method)(iter([JUNK[junk]]), timeout=TIMEOUT_SECONDS))
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        for word in ("<class", "Decode", "Unexpected", "Traceback", "google"):
            assert word not in refused.value.details()
    assert chat_pb2_grpc.ChatServiceStub(channel).GetStats(pb.GetStatsRequest()).version


def has_a_place(stub):
    """Return True if another stream may be opened."""
    try:
        return history_texts(stub) == ["a"]
    except grpc.RpcError as error:
        return error.code() == grpc.StatusCode.OK


def test_streams_over_the_limit_are_rejected_while_other_calls_are_answered(start_server, connect):
    channel = connect(start_server("--streams", "2"))
    stub = chat_pb2_grpc.ChatServiceStub(channel)
    follower, sender = following(stub), ManualStream(stub).send("a", user="ann", room="den")
    sender.receipts(1)
    full = (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
    refused = stub.GetMessages(pb.GetMessagesRequest())
    assert call_error(refused) == full
    assert "try again later" in refused.details()
    assert call_error(ManualStream(stub).send("b", user="ann", room="den").call) == full
    tutorial = tutorial_pb2_grpc.ChatServiceStub(channel)
    assert call_error(tutorial.GetMessages(tutorial_pb2.EmptyRequest())) == full
    assert call_error(stub.VerifyMessages(iter(()), timeout=TIMEOUT_SECONDS)) == full

    assert stub.GetStats(pb.GetStatsRequest()).limits.streams == 2
    assert tutorial.GetStats(tutorial_pb2.EmptyRequest()).num_messages == 1
    health = health_pb2_grpc.HealthStub(channel)
    assert health.Check(health_pb2.HealthCheckRequest()).status == SERVING
    watch = health.Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == SERVING
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
    assert "chatctl.v1.ChatService" in [service.name for service in answer.list_services_response.service]

    places = []
    for leave in (lambda: list(sender.close().call), follower.cancel):
        leave()
        until(lambda: has_a_place(stub))
        places.append(following(stub))
        assert call_error(stub.GetMessages(pb.GetMessagesRequest())) == full
    watch.cancel()


def test_following_continues_across_restarts_without_gaps_or_duplicates(start_server, connect):
    cursor, seen, store = "", [], None
    for life in range(3):
        server = start_server(store=store)
        store = server.store
        stub = chat_pb2_grpc.ChatServiceStub(connect(server))
        send_frames(stub, send_request(f"{life}a", user="ann", room="den"))
        call = stub.GetMessages(pb.GetMessagesRequest(follow=True, after=cursor), timeout=TIMEOUT_SECONDS)
        send_frames(stub, send_request(f"{life}b", f"{life}c", user="ann", room="den"))
        while len(seen) <= 3 * life:  # not all: responses at the end and after it count too
            response = next(call)
            cursor = response.cursor
            seen += [text for run in response.runs for text in run.texts]
        if life == 1:
            server.kill()
        else:
            server.stop()
        with contextlib.suppress(grpc.RpcError):
            for response in call:
                cursor = response.cursor
                seen += [text for run in response.runs for text in run.texts]
        assert call.code() == UNAVAILABLE
    assert seen == [f"{life}{letter}" for life in range(3) for letter in "abc"]


def test_messages_with_receipts_survive_a_kill_and_sending_again_stores_the_rest_once(start_server, connect):
    server = start_server()
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))
    frames = [send_request(*(f"{n}" for n in range(at, at + 100)), user="ann", input_id="s", room="den", number=at)
              for at in range(1, 20_001, 100)]  # fmt: skip
    call, kept = stub.SendAndReceiveMessage(iter(frames), timeout=TIMEOUT_SECONDS), {}
    with contextlib.suppress(grpc.RpcError):
        for response in call:
            kept |= {r.number + i: r.sequence + i for r in response.receipts for i in range(r.count)}
            if len(kept) > 3000 and server.process.returncode is None:
                server.kill()
    assert len(kept) > 3000
    again = chat_pb2_grpc.ChatServiceStub(connect(start_server(store=server.store)))
    receipts = [(r.number + i, r.status, r.sequence + i) for r in send_frames(again, *frames) for i in range(r.count)]
    assert {number: sequence for number, status, sequence in receipts if number in kept} == kept
    assert {status for number, status, _ in receipts if number in kept} == {DUPLICATE}
    assert [int(text) for text in history_texts(again)] == list(range(1, 20_001))


def test_health_is_reported_for_every_service(server, connect):
    health = health_pb2_grpc.HealthStub(connect(server))
    for service in ("", "chatctl.v1.ChatService", "grpc.chat.ChatService"):
        assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == SERVING


@pytest.mark.parametrize("same", [0, 1])
def test_a_flood_of_conflicts_fits_the_frames_that_clients_accept(stub, same):
    def frames(letter):
        # All texts differ, or every second one; in an error each is ten times as long.
        texts = [*["same"] * same, letter + "\U000e0001" * 40] * (1000 // (1 + same))
        return [
            send_request(*texts, user="ann", input_id="\u200b" * 42, room="den", number=at) for at in range(1, 40_001, 1000)
        ]

    assert {receipt.status for receipt in send_frames(stub, *frames("a"))} == {STORED}
    receipts = send_frames(stub, *frames("b"))
    assert {receipt.status for receipt in receipts} == ({DUPLICATE, REJECTED} if same else {REJECTED})
    assert sum(receipt.count for receipt in receipts) == 40_000


FAULTY = """
import asyncio, sys
from chatctl.config.settings import ServeSettings
from chatctl.model.limits import Limits
from chatctl.server.run import serve
from chatctl.store.sqlite.log import SQLiteLog

async def read(*arguments):
    raise RuntimeError("secret")

SQLiteLog.read = SQLiteLog.stats = read
SQLiteLog.append = lambda log, batch: asyncio.ensure_future(read())
settings = ServeSettings((sys.argv[2],), sys.argv[4], Limits())
announce = lambda addresses: print("listening on", *addresses, file=sys.stderr, flush=True)
asyncio.run(serve(settings, announce, lambda failure: sys.exit(1)))
"""


def test_an_internal_exception_reaches_the_server_log_and_no_client(start_server, connect):
    server = start_server(command=[sys.executable, "-c", FAULTY])
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))
    call = ManualStream(stub).send("a", user="ann", room="den").call
    with pytest.raises(grpc.RpcError) as stats:
        stub.GetStats(pb.GetStatsRequest())
    with pytest.raises(grpc.RpcError) as sending:
        list(call)
    for error in (stats.value, sending.value):
        assert error.code() == grpc.StatusCode.INTERNAL
        assert "secret" not in error.details()
        assert dict(error.trailing_metadata())["chatctl-reason"] == "SERVER_FAULT"
    server.stop()
    assert any("secret" in line for line in server.lines)


def test_a_unix_socket_belongs_to_one_server_and_a_stale_one_is_reused(start_server, connect, tmp_path):
    listen = f"unix:{tmp_path}/chat.sock"
    first = start_server(listen=listen)
    other = ("--listen", listen, "--store", f"sqlite:{tmp_path}/other.db")
    assert "another server" in start_server.start_error(*other)
    stub = chat_pb2_grpc.ChatServiceStub(connect(first))
    assert send_frames(stub, send_request("a", user="ann", room="den"))
    first.kill()
    assert (tmp_path / "chat.sock").exists()
    second = start_server(listen=listen, store=first.store)
    assert history_texts(chat_pb2_grpc.ChatServiceStub(connect(second))) == ["a"]
    second.stop()


def test_a_path_that_is_not_a_socket_is_rejected_and_left_unchanged(start_server, tmp_path):
    (tmp_path / "diary").write_text("dear diary")
    store = f"sqlite:{tmp_path}/chat.db"
    assert "not a socket" in start_server.start_error("--listen", f"unix:{tmp_path}/diary", "--store", store)
    assert (tmp_path / "diary").read_text() == "dear diary"
    assert "does not exist" in start_server.start_error("--listen", f"unix:{tmp_path}/no/where", "--store", store)


def test_a_port_in_use_is_rejected(start_server, server, tmp_path, silent_address):
    store = f"sqlite:{tmp_path}/other.db"
    assert "port is in use" in start_server.start_error("--listen", server.address, "--store", store)
    assert "port is in use" in start_server.start_error("--listen", silent_address, "--store", store)


def test_a_store_in_use_is_rejected(start_server, server):
    assert "another server uses it" in start_server.start_error(
        "--listen", "127.0.0.1:0", "--store", f"sqlite:{server.store}"
    )


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_an_address_beyond_this_machine_needs_insecure(start_server, tmp_path, listen):
    said = start_server.start_error("--listen", listen, "--store", f"sqlite:{tmp_path}/chat.db")
    assert "--insecure" in said
    assert not (tmp_path / "chat.db").exists()


def test_with_insecure_any_address_is_served(start_server):
    server = start_server("--insecure", listen="0.0.0.0:0")
    assert server.address.startswith("0.0.0.0:")
    server.stop()
