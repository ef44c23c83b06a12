"""Who is in a room: in the registry, over the API, and when a client is gone without a word."""

import asyncio
import subprocess
import sys
from textwrap import dedent

import pytest

from chatctl.client import PresenceChanged
from chatctl.client.client import ChatClient
from chatctl.core import presence as presence_module
from chatctl.core.presence import MAX_LISTED_USERS, PUBLISH_BATCH, Presence
from chatctl.model.stats import RoomPresence
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until
from tests.support.wire_client import ManualStream


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(presence_module, "PUBLISH_INTERVAL_SECONDS", 0.01)


def receive(*rooms, **fields):
    return pb.Receive(rooms=rooms, presence=True, **fields)


@pytest.fixture
def stub(server, connect):
    return chat_pb2_grpc.ChatServiceStub(connect(server))


def there(stub, *rooms):
    """Who is where, as GetStats says."""
    present = stub.GetStats(pb.GetStatsRequest(rooms=rooms)).present
    return {each.room: list(each.users) for each in present}


def told(stream):
    """The next that a stream is told of who is where."""
    while not (present := stream.receive().present):
        pass
    return {each.room: list(each.users) for each in present}


# --- the registry


def test_a_user_is_there_once_for_as_long_as_one_stream_of_theirs_is():
    presence = Presence()
    first, second = presence.enter("ann", ["lobby", "lobby", "ops"]), presence.enter("ann", ["lobby"])
    presence.enter("bob", ["lobby"])
    assert presence.largest_rooms(5) == [RoomPresence("lobby", ["ann", "bob"], 2), RoomPresence("ops", ["ann"], 1)]
    first()
    assert presence.largest_rooms(5) == [RoomPresence("lobby", ["ann", "bob"], 2)]
    second()
    assert presence.in_room("lobby") == RoomPresence("lobby", ["bob"], 1)
    assert presence.in_room("nowhere") == RoomPresence("nowhere", [], 0)


def test_a_crowd_is_counted_and_the_first_of_it_named():
    presence = Presence()
    leaves = [presence.enter(f"user {n:04}", ["lobby"]) for n in range(1000)]
    assert presence.in_room("lobby") == RoomPresence("lobby", [f"user {n:04}" for n in range(MAX_LISTED_USERS)], 1000)
    for leave in leaves:
        leave()
    assert presence.largest_rooms(5) == []


def test_what_is_held_is_bounded_and_leaving_makes_room(monkeypatch):
    monkeypatch.setattr(presence_module, "MAX_TRACKED", 3)
    presence = Presence()
    leave = presence.enter("ann", ["a", "b"])
    over = presence.enter("bob", ["a", "b"])
    assert presence.largest_rooms(5) == [RoomPresence("a", ["ann", "bob"], 2), RoomPresence("b", ["ann"], 1)]
    leave()
    presence.enter("cy", ["b"])
    over()
    assert presence.largest_rooms(5) == [RoomPresence("b", ["cy"], 1)]


async def ticking(condition):
    """Let the event loop run until a condition holds."""
    while not condition():  # noqa: ASYNC110 (nobody tells when)
        await asyncio.sleep(0)


async def test_a_room_that_changes_and_changes_back_is_no_news():
    presence = Presence()
    calls = []
    watching = presence.subscribe(["lobby"], lambda: calls.append(1))
    assert watching.pop_changes() == [RoomPresence("lobby", [], 0)]
    presence.enter("ann", ["lobby"])()
    await ticking(lambda: not presence._timer)
    assert (calls, watching.pop_changes()) == ([], [])
    presence.enter("ann", ["lobby", "elsewhere"])
    await ticking(lambda: calls)
    assert watching.pop_changes() == [RoomPresence("lobby", ["ann"], 1)]
    watching.close()
    presence.enter("bob", ["lobby"])
    await ticking(lambda: not presence._timer)
    assert calls == [1]


# --- over the API


def test_streams_that_name_themselves_are_in_the_rooms_they_receive(stub):
    ann = ManualStream(stub).send(user="ann", receive=receive("lobby", "ops"))
    assert told(ann) == {"lobby": ["ann"], "ops": ["ann"]}
    bob = ManualStream(stub).send(receive=receive("lobby"))
    assert told(bob) == {"lobby": ["ann"]}  # nameless, so not there
    bob.send(user="bob")
    assert told(bob) == {"lobby": ["ann", "bob"]}
    assert told(ann) == {"lobby": ["ann", "bob"]}
    assert there(stub) == {"lobby": ["ann", "bob"], "ops": ["ann"]}
    assert there(stub, "ops", "nowhere") == {"ops": ["ann"]}

    bob.send(receive=receive("ops"))
    assert told(bob) == {"ops": ["ann", "bob"]}
    bob.send(receive=receive())
    until(lambda: there(stub) == {"lobby": ["ann"], "ops": ["ann"]})
    ann.call.cancel()
    until(lambda: there(stub) == {})


def test_who_only_sends_or_has_no_proper_name_is_not_in_a_room(stub):
    sender = ManualStream(stub).send("hello", user="ann", room="lobby")
    sender.receipts(1)
    odd = ManualStream(stub).send(user="a\nb", receive=receive("lobby"))
    assert told(odd) == {"lobby": []}
    everywhere = ManualStream(stub).send(user="cy", receive=pb.Receive(all_rooms=True, presence=True))
    assert everywhere.receive().HasField("welcome")
    activity = stub.GetStats(pb.GetStatsRequest()).activity
    assert (activity.senders, activity.followers) == (1, 2)
    assert there(stub) == {}


def test_activity_tells_of_what_was_stored(stub):
    ManualStream(stub).send("one", "two", "three", user="ann", room="lobby").receipts(3)
    activity = stub.GetStats(pb.GetStatsRequest()).activity
    assert sum(activity.num_messages) == 3
    assert len(activity.num_messages) == 90
    assert [(room.room, room.num_messages) for room in activity.rooms] == [("lobby", 3)]
    assert 0 < activity.commit_median.ToNanoseconds() <= activity.commit_p99.ToNanoseconds()


# --- clients that are gone without a word

_JOIN = """
import asyncio, sys
from chatctl.client import ChatClient
async def main():
    async with ChatClient(sys.argv[1]) as chat, chat.join("ghost", ["lobby"]) as joining:
        async for event in joining.events():
            print(event, flush=True)
asyncio.run(main())
"""


def test_a_client_that_is_killed_is_gone(server, stub):
    process = subprocess.Popen([sys.executable, "-c", _JOIN, server.address], stdout=subprocess.DEVNULL)
    until(lambda: there(stub) == {"lobby": ["ghost"]})
    process.kill()
    process.wait()
    until(lambda: there(stub) == {})
    assert process.returncode == -9


_IMPATIENT = dedent("""
    import sys
    from chatctl.server import server
    from chatctl.cli.app import run
    server.SERVER_OPTIONS = tuple(
        (name, {"grpc.keepalive_time_ms": 200, "grpc.http2.ping_timeout_ms": 500}.get(name, value))
        for name, value in server.SERVER_OPTIONS
    )
    sys.exit(run(sys.argv[1:]))
""")


async def test_a_client_whose_connection_is_dead_is_gone_once_it_does_not_answer_a_ping(start_server, connect):
    server = start_server(command=[sys.executable, "-c", _IMPATIENT, "serve"])
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))

    async with (
        TcpProxy(server.address) as proxy,
        ChatClient(proxy.address, 0) as chat,
        chat.join("ann", ["lobby"]) as joining,
    ):
        async for event in joining.events():
            if isinstance(event, PresenceChanged):
                break
        assert await asyncio.to_thread(there, stub) == {"lobby": ["ann"]}
        proxy.blackholed.add(1)
        await asyncio.to_thread(until, lambda: there(stub) == {})
        assert joining.last_error is None  # for all that the client knows


def test_names_told_at_once_are_bounded_and_the_counts_are_not(monkeypatch):
    monkeypatch.setattr(presence_module, "MAX_LISTED_USERS_TOTAL", 3)
    presence = Presence()
    for user in ("ann", "bob"):
        presence.enter(user, ["a", "b", "c"])
    assert presence.largest_rooms(5) == [
        RoomPresence("a", ["ann", "bob"], 2),
        RoomPresence("b", ["ann"], 2),
        RoomPresence("c", [], 2),
    ]


async def test_many_are_told_some_at_a_time_and_all_in_the_end():
    presence, told = Presence(), []
    for n in range(3 * PUBLISH_BATCH):
        presence.subscribe(["lobby"], lambda n=n: told.append(n))
    presence.enter("ann", ["lobby"])
    await ticking(lambda: told)
    assert len(told) == PUBLISH_BATCH
    await ticking(lambda: not presence._timer)
    assert len(set(told)) == 3 * PUBLISH_BATCH
