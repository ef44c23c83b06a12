"""chatctl.v1 over the wire: send, receive, read, statistics, and invalid requests."""

import grpc
import pytest

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.waiting import TIMEOUT_SECONDS
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


@pytest.fixture
def stub(server, connect):
    return chat_pb2_grpc.ChatServiceStub(connect(server))


def test_sent_texts_get_a_welcome_and_receipts_and_are_read_and_counted(stub):
    stream = ManualStream(stub).send("one", "two", user="ann", input_id="s", room="den")
    first = stream.receive()
    welcome = first.welcome
    assert (welcome.input_id, welcome.limits.batch_messages) == ("s", 1000)
    (receipt,) = first.receipts or stream.receipts(2)
    assert (receipt.number, receipt.count, receipt.status, receipt.sequence) == (1, 2, STORED, 1)
    assert list(stream.close().call) == []

    (response,) = stub.GetMessages(pb.GetMessagesRequest(rooms=["den"]))
    (run,) = response.runs
    assert (run.sequence, run.room, run.user, list(run.texts)) == (1, "den", "ann", ["one", "two"])
    assert run.create_time == receipt.create_time
    assert response.cursor == welcome.cursor_prefix + "2"

    stats = stub.GetStats(pb.GetStatsRequest())
    assert (stats.num_messages, stats.num_rooms, stats.num_users, stats.stored_bytes) == (2, 1, 1, 6)
    assert (stats.rooms[0].room, stats.users[0].user) == ("den", "ann")
    assert (stats.log, stats.store, stats.head) == (welcome.log, "sqlite", response.cursor)
    assert stats.promises.durable_receipts
    assert stats.version
    assert stats.limits == welcome.limits


def test_a_frame_continues_from_the_previous_one(stub):
    receipts = send_frames(
        stub,
        send_request("1", "2", user="ann", room="den"),
        send_request("3"),
        send_request("9", number=9, room="attic"),
        send_request("10"),
    )
    assert [(r.number, r.status) for r in receipts for r.number in range(r.number, r.number + r.count)] == [
        (n, STORED) for n in (1, 2, 3, 9, 10)
    ]
    assert history_texts(stub, rooms=["attic"]) == ["9", "10"]


def test_an_invalid_record_is_rejected_alone(stub):
    long = "x" * 65_537
    receipts = send_frames(
        stub,
        send_request("a", long, "b", "", user="ann", input_id="s", room="den"),
        send_request("bad room", room="no\x07"),
        send_request("c", room="den"),
    )
    assert [(r.number, r.count, r.status, r.reason) for r in receipts] == [
        (1, 1, STORED, 0),
        (2, 1, REJECTED, pb.REJECT_REASON_TEXT_TOO_LONG),
        (3, 2, STORED, 0),
        (5, 1, REJECTED, pb.REJECT_REASON_BAD_ROOM),
        (6, 1, STORED, 0),
    ]
    assert all(r.error for r in receipts if r.status == REJECTED)
    assert history_texts(stub) == ["a", "b", "", "c"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"user": "ann"}, pb.REJECT_REASON_BAD_ROOM),
        ({"room": "den"}, pb.REJECT_REASON_BAD_USER),
        ({"user": "x" * 129, "room": "den"}, pb.REJECT_REASON_BAD_USER),
        ({"user": "ann", "room": "den", "input_id": "s\n"}, pb.REJECT_REASON_BAD_INPUT_ID),
        ({"user": "ann", "room": "den", "number": -3}, pb.REJECT_REASON_BAD_NUMBER),
        ({"user": "ann", "room": "den", "number": 2**53}, pb.REJECT_REASON_BAD_NUMBER),
        ({"user": "ann", "room": "den", "number": 2**63 - 1}, pb.REJECT_REASON_BAD_NUMBER),
    ],
    ids=str,
)
def test_an_invalid_name_or_number_rejects_the_records_and_the_stream_goes_on(stub, fields, reason):
    receipts = send_frames(
        stub, send_request("a", **fields), send_request("b"), send_request("c", user=fields.get("user", "ann"), room="attic")
    )
    assert (receipts[0].status, receipts[0].reason) == (REJECTED, reason)
    assert sum(receipt.count for receipt in receipts) == 3


def test_the_highest_number_is_2_to_the_53_less_1(stub):
    receipts = send_frames(stub, send_request("a", user="ann", room="den", number=2**53 - 1))
    assert [receipt.status for receipt in receipts] == [STORED]


def test_numbers_out_of_order_are_stored_once_each(stub):
    frames = [send_request(str(n), user="ann", input_id="s", room="den", number=n) for n in (5, 1, 3, 1, 5, 2)]
    receipts = send_frames(stub, *frames)
    assert [(r.number, r.status) for r in receipts] == [
        (5, STORED), (1, STORED), (3, STORED), (1, DUPLICATE), (5, DUPLICATE), (2, STORED)
    ]  # fmt: skip
    assert history_texts(stub) == ["5", "1", "3", "2"]
    assert {r.status for r in send_frames(stub, *frames)} == {DUPLICATE}


def test_a_stream_without_a_message_ends_well(stub):
    assert list(stub.SendAndReceiveMessage(iter(()), timeout=TIMEOUT_SECONDS)) == []
    assert send_frames(stub, send_request(user="ann", room="den")) == []


@pytest.mark.parametrize(
    ("second", "status"),
    [
        (send_request(*["x"] * 5000), grpc.StatusCode.INVALID_ARGUMENT),
        (send_request(*["x" * 60_000] * 20), grpc.StatusCode.INVALID_ARGUMENT),
        (send_request("x" * 5_000_000), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (send_request("b", user="bob"), grpc.StatusCode.INVALID_ARGUMENT),
        (send_request("b", input_id="other"), grpc.StatusCode.INVALID_ARGUMENT),
        (send_request(receive=pb.Receive(rooms=["\0"])), grpc.StatusCode.INVALID_ARGUMENT),
        (send_request(receive=pb.Receive(all_rooms=True, after="x")), grpc.StatusCode.INVALID_ARGUMENT),
        (send_request(receive=pb.Receive(all_rooms=True, after="0:0")), grpc.StatusCode.FAILED_PRECONDITION),
    ],
    ids=["many texts", "many bytes", "huge frame", "user", "sender", "room", "cursor", "other log"],
)
def test_a_frame_that_breaks_the_contract_ends_the_stream_after_the_receipts_due(stub, second, status):
    stream = ManualStream(stub).send("a", user="ann", input_id="s", room="den")
    assert [receipt.status for receipt in stream.receipts(1)] == [STORED]
    stream.frames.put(second)
    code, _ = call_error(stream.call)
    assert code == status
    assert history_texts(stub) == ["a"]


def test_a_stream_that_stays_open_or_is_cancelled_delays_no_other_client(stub):
    idle, cancelled = ManualStream(stub), ManualStream(stub)
    for stream in (idle, cancelled):
        stream.send("a", user="ann", room="den")
        assert stream.receive().HasField("welcome")
    cancelled.call.cancel()
    assert [receipt.status for receipt in send_frames(stub, send_request("b", user="bob", room="den"))] == [STORED]
    assert idle.send("c").receipts(2)
    idle.call.cancel()


def test_a_stream_receives_the_messages_of_all_users_in_its_rooms(stub):
    send_frames(stub, send_request("old", user="bob", room="den"))
    stream = ManualStream(stub).send(user="ann", room="den", receive=pb.Receive(rooms=["den"]))
    while not stream.receive().live:
        pass
    stream.send("mine")
    assert stream.texts(1) == ["mine"]
    send_frames(stub, send_request("hers", user="eve", room="den"), send_request("elsewhere", room="attic"))
    assert stream.texts(1) == ["hers"]

    start = stub.GetStats(pb.GetStatsRequest()).log + ":0"
    stream.send(receive=pb.Receive(all_rooms=True, after=start))
    assert stream.texts(4) == ["old", "mine", "hers", "elsewhere"]
    stream.send(receive=pb.Receive(rooms=["attic"], after=start))
    assert stream.texts(1) == ["elsewhere"]
    stream.send(receive=pb.Receive())
    stream.send("last").close()
    assert [text for response in stream.call for run in response.runs for text in run.texts] == []


@pytest.mark.parametrize(
    ("conditions", "status", "reason"),
    [
        ({"after": "x"}, grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_MALFORMED"),
        ({"after": "0:0"}, grpc.StatusCode.FAILED_PRECONDITION, "CURSOR_OTHER_LOG"),
        ({"before": "LOG:5"}, grpc.StatusCode.OUT_OF_RANGE, "CURSOR_BEYOND_HEAD"),
        ({"last": -1}, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ({"last": 1, "after": "LOG:0"}, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ({"rooms": ["\n"]}, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    ],
    ids=str,
)
def test_an_invalid_request_gets_a_status_and_a_reason(stub, conditions, status, reason):
    log = stub.GetStats(pb.GetStatsRequest()).log
    known = {key: value.replace("LOG", log) if isinstance(value, str) else value for key, value in conditions.items()}
    assert call_error(stub.GetMessages(pb.GetMessagesRequest(**known))) == (status, reason)


def test_extreme_bounds_and_times_are_answered_or_rejected(stub):
    send_frames(stub, send_request("a", user="ann", room="den"))
    assert history_texts(stub, last=2**63 - 1, limit=2**63 - 1) == ["a"]
    for seconds in (-(2**63), 2**63 - 1):
        moment = {"seconds": seconds, "nanos": 2**31 - 1}
        assert history_texts(stub, since=moment) + history_texts(stub, until=moment) == ["a"]
    for top in (-1, 1001):
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetStats(pb.GetStatsRequest(top=top))
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
