"""Hostile input: whatever comes in, the server stays up, its other clients get their answers, and nobody sees inside."""

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

from chatctl.compat import grpc_server
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
    """Random numbers; a test that fails shows the seed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def alive(served):
    """Whether it answers a client who has only now come."""
    with grpc.insecure_channel(served.address, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
        return chat_pb2_grpc.ChatServiceStub(channel).GetStats(pb.GetStatsRequest(), timeout=TIMEOUT_SECONDS).version


@pytest.mark.timeout(180)
def test_malformed_messages_on_every_method_get_a_status_that_shows_nothing_of_the_inside(server, connect, chance):
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
    assert server.lines == [server.lines[0]], "clients made it log something"


@pytest.mark.timeout(120)
def test_garbage_instead_of_http2_harms_nobody_and_shows_nothing_of_the_inside(server, connect, chance):
    with healthy_client(connect(server)) as someone:
        for name, data in malformed_connections(chance).items():
            before = someone.stored
            heard = send_bytes(server, data).decode("latin-1")
            assert not [word for word in INTERNAL_NAMES if word in heard], name
            until(lambda before=before: someone.stored > before)
            assert alive(server), name
    server.stop()
    assert len(server.lines) < 20


def test_connections_that_come_go_and_stall_at_random_harm_nobody(server, connect, chance):
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
    server.stop()  # with those connected that were left: half-open ones, stalled ones
    for wire in wires:
        wire.close()


def test_what_clients_can_make_it_log_is_bounded_in_number_and_length(server, connect):
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


def test_a_place_in_the_code_logs_so_much_a_minute_and_then_says_what_was_left_out():
    bound = LogRateLimiter()
    assert [bound.filter(record()) for _ in range(15)] == [True] * 10 + [False] * 5
    assert bound.filter(record(line=2))
    later = record(created=61.0)
    assert bound.filter(later)
    assert later.getMessage() == "told it (5 more of this kind were not logged)"
    assert bound.filter(record(created=61.1))


def test_faults_of_one_method_do_not_hide_those_of_another():
    ours, grpcs = "chatctl.server.interceptors", "grpc._cython.cygrpc"
    bound = LogRateLimiter()
    assert [bound.filter(record(args=(method,), name=ours)) for method in "aab" for _ in range(6)].count(True) == 10 + 6
    assert [bound.filter(record(line=9, args=(peer,), name=grpcs)) for peer in range(50)].count(True) == 10


def test_no_record_is_the_trouble_of_whoever_logs_it():
    faulty = record(message="%d", args=("no number",))
    assert LogRateLimiter().filter(faulty)
    assert "no number" in faulty.getMessage()
    left = record(message="ExecuteBatchError raised in core by servicer method [%s]", args=("/a/b",))
    assert not LogRateLimiter().filter(left)


def test_a_record_is_cut_and_of_a_traceback_the_end_is_kept():
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


BARE = """
import sys
from grpc._cython import cygrpc
del cygrpc._MethodResolver  # as in a grpcio that has it no more
from chatctl.__main__ import main
sys.argv[0:1] = ["chatctl", "serve"]
sys.exit(main())
"""


def test_a_server_that_accepts_no_calls_any_more_ends_instead_of_being_deaf(start_server):
    server = start_server(command=[sys.executable, "-c", BARE])
    send_bytes(server, call_bytes(path=b"/\xff"))
    assert server.wait() == 77
    assert "start it again" in server.lines[-1]


def test_the_names_of_grpcs_options_are_those_it_knows():
    """It ignores others without a word."""
    known = Path(cygrpc.__file__).read_bytes()
    for name, _ in (*grpc_options.SERVER_OPTIONS, ("grpc.max_concurrent_streams", 0)):
        assert name.encode() + b"\0" in known, name


def test_the_private_parts_of_grpc_that_keep_the_server_up_are_there():
    assert [name for name in grpc_server.PRIVATE_NAMES if not hasattr(cygrpc, name)] == []
