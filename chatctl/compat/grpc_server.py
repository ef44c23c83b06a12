"""Workarounds for servers: method names that are not UTF-8, and memory that cancelled calls leak.

Library: grpcio 1.85, grpc.aio. Private names: `cygrpc.AioServer`, which is replaced while a server is constructed, its
`_request_call`, and the names in `PRIVATE_NAMES`. No upstream issue is known.

Symptoms without it:
- grpc.aio decodes the name of a call in the loop that accepts all calls. An error there ends the loop: after one such call
  the server answers no client.
- The requests of a call that the client has cancelled end as if it had closed its side. A handler that returns then leaks
  106 to 121 B per stream. One that waits first is nearly always cancelled, and leaks 24 to 31 B.

Delete each part when scripts/check-workarounds reports it fixed. A grpcio without these names serves without the workaround.
"""

import asyncio
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]

PRIVATE_NAMES = ("_MethodResolver", "_handle_rpc", "_schedule_rpc_coro")


class PatchedAioServer(cygrpc.AioServer):  # type: ignore[misc]
    """Answers calls of unknown methods without decoding their names.

    Names of registered methods are compared as bytes, before. So register each method, with
    `add_registered_method_handlers`; generated code does.
    """

    async def _request_call(self) -> None:
        """Answer calls of unknown methods until the server stops. Returns no call: grpc.aio would decode its name."""
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
    """Return a server as grpc.aio.server does, with the workaround."""
    original = cygrpc.AioServer
    if all(hasattr(cygrpc, name) for name in PRIVATE_NAMES):
        cygrpc.AioServer = PatchedAioServer
    try:
        return grpc.aio.server(interceptors=interceptors, options=options)
    finally:
        cygrpc.AioServer = original


async def raise_if_cancelled() -> None:
    """Raise CancelledError in a handler whose requests have ended because the client cancelled the call."""
    await asyncio.sleep(0)  # gRPC ends the requests first and then cancels the task: that takes effect here
