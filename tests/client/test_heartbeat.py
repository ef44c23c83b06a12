"""A client that has nothing to send writes empty requests: a proxy would cut its stream."""

import asyncio

import pytest

from chatctl.client import heartbeat
from chatctl.v1 import chat_pb2 as pb
from tests.support.client_tasks import room_task, send_task
from tests.support.fake_servers import fake_send_server
from tests.support.waiting import TIMEOUT_SECONDS, until_async


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.02)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("start", [send_task, lambda address: room_task(address, "ann", "den")], ids=["send", "join"])
async def test_a_quiet_client_writes_empty_requests(start):
    received = asyncio.Queue()

    async def answer(requests, _):
        async for request in requests:
            received.put_nowait(request)
        yield pb.SendAndReceiveMessageResponse()

    async with fake_send_server(answer) as address, start(address), asyncio.timeout(TIMEOUT_SECONDS):
        assert [await received.get() for _ in range(3)] == [pb.SendAndReceiveMessageRequest()] * 3


@pytest.mark.usefixtures("quick")
async def test_empty_requests_need_no_response(server):
    """The timeout does not count from them, and what follows is numbered as before."""
    async with send_task(server.address, timeout=1) as sent:
        sent.put_numbered(3)
        await until_async(lambda: len(sent.records) == 3)
        beats = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_later(2, beats.set)  # twice the timeout
        await beats.wait()
        sent.put_numbered(3)
        await sent.finish()
        sent.assert_all_in_order()
        assert sent.notices == []


async def test_a_request_in_time_replaces_the_heartbeat(monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 3600)
    due = []
    beat = heartbeat.Heartbeat(lambda: due.append(True))
    beat._tick()  # its first half: the request before it is recent
    beat.written()
    beat._tick()
    assert not beat.take_due()
    beat._tick()
    assert due == [True]
    assert beat.take_due()
    assert not beat.take_due()
    beat._tick()  # the empty request counts as one
    assert due == [True]
    beat.close()
