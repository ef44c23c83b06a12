"""VerifyMessages over the wire: responses, invalid requests, and the end of a stream."""

import contextlib
import queue
from hashlib import sha256

import grpc
import pytest

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.waiting import TIMEOUT_SECONDS
from tests.support.wire_client import call_error, send_frames, send_request

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
MALFORMED = (grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_MALFORMED")
OTHER_LOG = (grpc.StatusCode.FAILED_PRECONDITION, "CURSOR_OTHER_LOG")


@pytest.fixture
def stub(server, connect):
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))
    send_frames(stub, send_request("one", "two", "three", user="ann", room="den"), send_request("four", room="attic"))
    return stub


@pytest.fixture
def prefix(stub):
    return stub.GetStats(pb.GetStatsRequest()).log + ":"


def claim(sequence, *texts, room="den", user="ann"):
    digests = [sha256(text.encode()).digest() for text in texts]
    return pb.Claim(sequence=sequence, room=room, user=user, sha256=digests)


def asked(*claims, prefix=""):
    return pb.VerifyMessagesRequest(cursor_prefix=prefix, claims=claims)


def verify(stub, *requests):
    return stub.VerifyMessages(iter(requests), timeout=TIMEOUT_SECONDS)


def faults(response):
    return [(fault.index, fault.sequence, pb.FaultKind.Name(fault.kind)) for fault in response.faults]


def test_each_request_gets_its_faults_in_order(stub, prefix):
    first = asked(claim(4, "four", room="attic"), claim(1, "one", "two", "three"), prefix=prefix)
    second = asked(claim(3, "three", "four", "five"), claim(2, "2"), claim(1, "one", user="eve"))
    answers = list(verify(stub, first, second, asked(), asked(claim(1, "one"), prefix=prefix)))
    assert [answer.num_messages for answer in answers] == [4, 5, 0, 1]
    assert faults(answers[1]) == [
        (1, 4, "FAULT_KIND_OTHER_ROOM"),
        (2, 5, "FAULT_KIND_MISSING"),
        (3, 2, "FAULT_KIND_OTHER_TEXT"),
        (4, 1, "FAULT_KIND_OTHER_USER"),
    ]
    assert [faults(answer) for answer in (answers[0], *answers[2:])] == [[], [], []]


def test_a_stream_without_a_request_ends_well(stub):
    assert list(verify(stub)) == []


def test_a_response_never_reveals_the_stored_message(stub, prefix):
    secret = "a secret of the attic"
    send_frames(stub, send_request(secret, user="spy", room="cellar"))
    (answer,) = verify(stub, asked(claim(5, "guess"), claim(5, "guess", room="cellar", user="spy"), prefix=prefix))
    assert len(answer.faults) == 2
    for word in (secret, "spy", "cellar"):
        assert word.encode() not in answer.SerializeToString()


@pytest.mark.parametrize(
    ("requests", "refused"),
    [
        ([{}], MALFORMED),
        ([{"prefix": "LOG"}], MALFORMED),
        ([{"prefix": "LOG:1"}], MALFORMED),
        ([{"prefix": "0:"}], OTHER_LOG),
        ([{"prefix": "LOG:"}, {"prefix": "0:"}], OTHER_LOG),
        ([{"prefix": "LOG:", "claims": [claim(0, "a")]}], INVALID),
        ([{"prefix": "LOG:", "claims": [claim(-(2**63), "a")]}], INVALID),
        ([{"prefix": "LOG:", "claims": [pb.Claim(sequence=1, sha256=[b"short"])]}], INVALID),
        ([{"prefix": "LOG:", "claims": [claim(1, *["a"] * 600)] * 2}], INVALID),
        ([{"prefix": "LOG:", "claims": [claim(1)] * 1001}], INVALID),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_invalid_request_ends_the_stream(stub, prefix, requests, refused):
    known = [
        asked(
            *request.get("claims", ()), prefix=request.get("prefix", "").replace("LOG:", prefix).replace("LOG", prefix[:-1])
        )
        for request in requests
    ]
    assert call_error(verify(stub, *known)) == refused


def test_the_limit_on_claims_is_the_one_announced(start_server, connect):
    stub = chat_pb2_grpc.ChatServiceStub(connect(start_server("--batch-messages", "3")))
    prefix = stub.GetStats(pb.GetStatsRequest()).log + ":"
    (answer,) = verify(stub, asked(claim(1, *"abc"), prefix=prefix))
    assert answer.num_messages == len(answer.faults) == 3
    assert call_error(verify(stub, asked(claim(1, *"abcd"), prefix=prefix))) == INVALID


def test_extreme_sequences_are_missing(stub, prefix):
    (answer,) = verify(stub, asked(claim(2**63 - 1, "a"), claim(2**63 - 2, "a", "b"), prefix=prefix))
    assert [fault.sequence for fault in answer.faults] == [2**63 - 1, 2**63 - 2, 2**63 - 1]
    assert call_error(verify(stub, asked(claim(2**63 - 1, "a", "b"), prefix=prefix))) == INVALID


def test_a_waiting_stream_ends_when_the_server_stops(start_server, connect):
    server = start_server("--grace", "10m")
    requests = queue.SimpleQueue()
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))
    requests.put(asked(prefix=stub.GetStats(pb.GetStatsRequest()).log + ":"))
    call = stub.VerifyMessages(iter(requests.get, None), timeout=TIMEOUT_SECONDS)
    assert next(call).num_messages == 0
    server.stop()
    assert call_error(call) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
    requests.put(None)


def test_a_cancelled_stream_no_longer_counts(start_server, connect):
    stub = chat_pb2_grpc.ChatServiceStub(connect(start_server("--streams", "1")))
    prefix = stub.GetStats(pb.GetStatsRequest()).log + ":"
    answered = 0
    for _ in range(3):
        requests = queue.SimpleQueue()
        requests.put(asked(prefix=prefix))
        while True:  # until the server has noticed that the previous stream ended
            call = stub.VerifyMessages(iter(requests.get, None), timeout=TIMEOUT_SECONDS)
            with contextlib.suppress(grpc.RpcError):
                answered += next(call).num_messages == 0
                break
        call.cancel()
        requests.put(None)
    assert answered == 3
