"""What clients of these tests need of the contract, and nothing of chatctl's own client."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import grpc

from chatctl.v1 import chat_pb2_grpc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Without a pool of its own a new channel would wait as long as the one before it between attempts to connect.
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
UNAVAILABLE, STORE_FULL, STORE_FAILED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DATA_LOSS,
)
# What grpc says, instead of a status of the server's, of a connection that breaks in the middle of a write, and of a call
# that comes just when a server stops in order.
TRANSPORT_DETAILS = ("Internal error from Core", "CANCELLED")


class Connection:
    """A connection of its own; an async context manager, which gives the stub."""

    def __init__(self, address):
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)

    async def __aenter__(self):
        return chat_pb2_grpc.ChatServiceStub(self._channel)

    async def __aexit__(self, *_):
        await self._channel.close()


def is_expected_error(error):
    """Whether a call's error is what a client has to expect: no server, a full disk, a store that failed."""
    return error.code() in (UNAVAILABLE, STORE_FULL, STORE_FAILED) or error.details() in TRANSPORT_DETAILS


def microseconds(timestamp):
    """A protobuf Timestamp in microseconds since 1970."""
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1000


@lru_cache(1000)
def microseconds_of_text(text):
    """The same of a time in RFC 3339."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def add_runs(runs, add):
    """Tell a reader (or the log) of a checker's what came."""
    for run in runs:
        add(run.sequence, run.room, run.user, microseconds(run.create_time), run.texts)
