"""A SendStream that waits for space or for a stream, gives up, or is closed."""

import asyncio
import random
import signal
import threading
from contextlib import asynccontextmanager
from types import SimpleNamespace

import grpc
import pytest

from chatctl.client.client import ChatClient
from chatctl.client.retry import MAX_BACKOFF_SECONDS
from chatctl.client.send_stream import SendStream
from chatctl.errors import IncompatibleServer, StoreFull, TimedOut, TooManyStreams, Unavailable, UnexpectedStatus
from chatctl.model.records import ReceiptStatus
from chatctl.v1 import chat_pb2 as pb
from tests.support.client_tasks import ROOM, send_task, stored_texts
from tests.support.fake_servers import fake_send_server
from tests.support.small_disk import server_on_small_disk
from tests.support.waiting import until_async


async def test_a_server_that_breaks_each_stream_after_the_welcome_is_given_up():
    async def breaks(requests, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
        yield

    async with fake_send_server(breaks) as address, send_task(address, timeout=1) as sent:
        sent.put_numbered(3)
        with pytest.raises(Unavailable, match="gave up after 1 s"):
            await sent.finish()
        assert len(sent.notices) == 1
        ((receipt, *_),) = sent.sending.undelivered()
        assert (receipt.number, receipt.count, receipt.status) == (1, 3, ReceiptStatus.UNCONFIRMED)


async def test_the_backoff_grows_even_without_records_to_send(monkeypatch):
    waits = []

    def soon(least, most):
        waits.append(most)
        return 0.001

    monkeypatch.setattr(random, "uniform", soon)

    async def breaks(requests, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
        yield

    async with fake_send_server(breaks) as address, send_task(address) as sent:
        await until_async(lambda: len(waits) > 8)
        await sent.finish()  # no receipt to wait for
    assert waits == sorted(waits)
    assert waits[-1] == MAX_BACKOFF_SECONDS


@pytest.mark.parametrize("numbers", [(9, 10, 11), (2,), (1, 1)])
async def test_receipts_that_are_not_due_end_it_and_every_record_is_known(numbers):
    async def answers(requests, context):
        async for request in requests:
            if request.texts:
                status = pb.RECEIPT_STATUS_STORED
                receipts = [pb.Receipt(number=n, count=1, status=status, sequence=i) for i, n in enumerate(numbers, 1)]
                yield pb.SendAndReceiveMessageResponse(receipts=receipts)

    async with fake_send_server(answers) as address, send_task(address) as sent:
        sent.put_numbered(3)
        with pytest.raises(UnexpectedStatus, match="receipt for number"):
            await sent.finish()
        outcomes = sent.sending.undelivered()
        told = [record[0] for record in sent.records]
        rest = [outcome.receipt.number + i for outcome in outcomes for i in range(outcome.receipt.count)]
        assert told + rest == [1, 2, 3]
        assert {outcome.receipt.status for outcome in outcomes} == {ReceiptStatus.UNCONFIRMED}


async def test_a_status_of_a_newer_server_is_not_retried():
    streams = []

    async def answers(requests, context):
        streams.append(await anext(requests))
        yield pb.SendAndReceiveMessageResponse(receipts=[pb.Receipt(number=1, count=3, status=99)])

    async with fake_send_server(answers) as address, send_task(address, timeout=5) as sent:
        sent.put_numbered(3)
        with pytest.raises(IncompatibleServer, match="newer version: upgrade"):
            await sent.finish()
    assert len(streams) == 1


async def test_a_stream_too_many_is_waited_for(start_server):
    server = start_server("--streams", "1")
    async with ChatClient(server.address, 0.5) as chat:
        async with send_task(server.address) as first:
            with pytest.raises(TooManyStreams, match=r"gave up after .*--streams"):
                async with chat.send("bob"):
                    pass
            notices = []
            waiting = asyncio.create_task(send_one(server.address, notices))
            await until_async(lambda: notices)
            assert "too many open streams" in notices[0]
            first.put_numbered(1)
            await first.finish()
        assert await waiting == ReceiptStatus.STORED
        assert len(notices) == 2


async def send_one(address, notices):
    async with ChatClient(address, 30, notices.append) as chat, chat.send("bob") as under_way:
        under_way.put(ROOM, ["patient"])
        under_way.finish()
        return [outcome.receipt.status async for outcome in under_way.reports()][-1]


def test_a_full_store_is_waited_for_until_there_is_space(start_server, tmp_path):
    with server_on_small_disk(start_server, tmp_path / "disk") as (server, fill, free):

        async def steps():
            async with send_task(server.address) as sent:
                sent.put_numbered(1)
                await until_async(lambda: sent.records)
                fill()
                await sent.put_until(lambda: sent.notices, max_records=10_000)
                assert "space" in sent.notices[0]
                free()
                await sent.finish()
                sent.assert_all_in_order()
                assert await stored_texts(server.address) == [(sequence, text) for _, text, _, sequence in sent.records]
                assert len(sent.notices) == 2

            fill()
            async with send_task(server.address, timeout=0.5, input_id="too late") as sent:
                await sent.put_until(sent.collecting.done)
                with pytest.raises(StoreFull, match="gave up after"):
                    await sent.finish()

        asyncio.run(steps())


@pytest.mark.parametrize("state", ["idle", "under way", "silent", "away", "finished", "failed"])
async def test_one_that_is_closed_leaves_nothing_behind(server, state):
    async def once():
        async with send_task(server.address, timeout=0 if state != "failed" else 0.3) as sent:
            if state != "idle":
                sent.put_numbered(1000)
            if state == "finished":
                await sent.finish()
            if state == "silent":
                await until_async(lambda: sent.records)
                server.process.send_signal(signal.SIGSTOP)
                sent.put_numbered(1000)
                await asyncio.sleep(0)
            if state in ("away", "failed"):
                server.kill()
                await until_async(lambda: sent.notices)
            if state == "failed":
                with pytest.raises(Unavailable):
                    await sent.finish()
        await until_async(lambda: asyncio.all_tasks() == {asyncio.current_task()})  # one of grpc's takes a moment

    await once()
    threads = set(threading.enumerate())  # grpc.aio keeps one of its own
    if state in ("idle", "under way", "finished"):  # the server is there for another
        await once()
    assert set(threading.enumerate()) <= threads


class Dying:
    """A call that times out at the moment of its cancellation."""

    async def write(self, request):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TimedOut("no answer") from None


@pytest.mark.parametrize("timeout", [0, 0.1])
async def test_a_cancellation_at_the_moment_of_a_timeout_is_not_lost(timeout):
    @asynccontextmanager
    async def dial(seconds, method):
        yield Dying()

    connector = SimpleNamespace(open_call=dial, server="server", timeout=timeout, notify=None)
    sending = SendStream(connector, "ann", "input")
    if timeout:
        with pytest.raises(TimedOut):
            await asyncio.wait_for(sending.wait_ready(), 10)
    else:
        await asyncio.sleep(0)  # it opens a call
        await asyncio.wait_for(sending.close(), 10)
    await sending.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
