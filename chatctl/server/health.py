"""The standard health service, grpc.health.v1."""

from typing import Any

from grpc_health.v1 import health_pb2

from chatctl.compat.grpc_health import StoppableHealthServicer
from chatctl.server.stream_registry import StreamRegistry, stopping_error


class HealthService(StoppableHealthServicer):
    """The health service of a server. Its Watch calls end when the server stops."""

    def __init__(self, streams: StreamRegistry) -> None:
        super().__init__()
        self._streams = streams

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        with self._streams.wakeup() as wakeup:
            if await self.watch_until(wakeup, request, context):
                raise stopping_error()
