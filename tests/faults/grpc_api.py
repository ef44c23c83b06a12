"""The gRPC API for the clients of these tests, which do not use chatctl's own client."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import grpc

from chatctl.v1 import chat_pb2_grpc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Channels of one pool share their backoff: a new channel would wait as long as the one before it.
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
UNAVAILABLE, STORE_FULL, STORE_FAILED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DATA_LOSS,
)
# grpc's details, without a status of the server, when a connection breaks in the middle of a write, and when a call
# arrives while the server stops.
TRANSPORT_DETAILS = ("Internal error from Core", "CANCELLED")


class Connection:
    """A connection that no other client shares; an async context manager, which yields the stub."""

    def __init__(self, address):
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)

    async def __aenter__(self):
        return chat_pb2_grpc.ChatServiceStub(self._channel)

    async def __aexit__(self, *_):
        await self._channel.close()


def is_expected_error(error):
    """Return whether a call's error is expected here: no server, a full disk, or a failed store."""
    return error.code() in (UNAVAILABLE, STORE_FULL, STORE_FAILED) or error.details() in TRANSPORT_DETAILS


def microseconds(timestamp):
    """Return a protobuf Timestamp in microseconds since 1970."""
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1000


@lru_cache(1000)
def microseconds_of_text(text):
    """Return a time in RFC 3339 in microseconds since 1970."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def add_runs(runs, add):
    """Pass runs to `add` of a ReaderCheck, or to `add_messages` of a Checker."""
    for run in runs:
        add(run.sequence, run.room, run.user, microseconds(run.create_time), run.texts)
