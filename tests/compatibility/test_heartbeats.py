"""The empty responses and requests that keep quiet streams open, between all versions. They are no messages."""

import re
import sys

import pytest

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.cli import Process, run
from tests.support.waiting import until
from tests.support.wire_client import STORED, ManualStream

OLD_CLIENT = "83eaff5"  # the first with `join` and `history -f`
QUICK_SERVER = """
from chatctl.__main__ import main
from chatctl.core import feeds, history
feeds.PROGRESS_INTERVAL_SECONDS, feeds.PROGRESS_TICKS, history.SEARCH_PROGRESS_SECONDS = 0.05, 2, 0
main()
"""


@pytest.fixture(scope="module")
def quick_server(start_shared_server):
    """A server that sends empty responses many times a second."""
    return start_shared_server(command=[sys.executable, "-c", QUICK_SERVER, "serve"])


@pytest.fixture(params=[OLD_CLIENT, "today"])
def pair(request, pair_with, quick_server):
    return pair_with(request.param, quick_server)


def wait_for_heartbeats(channel, room):
    """Follow a quiet room as the clients do, and wait until ten empty responses have come."""
    stub = chat_pb2_grpc.ChatServiceStub(channel)
    call = stub.GetMessages(pb.GetMessagesRequest(follow=True, rooms=[room]))
    cursors = []
    for response in call:
        assert (list(response.runs), response.live) == ([], True)
        cursors.append(response.cursor)
        if len(cursors) == 10:
            break
    call.cancel()
    assert len(set(cursors)) == 1


def test_join_on_a_quiet_room_gets_empty_responses(quick_server, connect, room):
    stub = chat_pb2_grpc.ChatServiceStub(connect(quick_server))
    requests = iter([pb.SendAndReceiveMessageRequest(user="ann", receive=pb.Receive(rooms=[room]))])
    stream = stub.SendAndReceiveMessage(requests)
    pages = [response for _, response in zip(range(10), stream, strict=False) if response.cursor]
    stream.cancel()
    assert all(page.live and page.receive == 1 and not page.runs for page in pages)
    assert len({page.cursor for page in pages}) == 1


@pytest.mark.parametrize("arguments", [("--count", "1"), ("--count", "1", "--exec", "cat")], ids=["print", "exec"])
def test_a_follower_counts_messages_only(pair, connect, room, arguments):
    process = Process("history", "-f", "-r", room, "--json", *arguments, server=pair.address, command=pair.client.command)
    wait_for_heartbeats(connect(pair), room)
    assert pair.run("send", "-r", room, "text").code == 0
    done = process.wait()
    assert (done.code, done.err, len(done.lines)) == (0, "", 1)
    assert "text" in done.out


def test_waiting_ends_though_empty_responses_come(pair, room):
    done = pair.run("history", "-f", "-r", room, "--wait", "0.7s")
    assert done.code == 3, done
    assert re.search(r"0\.7 s", done.err)


def test_a_room_goes_on_through_empty_responses(pair, connect, room):
    process = Process("join", "--json", room, server=pair.address, command=pair.client.command)
    wait_for_heartbeats(connect(pair), room)
    process.write("mine\n")
    until(lambda: '"text":"mine"' in process.out.text)
    assert run("send", "-r", room, "theirs", server=pair.address).code == 0
    until(lambda: '"text":"theirs"' in process.out.text)
    done = process.close().wait()
    assert done.code == 0, done
    assert len(re.findall('"text":"mine"', done.out)) == 1


@pytest.mark.parametrize("version", ["fdb9ea1", OLD_CLIENT, "today"])
def test_servers_ignore_empty_requests(version, release, start_shared_server, connect):
    served = start_shared_server(command=[*release(version).command, "serve"])
    stream = ManualStream(chat_pb2_grpc.ChatServiceStub(connect(served))).send("one", user="ann", input_id="i", room="den")
    for _ in range(3):
        stream.send()
    stream.send("two")
    receipts = stream.receipts(2)
    assert [(receipt.number, receipt.status) for receipt in receipts] == [(1, STORED), (2, STORED)]
    assert list(stream.close().call) == []
