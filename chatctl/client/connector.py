"""Connector: opens calls to one server for everything that retries."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from chatctl.client.call import Call
from chatctl.net.channel import open_channel
from chatctl.net.endpoint import Endpoint
from chatctl.v1 import chat_pb2_grpc


class Connector:
    """Opens calls to one endpoint, and says how long their user retries (`timeout`) and whom it notifies."""

    def __init__(self, endpoint: Endpoint, timeout: float, notify: Callable[[str], None] | None) -> None:
        """`timeout` is in seconds, 0 is without a limit. Nothing is connected before a call."""
        self._endpoint = endpoint
        self.server = str(endpoint)
        """The server's name in errors and notices."""
        self.timeout = timeout
        self.notify = notify

    @asynccontextmanager
    async def open_call(self, seconds: float, method: Callable[[Any], Any], channel: Any = None) -> AsyncIterator[Call]:
        """Make a call, by default on a channel of its own, which ends with TimedOut after `seconds` without a response.

        `method` gets the stub. A channel of its own, because a connection that broke can take minutes to be noticed.
        """
        async with nullcontext(channel) if channel else open_channel(self._endpoint) as opened:
            call = Call(self.server, method(chat_pb2_grpc.ChatServiceStub(opened)), seconds, None)
            try:
                yield call
            finally:
                call.close()
