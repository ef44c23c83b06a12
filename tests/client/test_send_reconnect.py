"""A SendStream across servers that die, hang, change or start late: every record once, in order, with its report."""

import asyncio
import signal
from itertools import pairwise

import pytest

from chatctl.client.client import ChatClient
from chatctl.errors import LogChanged, Unavailable
from chatctl.model.limits import MAX_NUMBER
from chatctl.model.records import ReceiptStatus
from tests.support.client_tasks import ROOM, send_task, stored_texts
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until_async


async def test_a_server_killed_again_and_again_in_mid_send_has_every_record_once(start_server):
    server = start_server()
    listen, store, receipted = server.address, server.store, []
    async with send_task(listen) as sent:
        enough = asyncio.Event()
        feeding = asyncio.create_task(sent.put_until(enough.is_set))
        for life in range(1, 4):
            await until_async(lambda life=life: len(sent.records) > life * 2000)
            server.kill()
            receipted.append(len(sent.records))
            server = await asyncio.to_thread(start_server, listen=listen, store=store)
            await until_async(lambda life=life: sent.notices.count(f"{listen} answers again") == life)
        enough.set()
        await feeding
        await sent.finish()
        sent.assert_all_in_order()
        assert await stored_texts(listen) == [(sequence, text) for _, text, _, sequence in sent.records]
        assert {status for *_, status, _ in sent.records} <= {ReceiptStatus.STORED, ReceiptStatus.DUPLICATE}
        # Only the records right after the last receipt were sent twice.
        again = sent.numbers(ReceiptStatus.DUPLICATE)
        begins = [number for before, number in pairwise([0, *again]) if number != before + 1 or before == 0]
        assert len(begins) <= len(receipted)
        for begin in begins:
            assert any(begin >= count for count in receipted)
        assert len(sent.notices) == 2 * len(receipted), sent.notices


async def test_a_graceful_stop_and_a_restart_are_only_a_pause(start_server):
    server = start_server()
    async with send_task(server.address) as sent:
        enough = asyncio.Event()
        feeding = asyncio.create_task(sent.put_until(enough.is_set))
        await until_async(lambda: len(sent.records) > 2000)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(start_server, listen=server.address, store=server.store)
        await until_async(lambda: any("answers again" in notice for notice in sent.notices))
        enough.set()
        await feeding
        await sent.finish()
        sent.assert_all_in_order()
        assert len(await stored_texts(server.address)) == sent.put


async def test_an_idle_stream_survives_restarts_without_a_loss(start_server):
    """As behind `tail -f`."""

    server = start_server()
    async with send_task(server.address) as sent:
        for life in range(1, 4):
            sent.put_numbered(1)
            await until_async(lambda life=life: len(sent.records) == life)
            server.kill()
            await until_async(lambda life=life: len(sent.notices) == 2 * life - 1)
            server = await asyncio.to_thread(start_server, listen=server.address, store=server.store)
            await until_async(lambda life=life: len(sent.notices) == 2 * life)
        sent.put_numbered(1)
        await sent.finish()
        sent.assert_all_in_order()
        assert sent.numbers(ReceiptStatus.STORED) == [1, 2, 3, 4]
        assert [text for _, text in await stored_texts(server.address)] == ["1", "2", "3", "4"]
        assert ["answers again" in notice for notice in sent.notices] == [False, True] * 3
        assert all(server.address in notice for notice in sent.notices)


async def test_frames_obey_the_limits_of_the_next_server(start_server):
    small = ("--batch-messages", "7", "--batch-bytes", "1024", "--text-bytes", "1000")

    server = start_server()
    long = ["x" * 1000, "y" * 50_000, "z" * 1001, "€" * 333]
    async with send_task(server.address) as sent:
        sent.put_numbered(1)
        await until_async(lambda: sent.records)
        server.process.send_signal(signal.SIGSTOP)
        sent.put_numbered(3000)
        await until_async(
            lambda: sent.sending._stream.window.in_flight
        )  # so that records must be sent again in smaller frames
        server.kill()
        await asyncio.to_thread(start_server, *small, listen=server.address, store=server.store)
        sent.sending.put(ROOM, long)
        await sent.finish()
        assert [text for _, text, *_ in sent.records] == [f"{n}" for n in range(1, 3002)] + long
        assert sent.numbers(ReceiptStatus.REJECTED) == [3003, 3004]
        assert [text for _, text in await stored_texts(server.address)][-2:] == [long[0], long[3]]
        assert sent.sending.limits.batch_messages == 7


async def test_another_store_at_the_same_address_gets_nothing(start_server):
    server = start_server()
    async with send_task(server.address) as sent:
        sent.put_numbered(1)
        await until_async(lambda: sent.records)
        server.kill()
        other = await asyncio.to_thread(start_server, listen=server.address)
        sent.put_numbered(5)
        with pytest.raises(LogChanged) as changed:
            await sent.finish()
        assert changed.value.code == 9
        assert server.address in str(changed.value)
        assert await stored_texts(other.address) == []
        ((receipt, _, texts),) = sent.sending.undelivered()
        assert (receipt.status, receipt.number, texts) == (ReceiptStatus.UNCONFIRMED, 2, ["2", "3", "4", "5", "6"])


async def test_a_connection_over_which_nothing_comes_is_left_for_another(server):
    async with TcpProxy(server.address) as proxy, send_task(proxy.address, timeout=3) as sent:
        sent.put_numbered(1)
        await until_async(lambda: sent.records)
        proxy.blackholed.add(1)
        sent.put_numbered(2000)
        await sent.finish()
        assert proxy.connections == 2
        sent.assert_all_in_order()
        assert [text for _, text in await stored_texts(server.address)] == [f"{n}" for n in range(1, 2002)]


async def test_a_server_that_sleeps_longer_than_a_connection_is_waited_for_goes_on(server):
    async with TcpProxy(server.address) as proxy, send_task(proxy.address, timeout=4) as sent:
        sent.put_numbered(1)
        await until_async(lambda: sent.records)
        server.process.send_signal(signal.SIGSTOP)
        sent.put_numbered(2000)
        await until_async(lambda: proxy.connections == 2)
        server.process.send_signal(signal.SIGCONT)
        await sent.finish()
        sent.assert_all_in_order()
        assert [text for _, text in await stored_texts(server.address)] == [f"{n}" for n in range(1, 2002)]


async def test_numbers_with_holes_and_the_highest_are_sent_again_as_they_were(start_server):
    server = start_server()
    async with send_task(server.address) as sent:
        sent.put_numbered(1)
        await until_async(lambda: sent.records)
        server.process.send_signal(signal.SIGSTOP)
        for number in (10, 20, MAX_NUMBER):
            sent.sending.put(ROOM, [f"{number}"], number)
        sent.sending.reject(ROOM, "no more")
        server.kill()
        await asyncio.to_thread(start_server, listen=server.address, store=server.store)
        await asyncio.wait({sent.collecting}, timeout=0)
        await until_async(lambda: len(sent.records) == 4)
        assert [(number, text) for number, text, *_ in sent.records] == [
            (number, f"{number}") for number in (1, 10, 20, MAX_NUMBER)
        ]


async def test_a_server_that_never_starts_is_given_up(start_server):
    gone = start_server()
    gone.kill()

    notices = []
    async with ChatClient(gone.address, 0.5, notices.append) as chat:
        with pytest.raises(Unavailable, match=r"gave up after 0\.5 s.*--timeout"):
            async with chat.send("ann"):
                pass
    assert len(notices) == 1
