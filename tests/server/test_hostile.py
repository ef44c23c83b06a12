"""Hostile input: the server keeps running, other clients get their answers, and no error shows internals."""

import contextlib
import logging
import random
import socket
import sys
from pathlib import Path
from struct import pack

import grpc
import pytest
from grpc._cython import cygrpc

from chatctl.net import grpc_options
from chatctl.server import log_rate_limit
from chatctl.server.log_rate_limit import LogRateLimiter
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INTERNAL_NAMES,
    PREFACE,
    SETTINGS,
    call_bytes,
    connect_socket,
    frame_bytes,
    header_block,
    healthy_client,
    malformed_connections,
    malformed_message,
    message_bytes,
    send_bytes,
)
from tests.support.waiting import TIMEOUT_SECONDS, until

CHAT = ("GetStats", "GetMessages", "SendAndReceiveMessage")
METHODS = [
    *(
        f"/{service}/{name}"
        for service in ("chatctl.v1.ChatService", "grpc.chat.ChatService", "ChatService")
        for name in CHAT
    ),
    "/chatctl.v1.ChatService/VerifyMessages",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.health.v1.Health/List",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]
OURS = {
    grpc.StatusCode[name]
    for name in (
        *("OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED"),
        *("DEADLINE_EXCEEDED", "UNIMPLEMENTED"),
    )
}


@pytest.fixture
def chance():
    """A random generator; a failing test shows its seed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def alive(served):
    """Return the server's version if it answers a new client."""
    with grpc.insecure_channel(served.address, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
        return chat_pb2_grpc.ChatServiceStub(channel).GetStats(pb.GetStatsRequest(), timeout=TIMEOUT_SECONDS).version


@pytest.mark.timeout(180)
def test_malformed_messages_on_every_method_get_a_status_that_shows_no_internals(server, connect, chance):
    channel = connect(server)
    with healthy_client(connect(server)):
        for method in METHODS:
            calls = []
            for _ in range(12):
                sent = [malformed_message(chance) for _ in range(chance.randrange(4))]
                if chance.random() < 0.05:
                    sent.append(bytes(4 * 1024 * 1024 + 1))
                calls.append((sent, channel.stream_stream(method)(iter(sent), timeout=chance.choice((0.1, 0.5)))))
            for sent, answer in calls:
                with contextlib.suppress(grpc.RpcError):
                    for _ in answer:
                        pass
                assert answer.code() in OURS, (method, sent, answer)
                assert not [word for word in INTERNAL_NAMES if word in answer.details()], (method, sent, answer)
    assert alive(server)
    server.stop()
    assert server.lines == [server.lines[0]], "clients caused log records"


@pytest.mark.timeout(120)
def test_bytes_that_are_not_http2_harm_no_other_client_and_show_no_internals(server, connect, chance):
    with healthy_client(connect(server)) as someone:
        for name, data in malformed_connections(chance).items():
            before = someone.stored
            heard = send_bytes(server, data).decode("latin-1")
            assert not [word for word in INTERNAL_NAMES if word in heard], name
            until(lambda before=before: someone.stored > before)
            assert alive(server), name
    server.stop()
    assert len(server.lines) < 20


def test_connections_that_open_close_and_stall_at_random_harm_no_other_client(server, connect, chance):
    wires = []
    said = [
        *malformed_connections(chance).values(),
        *[call_bytes(path=b"/chatctl.v1.ChatService/SendAndReceiveMessage")] * 10,
    ]
    with healthy_client(connect(server)):
        for _ in range(400):
            wire = connect_socket(server)
            wire.setblocking(False)
            data = chance.choice(said)
            with contextlib.suppress(OSError):
                wire.send(data[: chance.randrange(len(data) + 1)])
            wires.append(wire)
            if chance.random() < 0.7:
                victim = wires.pop(chance.randrange(len(wires)))
                if chance.random() < 0.5:
                    victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
                victim.close()
        assert alive(server)
    server.stop()  # with half-open and stalled connections left
    for wire in wires:
        wire.close()


def test_log_records_that_clients_cause_are_bounded_in_number_and_length(server, connect):
    with healthy_client(connect(server)):
        head = frame_bytes(HEADERS, END_HEADERS, 1, header_block((b"x-a", b"\xff" * 5000)))
        for _ in range(100):
            send_bytes(
                server,
                PREFACE + frame_bytes(SETTINGS) + head + frame_bytes(DATA, END_STREAM, 1, message_bytes()),
                quiet_seconds=0.02,
            )
    server.stop()
    faults = [line for line in server.lines if "Invalid encoding" in line]
    assert 1 <= len(faults) <= log_rate_limit.MAX_LOG_RECORDS
    assert max(map(len, server.lines)) < 2 * log_rate_limit.MAX_MESSAGE_CHARS


def record(line=1, created=0.0, message="told %s", args=("it",), fault=None, name="chatctl"):
    made = logging.LogRecord(name, logging.ERROR, "file.py", line, message, args, fault)
    made.created = created
    return made


def test_log_records_of_one_call_site_are_limited_per_minute_and_the_dropped_ones_are_counted():
    bound = LogRateLimiter()
    assert [bound.filter(record()) for _ in range(15)] == [True] * 10 + [False] * 5
    assert bound.filter(record(line=2))
    later = record(created=61.0)
    assert bound.filter(later)
    assert later.getMessage() == "told it (5 more of this kind were not logged)"
    assert bound.filter(record(created=61.1))


def test_errors_of_one_method_do_not_hide_those_of_another():
    ours, grpcs = "chatctl.server.interceptors", "grpc._cython.cygrpc"
    bound = LogRateLimiter()
    assert [bound.filter(record(args=(method,), name=ours)) for method in "aab" for _ in range(6)].count(True) == 10 + 6
    assert [bound.filter(record(line=9, args=(peer,), name=grpcs)) for peer in range(50)].count(True) == 10


def test_the_log_of_many_hosts_is_bounded_and_none_starts_again():
    bound, kinds = LogRateLimiter(), log_rate_limit.MAX_KINDS
    hosts = [f"10.0.{n // 250}.{n % 250}" for n in range(2 * kinds)]

    def logged(created):
        name = "chatctl.server.client_log"
        return sum(bound.filter(record(args=(host,), name=name, created=created)) for host in hosts)

    assert logged(0.0) == kinds + log_rate_limit.MAX_LOG_RECORDS
    assert sum(logged(1.0) for _ in range(20)) == (log_rate_limit.MAX_LOG_RECORDS - 1) * kinds
    assert len(bound._counts) <= kinds + 1
    assert kinds <= logged(100.0) <= kinds + 2 * log_rate_limit.MAX_LOG_RECORDS


def test_a_malformed_log_record_raises_no_error():
    faulty = record(message="%d", args=("no number",))
    assert LogRateLimiter().filter(faulty)
    assert "no number" in faulty.getMessage()
    left = record(message="ExecuteBatchError raised in core by servicer method [%s]", args=("/a/b",))
    assert not LogRateLimiter().filter(left)


def test_a_long_log_record_is_truncated_and_keeps_the_end_of_its_traceback():
    long = record(message="%s", args=("x%" * 1000,))
    assert LogRateLimiter().filter(long)
    assert long.getMessage() == "x%" * 250 + "…"
    try:
        raise ValueError("y" * 10_000 + "the end")
    except ValueError:
        fault = record(fault=sys.exc_info())
    assert LogRateLimiter().filter(fault)
    shown = logging.Formatter().format(fault)
    assert shown.startswith("told it\n…y")
    assert shown.endswith("the end")
    assert len(shown) < 6000


BROKEN = """
import sys
from chatctl.server.server import Server
async def fail(server):
    raise RuntimeError("the loop that accepts calls has ended")
Server.wait_for_termination = fail
from chatctl.__main__ import main
sys.argv[0:1] = ["chatctl", "serve"]
sys.exit(main())
"""


def test_a_server_that_no_longer_accepts_calls_exits(start_server):
    server = start_server(command=[sys.executable, "-c", BROKEN])
    assert server.wait() == 77
    assert "start it again" in server.lines[-1]


def test_grpc_knows_every_option_that_is_set():
    """gRPC ignores unknown options silently."""
    known = Path(cygrpc.__file__).read_bytes()
    for name, _ in (*grpc_options.SERVER_OPTIONS, ("grpc.max_concurrent_streams", 0)):
        assert name.encode() + b"\0" in known, name
