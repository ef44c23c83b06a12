"""The health service: a list of statuses, and a watcher that disconnects."""

import grpc
from grpc_health.v1 import health_pb2

from chatctl.server.health import HealthService
from chatctl.server.stream_registry import StreamRegistry

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class DisconnectedCall:
    """A call whose client left: gRPC then fails each write."""

    async def write(self, response):
        raise grpc.aio.InternalError('Failed "execute_batch"')


async def test_a_health_watcher_that_leaves_during_a_write_is_not_a_server_error():
    watch = HealthService(StreamRegistry(1)).Watch(health_pb2.HealthCheckRequest(), DisconnectedCall())
    assert await watch is None  # without an error, which gRPC would log


async def test_the_list_tells_that_the_server_stops():
    service = HealthService(StreamRegistry(1))
    for name in ("", "a"):
        await service.set(name, health_pb2.HealthCheckResponse.SERVING)
    assert await service.announce_shutdown()
    listed = await service.List(health_pb2.HealthListRequest(), None)
    assert {name: check.status for name, check in listed.statuses.items()} == dict.fromkeys(("", "a"), NOT_SERVING)
