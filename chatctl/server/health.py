"""The standard health service, grpc.health.v1."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from chatctl.server.stream_registry import StreamRegistry, stopping_error


class HealthService(health.aio.HealthServicer):
    """A health service whose Watch calls end when the server stops; the library's go on, and stopping waits for them."""

    def __init__(self, streams: StreamRegistry) -> None:
        super().__init__()
        self._streams = streams

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        with self._streams.wakeup() as wakeup:
            health_watch = asyncio.ensure_future(super().Watch(request, context))
            # Retrieve its error, or asyncio logs it: a write to a call that just ended fails while this task is cancelled.
            health_watch.add_done_callback(lambda watch: watch.cancelled() or watch.exception())
            stop_wait = asyncio.ensure_future(wakeup.wait())
            try:
                await asyncio.wait({health_watch, stop_wait}, return_when=asyncio.FIRST_COMPLETED)
                if not health_watch.done():
                    raise stopping_error()
                with suppress(grpc.aio.InternalError):  # the client left while a response was being written
                    await health_watch
            finally:
                health_watch.cancel()
                stop_wait.cancel()
