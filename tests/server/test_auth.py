"""The identity of a caller: each call asks for it, and it is stamped on what the caller sends."""

import inspect
from types import SimpleNamespace

import pytest

from chatctl.core.chat import Chat
from chatctl.errors import InvalidRequest
from chatctl.model.limits import Limits
from chatctl.server.auth import OPEN, Identity, open_access
from chatctl.server.service import ChatService
from chatctl.server.stream_registry import StreamRegistry
from chatctl.server.tutorial_service import TutorialService
from chatctl.tutorial import chat_pb2 as tutorial_pb2
from chatctl.v1 import chat_pb2 as pb
from tests.support.logs import messages, opened_log
from tests.support.wire_client import send_request

CONTEXT = SimpleNamespace(peer=lambda: "ipv4:127.0.0.1:4711")
EMPTY = tutorial_pb2.EmptyRequest()


async def each(*requests):
    for request in requests:
        yield request


async def consume(answer):
    """Return the response of a unary handler, or all responses of a streaming one."""
    return [response async for response in answer] if inspect.isasyncgen(answer) else await answer


def services(log, identify):
    chat, streams = Chat(log, Limits()), StreamRegistry(10)
    return ChatService(chat, streams, identify), TutorialService(chat, streams, identify)


def test_an_open_server_takes_the_user_that_the_request_names():
    assert open_access(None) is OPEN
    assert OPEN.stamp("bob") == "bob"
    assert Identity("ann").stamp("bob") == "ann"


async def test_a_caller_with_a_proved_name_sends_under_that_name_only(tmp_path):
    async with opened_log(f"sqlite:{tmp_path}/chat.db") as log:
        chat, tutorial = services(log, lambda context: Identity("ann"))
        requests = each(send_request("a", user="bob", room="den"), send_request("b"))
        await consume(chat.SendAndReceiveMessage(requests, CONTEXT))
        await consume(tutorial.SendAndReceiveMessage(each(tutorial_pb2.MessageRequest(message="c")), None))
        assert [(user, text) for _, _, user, text in await messages(log)] == [("ann", "a"), ("ann", "b"), ("ann", "c")]


@pytest.mark.parametrize("method", ["GetStats", "GetMessages", "SendAndReceiveMessage", "VerifyMessages"])
async def test_a_caller_that_is_not_identified_gets_no_answer(tmp_path, method):
    def reject(context):
        raise InvalidRequest("unknown caller")

    requests = {"GetStats": pb.GetStatsRequest(), "GetMessages": pb.GetMessagesRequest()}
    async with opened_log(f"sqlite:{tmp_path}/chat.db") as log:
        chat, tutorial = services(log, reject)
        with pytest.raises(InvalidRequest, match="unknown caller"):
            await consume(getattr(chat, method)(requests.get(method) or each(), None))
        if hasattr(tutorial, method):
            with pytest.raises(InvalidRequest, match="unknown caller"):
                await consume(getattr(tutorial, method)(EMPTY if method in requests else each(), None))
