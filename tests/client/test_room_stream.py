"""RoomStream: sends and receives across broken streams and changes of rooms."""

import asyncio
import random
from contextlib import aclosing

import pytest

from chatctl.client import Connected, Disconnected, HistoryPage, PresenceChanged, Query
from chatctl.client.client import ChatClient
from chatctl.client.room_stream import RoomSubscription
from chatctl.errors import InvalidRequest, LogChanged, Unavailable
from chatctl.model.records import ReceiptStatus
from chatctl.model.stats import RoomPresence
from chatctl.v1 import chat_pb2 as pb
from tests.support.client_tasks import room_task
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import TIMEOUT_SECONDS


async def test_two_talk_and_see_each_other(address, room):
    async with room_task(address, "ann", room) as ann, room_task(address, "bob", room) as bob:
        await ann.wait_receiving()
        await bob.wait_receiving()
        ann.joining.put(room, ["hello", "bob"])
        bob.joining.put(room, ["hello, ann"])
        await ann.until(lambda: len(ann.messages) == 3 and len(ann.outcomes) == 1)
        await bob.until(lambda: len(bob.messages) == 3)
        assert ann.messages == bob.messages == sorted(ann.messages, key=lambda message: message[1])
        assert {(user, text) for _, _, user, text in ann.messages} == {
            ("ann", "hello"), ("ann", "bob"), ("bob", "hello, ann")}  # fmt: skip
        receipt = ann.outcomes[0].receipt
        assert (receipt.number, receipt.count, receipt.status) == (1, 2, ReceiptStatus.STORED)
        assert (room, receipt.sequence, "ann", "hello") in ann.messages
        await bob.until(lambda: PresenceChanged([RoomPresence(room, ["ann", "bob"], 2)]) in bob.events)
        await ann.finish()
        assert ann.events_of(Connected) == [Connected()]


async def test_rooms_change_and_a_new_one_is_received_from_the_last_page_on(address, room):
    other = room + " other"

    async with room_task(address, "ann", room) as ann, room_task(address, "bob", room, other) as bob:
        await ann.wait_receiving()
        await bob.wait_receiving()
        bob.joining.put(other, ["unseen"])
        bob.joining.put(room, ["a page"])
        await ann.until(lambda: ann.messages)
        ann.joining.set_rooms([other])
        await ann.until(lambda: any(each.room == other for here in ann.events_of(PresenceChanged) for each in here.rooms))
        bob.joining.put(other, ["seen"])
        bob.joining.put(room, ["left"])
        bob.joining.put(other, ["seen, too"])
        await ann.until(lambda: len(ann.messages) == 3)
        assert ann.texts == ["a page", "seen", "seen, too"]
        ann.joining.set_rooms([])
        ann.joining.put(other, ["still able to send"])
        await ann.until(lambda: ann.outcomes)
        assert ann.texts == ["a page", "seen", "seen, too"]


async def test_texts_put_without_a_server_are_sent_once_when_it_starts(start_server):
    first = start_server()
    first.kill()

    async with room_task(first.address, "ann", "lobby") as ann:
        ann.joining.put("lobby", ["early"])
        await ann.until(lambda: ann.events_of(Disconnected))
        assert isinstance(ann.joining.last_error, Unavailable)
        await asyncio.to_thread(start_server, store=first.store, listen=first.address)
        await ann.until(lambda: ann.outcomes)
        ann.joining.put("lobby", ["late"])
        await ann.until(lambda: "late" in ann.texts)
        assert ann.joining.last_error is None
        assert [event.receipt.status for event in ann.outcomes] == [ReceiptStatus.STORED] * len(ann.outcomes)
        assert not any(ann.errors_at_pages)  # who gets a page can ask the server for more


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_missed_or_doubled_while_rooms_change_and_connections_break(address, room, seed):
    rooms = [f"{room} {n}" for n in range(4)]
    luck = random.Random(seed)
    texts = [f"text {n}" for n in range(1500)]

    async def write(someone):
        for text in texts:
            await someone.joining.drain()
            someone.joining.put(luck.choice(rooms), [text])
            await asyncio.sleep(0)
        await someone.finish()

    async with (
        TcpProxy(address) as proxy,
        ChatClient(address) as reader,
        room_task(address, "bob") as bob,
        room_task(proxy.address, "ann", *rooms) as ann,
    ):
        await ann.wait_receiving()
        writing = asyncio.create_task(write(bob))
        inside = set(rooms)
        seen = {each: set() for each in rooms}  # read after joining again
        while not writing.done():
            inside = {each for each in rooms if luck.random() < 0.7}
            old = set(ann.joining._subscription.rooms)
            ann.joining.set_rooms(sorted(inside))
            for each in inside - old:
                seen[each] = {n async for n in _sequences(reader, each)}
            if luck.random() < 0.1:
                proxy.cut()
            for _ in range(luck.randrange(20)):
                await asyncio.sleep(0)
        for each in set(rooms) - inside:
            ann.joining.set_rooms(rooms)
            seen[each] |= {n async for n in _sequences(reader, each)}
        ann.joining.put(rooms[0], ["the end"])
        await ann.until(lambda: "the end" in ann.texts)
        for each in rooms:
            came = [n for where, n, *_ in ann.messages if where == each]
            assert came == sorted(set(came)), "doubled or out of order"
            assert set(came) | seen[each] == {n async for n in _sequences(reader, each)}


def page_response(position, receive):
    return pb.SendAndReceiveMessageResponse(cursor=f"log:{position}", cursor_prefix="log:", live=True, receive=receive)


def test_a_page_in_flight_while_the_rooms_change_does_not_move_the_cursor():
    subscription = RoomSubscription("server", ["old"])
    subscription.first_request(pb.SendAndReceiveMessageRequest())
    assert subscription.on_response(page_response(1, receive=1))
    assert subscription.take_event() == HistoryPage([], "log:1", "log:", live=True)
    subscription.set_rooms(["old", "new"])
    assert not subscription.on_response(page_response(7, receive=1))
    expected = pb.Receive(rooms=["old", "new"], after="log:1", presence=True)
    assert subscription.next_request() == pb.SendAndReceiveMessageRequest(receive=expected)
    assert subscription.next_request() is None
    assert not subscription.on_response(page_response(7, receive=1))


async def _sequences(chat, room):
    async with aclosing(chat.read(Query(rooms=(room,)))) as pages:
        async for page in pages:
            for run in page.runs:
                for n, _ in enumerate(run.texts, run.sequence):
                    yield n


async def test_a_caller_that_takes_no_events_holds_at_most_a_page(address, room):
    async with room_task(address, "bob") as bob, ChatClient(address) as chat, chat.join("ann", [room]) as joining:
        events = joining.events()
        while not isinstance(await anext(events), HistoryPage):
            pass
        for n in range(30):
            bob.joining.put(room, [f"{n} {'x' * 50_000}"] * 5)
        await bob.finish()
        assert len(joining._subscription._events) <= 2
        got = []
        while len(got) < 150:
            if isinstance(event := await anext(events), HistoryPage):
                got += [text.split()[0] for run in event.runs for text in run.texts]
        assert got == [str(n) for n in range(30) for _ in range(5)]
        await events.aclose()


async def test_another_log_and_a_bad_room_end_it_with_the_undelivered_records_known(start_server):
    first = start_server()

    async with room_task(first.address, "ann", "lobby") as ann:
        await ann.wait_receiving()
        first.kill()
        await ann.until(lambda: ann.events_of(Disconnected))
        ann.joining.put("lobby", ["doubtful"])
        await asyncio.to_thread(start_server, listen=first.address)
        await asyncio.wait({ann.task}, timeout=TIMEOUT_SECONDS)
        with pytest.raises(LogChanged):
            ann.task.result()
        assert [outcome.texts for outcome in ann.joining.undelivered()] == [["doubtful"]]
    async with room_task(first.address, "ann", "bad\nroom") as ann:
        await asyncio.wait({ann.task}, timeout=TIMEOUT_SECONDS)
        with pytest.raises(InvalidRequest):
            ann.task.result()


async def test_it_gives_up_when_there_is_no_server_for_as_long_as_the_timeout(start_server):
    server = start_server()
    server.kill()

    async with room_task(server.address, "ann", "lobby", timeout=0.5) as ann:
        await asyncio.wait({ann.task}, timeout=TIMEOUT_SECONDS)
        with pytest.raises(Unavailable, match="gave up after"):
            ann.task.result()
