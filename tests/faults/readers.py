"""Readers over the API: followers that reconnect with their cursor, and one read of the whole log."""

import asyncio
from typing import TYPE_CHECKING

import grpc

from chatctl.v1 import chat_pb2 as pb
from tests.faults.grpc_api import Connection, add_runs, is_expected_error

if TYPE_CHECKING:
    from tests.faults.reader_check import ReaderCheck
    from tests.faults.supervisor import ServerSupervisor

RETRY_SECONDS = 0.02  # between attempts, so that they do not overload a server that starts


class ReconnectingFollower:
    """Follows rooms (none: all) from the log's beginning, across restarts of the server; `run` it as a task."""

    def __init__(self, supervisor: "ServerSupervisor", address, check: "ReaderCheck"):
        """`address` is the supervisor's, or that of a proxy before it."""
        self.check = check
        self.reconnects = -1
        self._supervisor = supervisor
        self._address = address
        self._cursor = ""

    async def run(self):
        while True:
            await self._supervisor.wait_ready()
            self.reconnects += 1
            async with Connection(self._address) as stub:
                try:
                    await self._follow(stub)
                except grpc.aio.AioRpcError as error:
                    if not is_expected_error(error):
                        raise
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, stub):
        request = pb.GetMessagesRequest(rooms=self.check.rooms, after=self._cursor, follow=True)
        async for response in stub.GetMessages(request):
            add_runs(response.runs, self.check.add)
            self._cursor = response.cursor


async def read_log(address, add, after=""):
    """Pass all messages after a cursor to `add`, and return the cursor to read on from."""
    async with Connection(address) as stub:
        async for response in stub.GetMessages(pb.GetMessagesRequest(after=after)):
            add_runs(response.runs, add)
            after = response.cursor
    return after
