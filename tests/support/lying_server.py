"""A server that is honest, except where a test makes it lie."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from chatctl.v1 import chat_pb2 as pb

LOG, PREFIX = "a1b2c3d4e5f6", "a1b2c3d4e5f6:"
LIMITS = pb.Limits(text_bytes=65536, name_bytes=128, batch_messages=1000, batch_bytes=1048576, streams=100)
TIME = Timestamp(seconds=1_700_000_000)
STORED = pb.RECEIPT_STATUS_STORED
_REQUESTS = {
    "GetStats": pb.GetStatsRequest,
    "GetMessages": pb.GetMessagesRequest,
    "SendAndReceiveMessage": pb.SendAndReceiveMessageRequest,
    "VerifyMessages": pb.VerifyMessagesRequest,
}


def changed(message, **fields):
    """Return a copy of a message with other values; None removes one."""
    copy = type(message)()
    copy.CopyFrom(message)
    for name, value in fields.items():
        copy.ClearField(name)
        if isinstance(value, list):
            getattr(copy, name).extend(value)
        elif hasattr(value, "CopyFrom"):
            getattr(copy, name).CopyFrom(value)
        elif value is not None:
            setattr(copy, name, value)
    return copy


STATS = pb.GetStatsResponse(
    num_messages=1,
    num_rooms=1,
    num_users=1,
    version="0.2.0",
    log=LOG,
    head=f"{PREFIX}1",
    store="sqlite",
    limits=LIMITS,
    rooms=[pb.RoomStats(room="lobby", num_messages=1, last_time=TIME)],
    users=[pb.UserStats(user="ann", num_messages=1, last_time=TIME)],
    activity=pb.Activity(num_messages=[0] * 90),
)
WELCOME = pb.Welcome(input_id="in-1", log=LOG, cursor_prefix=PREFIX, limits=LIMITS)
RECEIPT = pb.Receipt(number=1, count=1, status=STORED, sequence=1, create_time=TIME)
RUN = pb.Run(sequence=1, room="lobby", user="ann", create_time=TIME, texts=["hi"])
PAGE = pb.GetMessagesResponse(runs=[RUN], cursor=f"{PREFIX}1", cursor_prefix=PREFIX)


def send_response(**fields):
    """Return a response on a stream that sends."""
    return pb.SendAndReceiveMessageResponse(**fields)


def _send(requests, _):
    first = next(requests)
    welcome = changed(WELCOME, input_id=first.input_id or WELCOME.input_id)
    yield send_response(welcome=welcome)
    yield from receipts(requests)


def receipts(requests):
    """Yield a response with an honest receipt for each request with texts."""
    sequence = 1
    for request in requests:
        if count := len(request.texts):
            receipt = changed(RECEIPT, number=request.number, count=count, sequence=sequence)
            sequence += count
            yield send_response(receipts=[receipt])


def _verify(requests, _):
    for request in requests:
        yield pb.VerifyMessagesResponse(num_messages=sum(len(claim.sha256) for claim in request.claims))


HONEST = {
    "GetStats": lambda *_: STATS,
    "GetMessages": lambda *_: iter([PAGE]),
    "SendAndReceiveMessage": _send,
    "VerifyMessages": _verify,
}
_KINDS = {
    "GetStats": grpc.unary_unary_rpc_method_handler,
    "GetMessages": grpc.unary_stream_rpc_method_handler,
    "SendAndReceiveMessage": grpc.stream_stream_rpc_method_handler,
    "VerifyMessages": grpc.stream_stream_rpc_method_handler,
}


def _serialize(response):
    return response if isinstance(response, bytes) else response.SerializeToString()


@contextmanager
def lying_server(**lies):
    """Serve ChatService. A lie is the handler of a method, whose responses are messages or bytes. Yields the address."""
    server = grpc.server(ThreadPoolExecutor(8))
    handlers = {
        name: _KINDS[name](lies.get(name, honest), _REQUESTS[name].FromString, _serialize) for name, honest in HONEST.items()
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("chatctl.v1.ChatService", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
