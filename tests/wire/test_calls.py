"""Calls of a real server: the messages of one input with their numbers, and errors with their hints."""

import grpc
import pytest

from chatctl import errors
from chatctl.client import ChatClient, Query
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.waiting import TIMEOUT_SECONDS
from tests.support.wire_client import ManualStream


@pytest.fixture
def stub(server, connect):
    return chat_pb2_grpc.ChatServiceStub(connect(server))


def numbered_texts(response):
    """Return each text with its number."""
    return [(run.number and run.number + i, text) for run in response.runs for i, text in enumerate(run.texts)]


def test_the_messages_of_an_input_have_their_numbers_stored_and_live(stub):
    build = ManualStream(stub).send("one", "two", user="ann", room="lobby", input_id="build", number=11)
    build.receipts(2)
    other = ManualStream(stub).send("other", user="ann", room="lobby", input_id="other")
    other.receipts(1)
    calls = [
        stub.GetMessages(pb.GetMessagesRequest(input_id="build", follow=True), timeout=TIMEOUT_SECONDS) for _ in range(2)
    ]
    for call in calls:
        assert numbered_texts(next(call)) == [(11, "one"), (12, "two")]
    other.send("more").receipts(1)
    build.send("three").receipts(1)
    for call in calls:
        received = []
        while not received:
            received += numbered_texts(next(call))
        assert received == [(13, "three")]
        call.cancel()
    everything = stub.GetMessages(pb.GetMessagesRequest(), timeout=TIMEOUT_SECONDS)
    assert [number for response in everything for number, _ in numbered_texts(response)] == [0] * 5


@pytest.mark.parametrize("input_id", ["x" * 129, "a\nb"], ids=["long", "control"])
def test_an_invalid_input_id_is_refused(stub, input_id):
    with pytest.raises(grpc.RpcError) as refused:
        next(stub.GetMessages(pb.GetMessagesRequest(input_id=input_id), timeout=TIMEOUT_SECONDS))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "input id" in refused.value.details()


async def test_a_client_gets_the_message_and_the_hint_of_an_error(server):
    async with ChatClient(server.address) as client:
        with pytest.raises(errors.CursorMalformed) as refused:
            async for _ in client.read(Query(after="here")):
                pass
    assert refused.value.message.startswith("invalid cursor 'here'")
    assert refused.value.hint.startswith("use ")


def test_other_clients_get_the_whole_sentence(stub):
    with pytest.raises(grpc.RpcError) as refused:
        next(stub.GetMessages(pb.GetMessagesRequest(after="here"), timeout=TIMEOUT_SECONDS))
    hint = dict(refused.value.trailing_metadata())["chatctl-hint-bin"].decode()
    assert refused.value.details() == f"invalid cursor 'here': {hint}"
