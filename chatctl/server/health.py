"""The standard health service, grpc.health.v1."""

from typing import Any

from grpc_health.v1 import health_pb2

from chatctl.compat.grpc_health import StoppableHealthServicer
from chatctl.server.stream_registry import StreamRegistry, stopping_error


class HealthService(StoppableHealthServicer):
    """The health service of a server: List answers, and Watch calls end when the server stops."""

    def __init__(self, streams: StreamRegistry) -> None:
        super().__init__()
        self._streams = streams
        self._services: set[str] = set()

    async def set(self, service: str, status: Any) -> None:
        self._services.add(service)
        await super().set(service, status)

    async def List(self, request: Any, context: Any) -> Any:
        checks = [health_pb2.HealthCheckRequest(service=service) for service in self._services]
        statuses = {check.service: await self.Check(check, context) for check in checks}
        return health_pb2.HealthListResponse(statuses=statuses)  # type: ignore[attr-defined]  # new in 2025

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        with self._streams.wakeup() as wakeup:
            if await self.watch_until(wakeup, request, context):
                raise stopping_error()
