"""Helpers for the generated stubs of chatctl.v1, without chatctl's own client."""

import queue

import grpc
import pytest

from chatctl.v1 import chat_pb2 as pb
from tests.support.waiting import TIMEOUT_SECONDS

STORED, DUPLICATE, REJECTED = (
    pb.RECEIPT_STATUS_STORED,
    pb.RECEIPT_STATUS_DUPLICATE,
    pb.RECEIPT_STATUS_REJECTED,
)


def send_request(*texts, **fields):
    return pb.SendAndReceiveMessageRequest(texts=texts, **fields)


class ManualStream:
    """An open SendAndReceiveMessage stream that a test drives by hand."""

    def __init__(self, stub):
        self.frames = queue.SimpleQueue()
        self.call = stub.SendAndReceiveMessage(iter(self.frames.get, None), timeout=TIMEOUT_SECONDS)

    def send(self, *texts, **fields):
        self.frames.put(send_request(*texts, **fields))
        return self

    def close(self):
        self.frames.put(None)
        return self

    def receive(self):
        return next(self.call)

    def receipts(self, count):
        """Return the next receipts, for at least `count` records."""
        found = []
        while sum(receipt.count for receipt in found) < count:
            found += self.receive().receipts
        return found

    def texts(self, count):
        """Return the next texts, at least `count`; ignore receipts and progress."""
        found = []
        while len(found) < count:
            found += [text for run in self.receive().runs for text in run.texts]
        return found


def send_frames(stub, *frames):
    """Send frames on one stream, and return all receipts."""
    responses = list(stub.SendAndReceiveMessage(iter(frames), timeout=TIMEOUT_SECONDS))
    assert [response.HasField("welcome") for response in responses] == [True] + [False] * (len(responses) - 1)
    return [receipt for response in responses for receipt in response.receipts]


def history_texts(stub, **conditions):
    """Return all texts that match."""
    responses = stub.GetMessages(pb.GetMessagesRequest(**conditions), timeout=TIMEOUT_SECONDS)
    return [text for response in responses for run in response.runs for text in run.texts]


def call_error(call):
    """Return the status and reason of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    error = caught.value
    reason = dict(error.trailing_metadata()).get("chatctl-reason")
    assert "Traceback" not in error.details()
    assert "<class" not in error.details()
    return error.code(), reason
