"""gRPC's server, made to survive calls of methods whose names are not UTF-8.

grpc.aio decodes the name of a call in the loop that accepts all calls, and an error there ends the loop: after one such
call nobody would get an answer any more. The names of registered methods are matched as bytes, before that. So calls of
all others are answered here, without a look at their names. This uses what grpc.aio does not publish; a version without
it serves as it always did.
"""

import asyncio
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]

PRIVATE_NAMES = ("_MethodResolver", "_handle_rpc", "_schedule_rpc_coro")


class PatchedAioServer(cygrpc.AioServer):  # type: ignore[misc]
    """Every method it serves has to be registered, with `add_registered_method_handlers`."""

    async def _request_call(self) -> None:
        """Answer calls of unknown methods until the server stops. Returns no call: its name would be decoded."""
        loop, tasks = asyncio.get_running_loop(), set()
        resolver = cygrpc._MethodResolver([], {})
        while True:
            call = await super()._request_call()
            handling = cygrpc._handle_rpc("", resolver, (), call, loop, False)
            task = loop.create_task(cygrpc._schedule_rpc_coro(handling, call, loop, ""))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            del call


def create_server(
    interceptors: tuple[grpc.aio.ServerInterceptor, ...], options: tuple[tuple[str, Any], ...]
) -> grpc.aio.Server:
    """Like grpc.aio.server."""
    original = cygrpc.AioServer
    if all(hasattr(cygrpc, name) for name in PRIVATE_NAMES):
        cygrpc.AioServer = PatchedAioServer
    try:
        return grpc.aio.server(interceptors=interceptors, options=options)
    finally:
        cygrpc.AioServer = original
