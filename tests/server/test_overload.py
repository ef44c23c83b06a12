"""Load: followers of quiet rooms cost busy rooms nothing, and a client that does not read costs little memory."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from struct import pack

import pytest

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.model.limits import Limits
from chatctl.model.messages import Query, Selection
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    HEADERS,
    PREFACE,
    SETTINGS,
    WINDOW,
    connect_socket,
    frame_bytes,
    header_block,
    healthy_client,
    message_bytes,
)
from tests.support.logs import STORES, batch, opened_log, page_messages
from tests.support.waiting import TIMEOUT_SECONDS, until
from tests.support.wire_client import STORED, ManualStream, history_texts, send_frames, send_request


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    return STORES[request.param](tmp_path)


async def collect(chat, query, found):
    async for page in history.read(chat, query):
        found += [text for *_, text in page_messages(page)]


async def drained(condition):
    """Wait until the condition holds; event loop and threads go on."""
    await asyncio.to_thread(until, condition)


async def test_followers_of_quiet_rooms_read_nothing_while_another_is_busy(url):
    async with opened_log(url) as log:
        reads, read = Counter(), log.read

        async def counted(rooms, *rest, **more):
            reads[tuple(rooms)] += 1
            return await read(rooms, *rest, **more)

        log.read = counted
        chat, rooms = Chat(log, Limits()), [(), ("busy",), ("busy", "quiet"), ("quiet",), ("never",), ("never", "nowhere")]
        found = {wanted: [] for wanted in rooms}
        tasks = [asyncio.create_task(collect(chat, Query(rooms=wanted, follow=True), found[wanted])) for wanted in rooms]
        for number in range(1, 51):
            await log.append(batch(f"{number}", number=number, room="busy"))
        await log.append(batch("at last", number=51, room="quiet"))
        busy = [f"{number}" for number in range(1, 51)]
        await drained(lambda: found[()] == [*busy, "at last"] and found["busy",] == busy and found["quiet",])
        await drained(lambda: found["busy", "quiet"] == [*busy, "at last"])
        assert (found["quiet",], found["never",], found["never", "nowhere"]) == (["at last"], [], [])
        # One read at the start, if messages were stored by then. Later messages come without a read.
        assert max(reads.values(), default=0) <= 1
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_page_stays_small_however_large_and_uneven_the_batches(url):
    even = ["x" * 1000] * 1000
    uneven = ["y" * 60_000] * 10 + ["z"] * 900
    last = ["w" * 900_000]  # a text is never split

    async with opened_log(url) as log:
        for number, run in ((1, even), (1001, uneven), (2001, last)):
            await log.append(batch(*run, number=number))
        for backwards in (False, True):
            after, end, found = 0, log.head, []
            while after < end:
                page = await log.read(Selection(), after, end, 1000, backwards)
                texts = [text for *_, text in page_messages(page)]
                assert len(texts) == 1 or sum(map(len, texts)) < 300_000
                found = texts + found if backwards else found + texts
                after, end = (after, page.position) if backwards else (page.position, end)
            assert found == even + uneven + last


def test_many_senders_get_every_receipt_and_many_followers_every_message(server, connect):
    channels = [connect(server) for _ in range(4)]
    stubs = [chat_pb2_grpc.ChatServiceStub(channels[i % 4]) for i in range(40)]
    request = [pb.GetMessagesRequest(rooms=[f"quiet {i}"], follow=True) for i in range(40)]
    followers = [stub.GetMessages(request[i], timeout=TIMEOUT_SECONDS) for i, stub in enumerate(stubs)]
    for follower in followers:
        assert next(follower).live
    senders = [ManualStream(stub).send(user=f"u{i}", room=f"busy {i % 5}") for i, stub in enumerate(stubs)]
    for _ in range(20):
        for sender in senders:
            sender.send("a", "b", "c")
    for sender in senders:
        receipts = sender.receipts(60)
        assert (sum(receipt.count for receipt in receipts), {receipt.status for receipt in receipts}) == (60, {STORED})
    for i, sender in enumerate(senders):
        sender.send(f"hello {i}", room=f"quiet {i}").close()
    for i, follower in enumerate(followers):
        assert [text for run in next(follower).runs for text in run.texts] == [f"hello {i}"]
        follower.cancel()


READERS, MEGABYTES = 40, 20


@pytest.mark.parametrize("kind", ["history", "received"])
def test_a_client_that_does_not_read_costs_less_than_a_megabyte_and_delays_no_other_client(server, connect, kind):
    channel = connect(server)
    stub = chat_pb2_grpc.ChatServiceStub(channel)
    run = send_request(*["x" * 1000] * 1000, user="ann", room="den")
    assert sum(receipt.count for receipt in send_frames(stub, *[run] * MEGABYTES)) == 1000 * MEGABYTES
    assert len(history_texts(stub)) == 1000 * MEGABYTES  # once, for the memory that any reading costs
    before, stalled = resident(server), []
    start = stub.GetStats(pb.GetStatsRequest()).log + ":0"
    for _ in range(READERS):
        if kind == "history":
            body, method = pb.GetMessagesRequest(follow=True), "GetMessages"
        else:
            body = pb.SendAndReceiveMessageRequest(user="bob", receive=pb.Receive(all_rooms=True, after=start))
            method = "SendAndReceiveMessage"
        wire = connect_socket(server)
        # Allow the server to send without limit, and do not read.
        allowed = frame_bytes(SETTINGS, body=pack(">HI", 4, 2**31 - 1)) + frame_bytes(
            WINDOW, body=pack(">I", 2**31 - 65_536)
        )
        called = header_block(path=f"/chatctl.v1.ChatService/{method}".encode())
        wire.sendall(
            PREFACE
            + allowed
            + frame_bytes(HEADERS, END_HEADERS, 1, called)
            + frame_bytes(DATA, 0, 1, message_bytes(body.SerializeToString()))
        )
        stalled.append(wire)
    with healthy_client(channel):
        assert len(history_texts(stub, rooms=["den"])) == 1000 * MEGABYTES
    assert resident(server) - before < READERS * 1_000_000
    server.stop()
    for wire in stalled:
        wire.close()


def resident(served):
    """Return the resident memory of a server in bytes."""
    return int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
