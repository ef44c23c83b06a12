"""Watch calls of the health service when the server stops, and when a client does not read or leaves."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health, health_pb2

from chatctl.compat import grpc_health
from chatctl.compat.grpc_health import StoppableHealthServicer
from tests.support.waiting import run_ready_tasks

REQUEST = health_pb2.HealthCheckRequest()
LIBRARY = "grpcio-health-checking"


class ReadingCall:
    """A call whose client reads each response."""

    def __init__(self):
        self.statuses = []

    async def write(self, response):
        self.statuses.append(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))


class StalledCall:
    """A call whose client does not read."""

    async def write(self, response):
        await asyncio.Event().wait()


class DisconnectedCall:
    """A call whose client has left: gRPC then fails each write."""

    async def write(self, response):
        raise grpc.aio.InternalError('Failed "execute_batch"')


async def test_a_watch_tells_that_the_server_stops_and_ends():
    servicer, stop, call = StoppableHealthServicer(), asyncio.Event(), ReadingCall()
    watch = asyncio.ensure_future(servicer.watch_until(stop, REQUEST, call))
    await run_ready_tasks()
    assert await servicer.announce_shutdown()
    await run_ready_tasks()
    stop.set()
    assert await watch
    assert call.statuses == ["SERVING", "NOT_SERVING"]


async def test_a_watch_ends_although_its_client_does_not_read():
    stop = asyncio.Event()
    watch = asyncio.ensure_future(StoppableHealthServicer().watch_until(stop, REQUEST, StalledCall()))
    await run_ready_tasks()
    stop.set()
    assert await watch


async def test_a_watch_whose_client_has_left_ends_without_an_error():
    assert not await StoppableHealthServicer().watch_until(asyncio.Event(), REQUEST, DisconnectedCall())


async def test_the_announcement_takes_a_limited_time(monkeypatch):
    class BlockedServicer(StoppableHealthServicer):
        async def enter_graceful_shutdown(self):
            await asyncio.Event().wait()

    monkeypatch.setattr(grpc_health, "SHUTDOWN_SECONDS", 0.01)
    assert not await BlockedServicer().announce_shutdown()


async def library_watch(call):
    """Watch with the library's own servicer, and announce the shutdown. Returns both tasks as far as they get."""
    servicer = health.aio.HealthServicer()
    watch = asyncio.ensure_future(servicer.Watch(REQUEST, call))
    await run_ready_tasks()
    shutdown = asyncio.ensure_future(servicer.enter_graceful_shutdown())
    await run_ready_tasks()
    done = watch.done(), shutdown.done()
    watch.cancel()
    await asyncio.wait({watch, shutdown})
    return watch, *done


@pytest.mark.library_fault
async def test_without_it_a_watch_does_not_end(report_fault):
    _, watch_ended, _ = await library_watch(ReadingCall())
    report_fault("grpc_health.watch_until", LIBRARY, not watch_ended)


@pytest.mark.library_fault
async def test_without_it_a_client_that_does_not_read_holds_up_the_shutdown(report_fault):
    _, _, shutdown_ended = await library_watch(StalledCall())
    report_fault("grpc_health.announce_shutdown", LIBRARY, not shutdown_ended)


@pytest.mark.library_fault
async def test_without_it_a_client_that_leaves_is_an_error_of_the_handler(report_fault):
    watch, ended, _ = await library_watch(DisconnectedCall())
    failed = ended and isinstance(watch.exception(), grpc.aio.InternalError)
    report_fault("suppress in grpc_health.watch_until", LIBRARY, failed)
