"""A verification across servers that die, change, break or go silent: every claim has its result once, in order."""

import asyncio
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

import grpc
import pytest
from grpc.aio._call import StreamStreamCall

from chatctl.client import heartbeat
from chatctl.client.client import ChatClient
from chatctl.client.verify_window import MAX_PENDING_CLAIMS, WINDOW_REQUESTS
from chatctl.errors import IncompatibleServer, LogChanged, TimedOut, Unavailable
from chatctl.model.claims import Claim, Claims
from chatctl.v1 import chat_pb2 as pb
from tests.support.client_tasks import send_task
from tests.support.fake_servers import fake_verify_server
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import TIMEOUT_SECONDS, until_async

BROKEN = grpc.StatusCode.UNAVAILABLE


def claim(number):
    return Claim(number, "lobby", "ann", sha256(b"%d" % number).digest(), number)


class VerifyTask:
    """A verification in a task; a test puts its claims one batch at a time, and reads the numbers of the results."""

    def __init__(self, chat, prefix):
        self.prefix = prefix
        self.numbers, self.faults = [], []
        self._batches = asyncio.Queue(1)
        self.task = asyncio.create_task(self._run(chat))

    async def _run(self, chat):
        async for claims, faults in chat.verify(self._read()):
            self.numbers += [one.context for one in claims]
            self.faults += faults

    async def _read(self):
        while (batch := await self._batches.get()) is not None:
            yield batch

    async def put(self, *numbers):
        await self._batches.put(Claims(self.prefix, [claim(number) for number in numbers]))

    async def until_verified(self, count):
        await until_async(lambda: len(self.numbers) >= count or self.task.done())
        assert len(self.numbers) == count

    async def finish(self):
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self._batches.put(None)
            await self.task


@asynccontextmanager
async def verify_task(address, prefix="fake:", timeout=TIMEOUT_SECONDS):
    notices = []
    async with ChatClient(address, timeout, notices.append) as chat:
        verification = VerifyTask(chat, prefix)
        verification.notices = notices
        try:
            yield verification
        finally:
            verification.task.cancel()
            await asyncio.wait([verification.task])


async def store(address, count):
    """Store messages whose texts are their sequences. Return the prefix of their cursors."""
    async with send_task(address) as sent:
        sent.put_numbered(count)
        await sent.finish()
        return sent.sending.cursor_prefix


async def holds(requests, _):
    """Answer that every claim holds."""
    async for request in requests:
        yield pb.VerifyMessagesResponse(num_messages=sum(len(one.sha256) for one in request.claims))


async def test_it_continues_after_restarts_of_the_server(start_server):
    server = start_server()
    prefix = await store(server.address, 30)
    async with verify_task(server.address, prefix) as verification:
        for life in range(3):
            await verification.put(*range(life * 10 + 1, life * 10 + 11))
            await verification.until_verified(life * 10 + 10)
            await asyncio.to_thread(server.stop if life else server.kill)
            server = await asyncio.to_thread(start_server, listen=server.address, store=server.store)
        await verification.finish()
        assert (verification.numbers, verification.faults) == ([*range(1, 31)], [])


async def test_claims_without_an_answer_are_sent_again(server):
    prefix = await store(server.address, 5000)
    async with TcpProxy(server.address) as proxy, verify_task(proxy.address, prefix) as verification:
        await verification.put(*range(1, 1001))
        await verification.until_verified(1000)
        proxy.hold()
        for start in range(1001, 5001, 1000):
            await verification.put(*range(start, start + 1000))
        proxy.cut()
        proxy.release()
        await verification.finish()
        assert (verification.numbers, verification.faults) == ([*range(1, 5001)], [])


async def test_another_log_than_before_is_not_asked(start_server):
    server = start_server()
    prefix = await store(server.address, 2)
    async with verify_task(server.address, prefix) as verification:
        await verification.put(1)
        await verification.until_verified(1)
        server.kill()
        await asyncio.to_thread(start_server, listen=server.address)
        await verification.put(2)
        with pytest.raises(LogChanged, match="serves another log than before"):
            await verification.finish()
        assert verification.numbers == [1]


async def test_a_server_that_breaks_each_stream_is_given_up():
    async def breaks(requests, context):
        await context.abort(BROKEN, "broken")
        yield

    async with fake_verify_server(breaks) as address, verify_task(address, timeout=1) as verification:
        await verification.put(1)
        with pytest.raises(Unavailable, match="gave up after 1 s"):
            await verification.finish()
        assert len(verification.notices) == 1


async def test_a_call_that_ends_as_its_last_claim_was_written_is_repeated(monkeypatch):
    """What gRPC raises then would hide why the call has ended."""
    calls, is_closing = [], asyncio.Event()

    async def breaks_once(requests, context):
        calls.append(requests)
        if len(calls) == 1:
            await is_closing.wait()
            await context.abort(BROKEN, "broken")
        async for response in holds(requests, context):
            yield response

    done_writing = StreamStreamCall.done_writing

    async def done_writing_late(call):
        if not is_closing.is_set():
            is_closing.set()
            with suppress(asyncio.CancelledError):  # the client ends the task that writes, once the call has ended
                await until_async(call.done)
            raise grpc.aio.InternalError("execute_batch")
        await done_writing(call)

    monkeypatch.setattr(StreamStreamCall, "done_writing", done_writing_late)
    async with fake_verify_server(breaks_once) as address, verify_task(address) as verification:
        await verification.put(1)
        await verification.finish()
        assert (verification.numbers, len(calls)) == ([1], 2)


async def test_a_server_that_is_silent_is_given_up():
    async def waits(requests, _):
        await asyncio.Event().wait()
        yield

    async with fake_verify_server(waits) as address, verify_task(address, timeout=0.5) as verification:
        await verification.put(1)
        with pytest.raises(TimedOut):
            await verification.finish()


async def test_a_break_at_the_very_end_changes_nothing():
    """All claims have their results; only the end of the stream is missing."""
    calls = []

    async def breaks_at_the_end(requests, context):
        calls.append(context)
        async for response in holds(requests, context):
            yield response
        await context.abort(BROKEN, "broken")

    async with fake_verify_server(breaks_at_the_end) as address, verify_task(address) as verification:
        await verification.put(1, 2, 3)
        await verification.finish()
        assert (verification.numbers, len(calls)) == ([1, 2, 3], 1)


@pytest.mark.parametrize("count", [0, 2, 1_000_000])
async def test_an_answer_that_does_not_fit_ends_it(count):
    calls = []

    async def lies(requests, _):
        calls.append(await anext(requests))
        yield pb.VerifyMessagesResponse(num_messages=count)

    async with fake_verify_server(lies) as address, verify_task(address) as verification:
        await verification.put(1)
        with pytest.raises(IncompatibleServer, match="does not fit"):
            await verification.finish()
        assert (verification.numbers, len(calls)) == ([], 1)


async def test_without_claims_there_is_no_stream_and_the_timeout_does_not_count():
    calls = []

    async def counts(requests, context):
        calls.append(context)
        async for response in holds(requests, context):
            yield response

    async with fake_verify_server(counts) as address, verify_task(address, timeout=1) as verification:
        waited = asyncio.Event()
        asyncio.get_running_loop().call_later(2, waited.set)  # twice the timeout
        await waited.wait()
        assert calls == []
        await verification.put(1)
        await verification.finish()
        assert (verification.numbers, len(calls), verification.notices) == ([1], 1, [])


async def test_a_quiet_input_writes_empty_requests_which_have_no_result(server, monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.02)
    received = asyncio.Queue()

    async def records(requests, context):
        async def recorded():
            async for request in requests:
                received.put_nowait(request)
                yield request

        async for response in holds(recorded(), context):
            yield response

    async with fake_verify_server(records) as address, verify_task(address) as verification:
        await verification.put(1)
        await verification.until_verified(1)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            assert (await received.get()).claims
            assert [await received.get() for _ in range(3)] == [pb.VerifyMessagesRequest()] * 3
        await verification.finish()
        assert verification.numbers == [1]
    prefix = await store(server.address, 2)
    async with verify_task(server.address, prefix, timeout=1) as verification:  # a real server answers them, too
        await verification.put(1)
        await verification.until_verified(1)
        waited = asyncio.Event()
        asyncio.get_running_loop().call_later(2, waited.set)
        await waited.wait()
        await verification.put(2)
        await verification.finish()
        assert (verification.numbers, verification.notices) == ([1, 2], [])


async def test_what_is_read_ahead_is_bounded():
    """A server that reads requests and answers none."""
    read = 0

    async def batches():
        nonlocal read
        while True:
            read += 1000
            yield Claims("fake:", [claim(number) for number in range(1000)])

    async def reads(requests, _):
        async for _ in requests:
            pass
        await asyncio.Event().wait()
        yield

    async with fake_verify_server(reads) as address, ChatClient(address, timeout=1) as chat:
        with pytest.raises(TimedOut):
            await anext(chat.verify(batches()))
    assert WINDOW_REQUESTS * 1000 <= read <= WINDOW_REQUESTS * 1000 + MAX_PENDING_CLAIMS
