"""Stores damaged while no server runs: they are rejected, or the server reports the loss and takes the input again."""

import os

import grpc
import pytest

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.faults.stores import LINES, MAIN_FILE_LINES, send, stored
from tests.support.cli import run
from tests.support.wire_client import ManualStream, call_error

OUT_OF_RANGE = (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_BEYOND_HEAD")
PAGE_BYTES = 8192


def overwrite(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize(("at", "size"), [(0, 100), (3 * PAGE_BYTES, PAGE_BYTES)], ids=["header", "page"])
def test_a_damaged_file_is_refused(start_server, killed, at, size):
    """The write-ahead log is whole. Once the bytes are restored, all messages are readable again."""
    store, _ = killed
    whole = store.read_bytes()[at : at + size]
    overwrite(store, at, os.urandom(size))
    files = [store, store.with_name(store.name + "-wal")]
    damaged = [path.read_bytes() for path in files]
    error = start_server.start_error("--listen", "127.0.0.1:0", "--store", f"sqlite:{store}")
    assert str(store) in error
    assert [path.read_bytes() for path in files] == damaged
    overwrite(store, at, whole)
    assert stored(start_server(store=store).address) == LINES


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_lost_tail_of_the_write_ahead_log_is_reported_to_clients_that_have_seen_it(start_server, connect, killed, kept):
    store, receipts = killed
    wal = store.with_name(store.name + "-wal")
    os.truncate(wal, int(wal.stat().st_size * kept))
    server = start_server(store=store)
    left = stored(server.address)
    assert left == LINES[: len(left)]
    assert MAIN_FILE_LINES <= len(left) < len(LINES)
    last, lost = receipts[len(left) - 1]["cursor"], receipts[-1]["cursor"]
    assert run("history", "--after", last, server=server.address).code == 0
    done = run("history", "--after", lost, server=server.address)
    assert (done.code, done.out) == (75, "")
    assert "lost its end" in done.err
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))
    assert call_error(stub.GetMessages(pb.GetMessagesRequest(after=lost, follow=True))) == OUT_OF_RANGE
    receive = pb.Receive(all_rooms=True, after=lost)
    assert call_error(ManualStream(stub).send(user="ann", input_id="talk", receive=receive).call) == OUT_OF_RANGE


def test_lost_messages_are_stored_again_by_sending_them_again(start_server, killed):
    store, receipts = killed
    store.with_name(store.name + "-wal").unlink()
    server = start_server(store=store)
    again = send(server.address, len(LINES))
    assert [receipt["status"] for receipt in again] == ["duplicate"] * MAIN_FILE_LINES + ["stored"] * (
        len(LINES) - MAIN_FILE_LINES
    )
    assert [receipt["sha256"] for receipt in again] == [receipt["sha256"] for receipt in receipts]
    assert stored(server.address) == LINES
