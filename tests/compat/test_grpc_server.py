"""A server that gets a call whose method name is not UTF-8, and handlers whose client cancels."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest

from chatctl.compat.grpc_server import create_server, raise_if_cancelled
from tests.support.grpc_handlers import serve_handlers
from tests.support.http2 import call_bytes, send_bytes


async def echo(requests, context):
    async for request in requests:
        yield request


async def answer_of(call):
    await call.write(b"x")
    return await call.read()


async def survives_name_that_is_not_utf8(make_server):
    """Return whether a server answers the next call after one with such a name."""
    async with serve_handlers(make_server, echo=echo) as (server, address), grpc.aio.insecure_channel(address) as channel:
        end = asyncio.ensure_future(server.wait_for_termination())
        await asyncio.to_thread(send_bytes, SimpleNamespace(address=address), call_bytes(path=b"/\xff"))
        answer = asyncio.ensure_future(answer_of(channel.stream_stream("/test/echo")()))
        await asyncio.wait({end, answer}, return_when=asyncio.FIRST_COMPLETED)
        survived = not end.done() and answer.result() == b"x"
        answer.cancel()
    await asyncio.gather(end, answer, return_exceptions=True)
    return survived


async def test_a_method_name_that_is_not_utf8_does_not_end_the_server():
    assert await survives_name_that_is_not_utf8(lambda: create_server((), ()))


@pytest.mark.library_fault
async def test_without_it_a_method_name_that_is_not_utf8_ends_the_server(report_fault):
    report_fault("grpc_server.create_server", "grpcio", not await survives_name_that_is_not_utf8(grpc.aio.server))


async def ends_of_cancelled_calls(wait):
    """Return how handlers end that await `wait()` after the requests of calls that their clients have cancelled."""
    ends = asyncio.Queue()

    async def handler(requests, context):
        try:
            async for request in requests:
                yield request
            await wait()
            ends.put_nowait("returned")
        except asyncio.CancelledError:
            ends.put_nowait("cancelled")
            raise

    async with serve_handlers(handler=handler) as (_, address), grpc.aio.insecure_channel(address) as channel:
        for _ in range(30):
            call = channel.stream_stream("/test/handler")()
            await call.write(b"x")
            await call.read()
            call.cancel()
        return [await ends.get() for _ in range(30)]


async def test_handlers_are_cancelled_with_their_calls():
    """At times gRPC learns of the cancel a moment after the end of the requests: 11 times in 300."""
    ends = await ends_of_cancelled_calls(raise_if_cancelled)
    assert ends.count("cancelled") > ends.count("returned")


@pytest.mark.library_fault
async def test_without_it_a_cancelled_call_looks_like_one_that_ends_well(report_fault):
    async def no_wait():
        pass

    report_fault("grpc_server.raise_if_cancelled", "grpcio", "returned" in await ends_of_cancelled_calls(no_wait))
