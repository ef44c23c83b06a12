"""The status of a call after a failed write, the text of an error, and a write that waits for a connection."""

import asyncio
import socket

import grpc
import pytest

from chatctl.compat.grpc_call import keep_server_status, useful_details
from tests.support.grpc_handlers import serve_handlers
from tests.support.waiting import run_ready_tasks


async def write_until_it_fails(call):
    while True:
        await call.write(bytes(65536))


async def statuses_of_failed_writes(prepare):
    """Write to a server that ends each call. Returns the different statuses of 50 calls."""

    async def end_call(requests, context):
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "enough")

    statuses = set()
    async with serve_handlers(end=end_call) as (_, address), grpc.aio.insecure_channel(address) as channel:
        for _ in range(50):
            call = channel.stream_stream("/test/end")()
            prepare(call)
            with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError)):
                await write_until_it_fails(call)
            statuses.add(await call.code())
    return statuses


async def test_a_failed_write_keeps_the_status_of_the_server():
    assert await statuses_of_failed_writes(keep_server_status) == {grpc.StatusCode.OUT_OF_RANGE}


@pytest.mark.library_fault
async def test_without_it_a_failed_write_replaces_the_status(report_fault):
    statuses = await statuses_of_failed_writes(lambda call: None)
    report_fault("grpc_call.keep_server_status", "grpcio", grpc.StatusCode.INTERNAL in statuses)


@pytest.mark.parametrize(
    ("details", "useful"),
    [
        ("failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: refused", "refused"),
        ("last error: FAILED_PRECONDITION: unix:/x: connect failed", "connect failed"),
        ("UNAVAILABLE: ipv6:[::1]:1: refused", "refused"),
        ("Stream removed (Socket closed)", "Socket closed"),
        ("Socket closed", "Socket closed"),
        ("", ""),
        ("Failed to connect to remote host: Connection refused", "Connection refused"),
        ("Failed to connect to remote host: connect: Connection refused", "Connection refused"),
        ("connect failed: addr: unix:/no where/x error: No such file or directory", "No such file or directory"),
        ("recvmsg:Connection reset by peer", "Connection reset by peer"),
        (
            "errors resolving no.such:1: [field:hostname lookup error:address lookup failed for no.such:1: "
            "Domain name not found]",
            "cannot find no.such: Domain name not found",
        ),
        (
            "DNS resolution failed for no.such:1: C-ares status is not ARES_SUCCESS qtype=A name=no.such is_balancer=0: "
            "Timeout while contacting DNS servers",
            "cannot find no.such: Timeout while contacting DNS servers",
        ),
        ("DNS resolution failed for no.such:1: []", "cannot find no.such: unknown error"),
        ("connect: ", "connect: "),
    ],
)
def test_the_useful_part_of_an_error_text_is_kept(details, useful):
    assert useful_details(details) == useful


@pytest.mark.library_fault
async def test_without_it_an_error_text_contains_addresses(report_fault):
    async with grpc.aio.insecure_channel("unix:/nowhere/at/all") as channel:
        details = await channel.unary_unary("/test/any")(b"").details()
    report_fault("grpc_call.useful_details", "grpcio", useful_details(details) != details)


@pytest.mark.library_fault
async def test_a_write_that_waits_for_a_connection_does_not_end_when_its_call_is_cancelled(report_fault):
    """The client's `Call` cancels the task that writes; tests/client tests it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{silent.getsockname()[1]}") as channel:
            call = channel.stream_stream("/test/any")()
            write = asyncio.ensure_future(call.write(b""))
            await run_ready_tasks()
            call.cancel()
            await call.code()
            await run_ready_tasks()
            report_fault("client.call.Call._writer_task", "grpcio", not write.done())
            write.cancel()
            await asyncio.wait({write})
