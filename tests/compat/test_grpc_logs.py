"""The log records of a server whose clients leave while it writes."""

import asyncio
import logging

import grpc
import pytest

from chatctl.compat.grpc_logs import reports_disconnect
from tests.support.grpc_handlers import serve_handlers


async def disconnect(times):
    """Cancel calls while the server writes a response that the client does not read."""
    ended = asyncio.Event()

    async def write_much(requests, context):
        try:
            while True:
                yield bytes(1_000_000)
        finally:
            ended.set()

    async with serve_handlers(much=write_much) as (_, address):
        for _ in range(times):
            ended.clear()
            async with grpc.aio.insecure_channel(address) as channel:
                call = channel.stream_stream("/test/much")()
                await call.read()
                call.cancel()
                await ended.wait()


async def test_each_record_about_a_client_that_leaves_is_recognised(caplog):
    await disconnect(times=5)
    assert [record for record in caplog.records if not reports_disconnect(record)] == []


def test_a_record_about_anything_else_is_kept():
    made = [logging.LogRecord("grpc", logging.ERROR, "", 1, text, ("/a/b",), None) for text in ("core %s", "it: %s")]
    assert not any(map(reports_disconnect, made))


@pytest.mark.library_fault
async def test_a_client_that_leaves_is_logged_as_an_error(caplog, report_fault):
    await disconnect(times=50)
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    report_fault("grpc_logs.reports_disconnect", "grpcio", any(map(reports_disconnect, logged)))
