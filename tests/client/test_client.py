"""The client as a Python library."""

import asyncio
from hashlib import sha256

import pytest

from chatctl.client import Query
from chatctl.client.client import ChatClient
from chatctl.errors import CursorOtherLog, InvalidRequest, InvalidValue, ServerStopping, TimedOut, Unavailable
from chatctl.model.claims import Claim, Claims
from chatctl.model.records import ReceiptStatus


async def sent(sending, *texts, room="lobby"):
    sending.put(room, texts)
    sending.finish()
    return [outcome async for outcome in sending.reports()]


async def texts(chat, **conditions):
    return [text async for page in chat.read(Query(**conditions)) for run in page.runs for text in run.texts]


async def test_what_is_sent_has_receipts_is_read_and_counted(server):
    async with ChatClient(server.address) as chat:
        async with chat.send("ann", "input") as sending:
            ((receipt, room, told),) = await sent(sending, "hello", "world")
        assert (receipt.status, receipt.number, receipt.count, room, told) == (
            ReceiptStatus.STORED,
            1,
            2,
            "lobby",
            ["hello", "world"],
        )
        assert await texts(chat) == ["hello", "world"]
        cursor = f"{sending.cursor_prefix}{receipt.sequence}"
        assert await texts(chat, after=cursor) == ["world"]
        assert (await chat.stats()).stats.num_messages == 2
        async with chat.send("ann", "input") as again:
            ((receipt, *_),) = await sent(again, "hello", "world")
        assert receipt.status is ReceiptStatus.DUPLICATE


async def test_many_records_of_several_rooms_keep_their_order_and_numbers(server):
    async with ChatClient(server.address) as chat:
        numbers = []

        async def collect(sending):
            async for receipt, _, told in sending.reports():
                assert len(told) == (receipt.count if receipt.status is ReceiptStatus.STORED else 0)
                numbers.extend(range(receipt.number, receipt.number + receipt.count))

        async with chat.send("ann") as sending:
            assert sending.input_id
            collecting = asyncio.create_task(collect(sending))
            for n in range(200):
                sending.put(f"room {n % 3}", [f"{n}.{i}" for i in range(n)])
                if n % 50 == 7:
                    sending.reject("room 0", "no good")
                await sending.drain()
            sending.finish()
            await collecting
        assert numbers == list(range(1, sum(range(200)) + 4 + 1))
        assert await texts(chat, rooms=("room 1",)) == [f"{n}.{i}" for n in range(1, 200, 3) for i in range(n)]


async def test_a_text_that_utf8_cannot_encode_is_refused_at_once(server):
    async with ChatClient(server.address) as chat:
        async with chat.send("ann") as sending:
            with pytest.raises(UnicodeEncodeError):
                sending.put("lobby", ["fine", "bad \ud800"])
            ((receipt, *_),) = await sent(sending, "fine")
        assert (receipt.number, await texts(chat)) == (1, ["fine"])


async def test_records_without_a_receipt_are_known_when_the_server_dies(server):
    async with ChatClient(server.address, timeout=2) as chat:
        async with chat.send("ann") as sending:
            sending.put("lobby", ["stored"])
            outcomes = sending.reports()
            assert (await anext(outcomes)).receipt.status is ReceiptStatus.STORED
            server.kill()
            sending.put("lobby", ["lost", "too"])
            with pytest.raises(Unavailable):
                await anext(outcomes)
        ((receipt, _, told),) = sending.undelivered()
        assert (receipt.status, receipt.number, told) == (ReceiptStatus.UNCONFIRMED, 2, ["lost", "too"])


async def test_following_continues_from_stored_to_new_messages(server):
    async with ChatClient(server.address, timeout=1) as chat:
        async with chat.send("ann") as sending:
            await sent(sending, "stored")
        pages = chat.read(Query(follow=True))
        page = await anext(pages)
        assert ([run.texts for run in page.runs], page.live) == ([["stored"]], True)
        async with chat.send("bob") as sending:
            await sent(sending, "live")
        assert [run.texts for run in (await anext(pages)).runs] == [["live"]]
        await pages.aclose()


async def test_an_invalid_request_raises_the_error_of_the_server(server):
    async with ChatClient(server.address) as chat:
        with pytest.raises(CursorOtherLog):
            await texts(chat, after="nolog:1")
        with pytest.raises(InvalidRequest):
            await texts(chat, last=-1)
        with pytest.raises(InvalidRequest):
            await chat.stats(top=-1)


async def claimed(chat, *texts):
    """Send texts, and return what their receipts claim."""
    async with chat.send("ann") as sending:
        ((receipt, *_),) = await sent(sending, *texts)
    digests = [sha256(text.encode()).digest() for text in texts]
    return sending.cursor_prefix, [Claim(n, "lobby", "ann", digest) for n, digest in enumerate(digests, receipt.sequence)]


async def test_claims_are_verified_in_order_and_the_failure_of_their_source_comes_last(server):
    async def nothing():
        for batch in ():
            yield batch

    async with ChatClient(server.address) as chat:
        prefix, claims = await claimed(chat, *"abcde")

        async def batches():
            yield Claims(prefix, claims[:3])
            yield Claims(prefix, [])
            yield Claims(prefix, [claims[3], claims[4]._replace(user="bob", context="spoilt")])
            raise OSError("the disk is gone")

        answers = chat.verify(batches())
        assert await anext(answers) == (claims[:3], [])
        told, faults = await anext(answers)
        assert [told[fault.index].context for fault in faults] == ["spoilt"]
        with pytest.raises(OSError, match="the disk is gone"):
            await anext(answers)
        assert [answer async for answer in chat.verify(nothing())] == []


async def test_the_caller_may_take_longer_for_a_result_than_the_timeout(server, silent_address):
    async with ChatClient(server.address, timeout=0.2) as chat:
        prefix, claims = await claimed(chat, *"abcde")

        async def batches():
            for claim in claims:
                yield Claims(prefix, [claim])
                await asyncio.sleep(0)

        verified = 0
        async for told, faults in chat.verify(batches()):
            verified += len(told) - len(faults)
            async with ChatClient(silent_address, timeout=0.5) as longer:
                with pytest.raises(TimedOut):
                    await longer.stats()
        assert verified == 5


async def test_a_server_that_is_silent_or_gone_is_given_up(server):
    notices = []
    async with ChatClient(server.address, timeout=0.5, notify=notices.append) as chat:
        server.process.send_signal(19)
        with pytest.raises(TimedOut):
            await chat.stats()
        with pytest.raises(TimedOut):
            async with chat.send("ann"):
                pass
        server.process.send_signal(18)
    server.kill()
    async with ChatClient(server.address) as chat:
        with pytest.raises(Unavailable):
            await chat.stats()


def test_an_invalid_address_is_refused():
    with pytest.raises(InvalidValue):
        ChatClient("nowhere")


async def call_until_unavailable(chat):
    while True:
        try:
            await chat.stats(1)
        except (Unavailable, ServerStopping):
            return


async def test_a_call_at_the_moment_of_a_server_stop_is_unavailable(start_server):
    """gRPC itself ends some of these with CANCELLED."""
    for _ in range(3):
        server = start_server()
        async with ChatClient(server.address) as chat:
            callers = [asyncio.ensure_future(call_until_unavailable(chat)) for _ in range(12)]
            await chat.stats(1)
            await asyncio.to_thread(server.stop)
            assert len(await asyncio.gather(*callers)) == 12
