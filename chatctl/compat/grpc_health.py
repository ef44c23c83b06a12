"""A health service that does not delay the stop of its server.

Library: grpcio-health-checking 1.85, `health.aio`. It uses documented names only; no upstream issue is known
(grpc-dotnet had the first fault, too: https://github.com/grpc/grpc-dotnet/pull/2582).

Symptoms without it:
- A Watch call does not end when the server stops, so that stopping takes the whole grace period.
- A Watch call writes while it holds the lock of its service. A client that does not read holds up `enter_graceful_shutdown`.
- A write to a client that has left raises an error, which appears as a failure of the handler.

Delete each part when scripts/check-workarounds reports it fixed.
"""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

SHUTDOWN_SECONDS = 1.0


class StoppableHealthServicer(health.aio.HealthServicer):
    """The library's health service, with a Watch that ends and a shutdown that takes a limited time."""

    async def watch_until(self, stop: asyncio.Event, request: health_pb2.HealthCheckRequest, context: Any) -> bool:
        """Answer a Watch call until the client leaves or `stop` is set. Returns whether `stop` has ended it."""
        health_watch = asyncio.ensure_future(super().Watch(request, context))
        # Retrieve its error, or asyncio logs it: a write to a call that just ended fails while this task is cancelled.
        health_watch.add_done_callback(lambda watch: watch.cancelled() or watch.exception())
        stop_wait = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({health_watch, stop_wait}, return_when=asyncio.FIRST_COMPLETED)
            if not health_watch.done():
                return True
            with suppress(grpc.aio.InternalError):  # the client left while a response was being written
                await health_watch
            return False
        finally:
            health_watch.cancel()
            stop_wait.cancel()

    async def announce_shutdown(self, seconds: float = SHUTDOWN_SECONDS) -> bool:
        """Tell all clients NOT_SERVING. Returns False if one that does not read has prevented it for this time."""
        try:
            await asyncio.wait_for(self.enter_graceful_shutdown(), seconds)
        except TimeoutError:
            return False
        return True
