"""Presence: in memory, over the API, and after a client has died."""

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
from tests.support.waiting import TIMEOUT_SECONDS, until
from tests.support.wire_client import ManualStream


@pytest.fixture(autouse=True)
def _short_intervals(monkeypatch):
    monkeypatch.setattr(presence_module, "PUBLISH_INTERVAL_SECONDS", 0.01)


def receive(*rooms, **fields):
    return pb.Receive(rooms=rooms, presence=True, **fields)


@pytest.fixture
def stub(server, connect):
    return chat_pb2_grpc.ChatServiceStub(connect(server))


def present(stub, *rooms):
    """Return the users of each room, from GetStats."""
    present = stub.GetStats(pb.GetStatsRequest(rooms=rooms)).present
    return {each.room: list(each.users) for each in present}


def next_presence(stream):
    """Return the next presence that a stream receives."""
    while not (present := stream.receive().present):
        pass
    return {each.room: list(each.users) for each in present}


# --- in memory


def test_a_user_is_present_once_until_the_last_stream_ends():
    presence = Presence()
    first, second = presence.enter("ann", ["lobby", "lobby", "ops"]), presence.enter("ann", ["lobby"])
    presence.enter("bob", ["lobby"])
    assert presence.largest_rooms(5) == [RoomPresence("lobby", ["ann", "bob"], 2), RoomPresence("ops", ["ann"], 1)]
    first()
    assert presence.largest_rooms(5) == [RoomPresence("lobby", ["ann", "bob"], 2)]
    second()
    assert presence.in_room("lobby") == RoomPresence("lobby", ["bob"], 1)
    assert presence.in_room("nowhere") == RoomPresence("nowhere", [], 0)


def test_many_users_are_counted_and_the_first_ones_named():
    presence = Presence()
    leaves = [presence.enter(f"user {n:04}", ["lobby"]) for n in range(1000)]
    assert presence.in_room("lobby") == RoomPresence("lobby", [f"user {n:04}" for n in range(MAX_LISTED_USERS)], 1000)
    for leave in leaves:
        leave()
    assert presence.largest_rooms(5) == []


def test_tracked_users_are_bounded_until_others_leave(monkeypatch):
    monkeypatch.setattr(presence_module, "MAX_TRACKED", 3)
    presence = Presence()
    leave = presence.enter("ann", ["a", "b"])
    over = presence.enter("bob", ["a", "b"])
    assert presence.largest_rooms(5) == [RoomPresence("a", ["ann", "bob"], 2), RoomPresence("b", ["ann"], 1)]
    leave()
    presence.enter("cy", ["b"])
    over()
    assert presence.largest_rooms(5) == [RoomPresence("b", ["cy"], 1)]


async def run_loop_until(condition):
    """Run single turns of the event loop until a condition holds."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not condition():  # noqa: ASYNC110 (without an event to wait for)
            await asyncio.sleep(0)


async def test_a_change_that_is_undone_is_not_published():
    presence = Presence()
    calls = []
    watching = presence.subscribe(["lobby"], lambda: calls.append(1))
    assert watching.pop_changes() == [RoomPresence("lobby", [], 0)]
    presence.enter("ann", ["lobby"])()
    await run_loop_until(lambda: not presence._timer)
    assert (calls, watching.pop_changes()) == ([], [])
    presence.enter("ann", ["lobby", "elsewhere"])
    await run_loop_until(lambda: calls)
    assert watching.pop_changes() == [RoomPresence("lobby", ["ann"], 1)]
    watching.close()
    presence.enter("bob", ["lobby"])
    await run_loop_until(lambda: not presence._timer)
    assert calls == [1]


# --- over the API


def test_streams_with_a_user_are_present_in_the_rooms_they_receive(stub):
    ann = ManualStream(stub).send(user="ann", receive=receive("lobby", "ops"))
    assert next_presence(ann) == {"lobby": ["ann"], "ops": ["ann"]}
    bob = ManualStream(stub).send(receive=receive("lobby"))
    assert next_presence(bob) == {"lobby": ["ann"]}  # without a user, so not present
    bob.send(user="bob")
    assert next_presence(bob) == {"lobby": ["ann", "bob"]}
    assert next_presence(ann) == {"lobby": ["ann", "bob"]}
    assert present(stub) == {"lobby": ["ann", "bob"], "ops": ["ann"]}
    assert present(stub, "ops", "nowhere") == {"ops": ["ann"]}

    bob.send(receive=receive("ops"))
    assert next_presence(bob) == {"ops": ["ann", "bob"]}
    bob.send(receive=receive())
    until(lambda: present(stub) == {"lobby": ["ann"], "ops": ["ann"]})
    ann.call.cancel()
    until(lambda: present(stub) == {})


def test_streams_that_only_send_or_have_an_invalid_user_are_not_present(stub):
    sender = ManualStream(stub).send("hello", user="ann", room="lobby")
    sender.receipts(1)
    odd = ManualStream(stub).send(user="a\nb", receive=receive("lobby"))
    assert next_presence(odd) == {"lobby": []}
    everywhere = ManualStream(stub).send(user="cy", receive=pb.Receive(all_rooms=True, presence=True))
    assert everywhere.receive().HasField("welcome")
    activity = stub.GetStats(pb.GetStatsRequest()).activity
    assert (activity.senders, activity.followers) == (1, 2)
    assert present(stub) == {}


def test_activity_counts_stored_messages(stub):
    ManualStream(stub).send("one", "two", "three", user="ann", room="lobby").receipts(3)
    activity = stub.GetStats(pb.GetStatsRequest()).activity
    assert sum(activity.num_messages) == 3
    assert len(activity.num_messages) == 90
    assert [(room.room, room.num_messages) for room in activity.rooms] == [("lobby", 3)]
    assert 0 < activity.commit_median.ToNanoseconds() <= activity.commit_p99.ToNanoseconds()


# --- dead clients

_JOIN = """
import asyncio, sys
from chatctl.client import ChatClient
async def main():
    async with ChatClient(sys.argv[1]) as chat, chat.join("ghost", ["lobby"]) as joining:
        async for event in joining.events():
            print(event, flush=True)
asyncio.run(main())
"""


def test_a_killed_client_leaves_its_rooms(server, stub):
    process = subprocess.Popen([sys.executable, "-c", _JOIN, server.address], stdout=subprocess.DEVNULL)
    until(lambda: present(stub) == {"lobby": ["ghost"]})
    process.kill()
    process.wait()
    until(lambda: present(stub) == {})
    assert process.returncode == -9


_SHORT_KEEPALIVE = dedent("""
    import sys
    from chatctl.server import server
    from chatctl.cli.app import run
    server.SERVER_OPTIONS = tuple(
        (name, {"grpc.keepalive_time_ms": 200, "grpc.http2.ping_timeout_ms": 500}.get(name, value))
        for name, value in server.SERVER_OPTIONS
    )
    sys.exit(run(sys.argv[1:]))
""")


async def test_a_client_that_does_not_answer_a_ping_leaves_its_rooms(start_server, connect):
    server = start_server(command=[sys.executable, "-c", _SHORT_KEEPALIVE, "serve"])
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))

    async with (
        TcpProxy(server.address) as proxy,
        ChatClient(proxy.address, 0) as chat,
        chat.join("ann", ["lobby"]) as joining,
    ):
        async for event in joining.events():
            if isinstance(event, PresenceChanged):
                break
        assert await asyncio.to_thread(present, stub) == {"lobby": ["ann"]}
        proxy.blackholed.add(1)
        await asyncio.to_thread(until, lambda: present(stub) == {})
        assert joining.last_error is None  # the client has not noticed


def test_the_names_in_one_response_are_bounded_and_the_counts_are_complete(monkeypatch):
    monkeypatch.setattr(presence_module, "MAX_LISTED_USERS_TOTAL", 3)
    presence = Presence()
    for user in ("ann", "bob"):
        presence.enter(user, ["a", "b", "c"])
    assert presence.largest_rooms(5) == [
        RoomPresence("a", ["ann", "bob"], 2),
        RoomPresence("b", ["ann"], 2),
        RoomPresence("c", [], 2),
    ]


async def test_subscriptions_are_notified_in_batches():
    presence, told = Presence(), []
    for n in range(3 * PUBLISH_BATCH):
        presence.subscribe(["lobby"], lambda n=n: told.append(n))
    presence.enter("ann", ["lobby"])
    await run_loop_until(lambda: told)
    assert len(told) == PUBLISH_BATCH
    await run_loop_until(lambda: not presence._timer)
    assert len(set(told)) == 3 * PUBLISH_BATCH
