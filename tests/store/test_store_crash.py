"""The store after a server was killed: complete, synced, or without its end."""

import asyncio
import os
import shutil

import pytest

from chatctl.core.chat import Chat
from chatctl.errors import CursorBeyondHead
from chatctl.model.limits import Limits
from chatctl.model.records import ReceiptStatus
from tests.support.logs import batch, opened_log, receipt_rows, run_on_log, texts
from tests.support.stores import filled_store, open_error, run_killed

TWENTY = """
for number in range(3, 23):
    await log.append(batch(f"text {number}", number=number))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def wal(path):
    return path.with_name("chat.db-wal")


async def test_a_commit_of_duplicates_writes_nothing(path, wal):
    """The totals stay as they are, and no sync delays the receipts."""

    async def send_duplicates(log):
        before = wal.read_bytes() if wal.exists() else b""
        for part in (batch("hello", "world"), batch("world", number=2), batch("hello", "other")):
            assert receipt_rows(await log.append(part))[0][1] is ReceiptStatus.DUPLICATE
        assert (wal.read_bytes() if wal.exists() else b"") == before

    await asyncio.to_thread(filled_store, path)
    async with opened_log(f"sqlite:{path}") as log:
        await send_duplicates(log)
    async with opened_log(f"sqlite:{path}") as log:
        await log.append(batch("new", number=3))
        assert wal.stat().st_size
        await send_duplicates(log)
    async with opened_log(f"sqlite:{path}") as log:
        assert await texts(log) == ["hello", "world", "new"]


def test_records_of_a_killed_server_are_synced_before_they_are_duplicates(path, wal, monkeypatch):
    """The server was killed between write and sync: the message can be read, but may not be on the disk."""
    filled_store(path)
    run_killed(path, TWENTY)
    assert wal.stat().st_size
    synced, fsync = [], os.fsync

    def watched(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", watched)
    run_on_log(f"sqlite:{path}", texts)
    assert synced == [str(wal), str(path.parent)]

    run_killed(path)
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    assert "Input/output error" in open_error(path)


@pytest.mark.parametrize("kept", [None, 0, 31, 0.3, 0.7, 0.99])
async def test_a_log_that_lost_its_end_continues_and_rejects_later_cursors(path, wal, kept):
    await asyncio.to_thread(filled_store, path)
    run_killed(path, TWENTY)
    if kept is None:
        wal.unlink()
        path.with_name("chat.db-shm").unlink()
    else:
        os.truncate(wal, int(wal.stat().st_size * kept) if isinstance(kept, float) else kept)
    async with opened_log(f"sqlite:{path}") as log:
        left = await texts(log)
        everything = ["hello", "world"] + [f"text {number}" for number in range(3, 23)]
        assert 2 <= log.head < 22
        assert left == everything[: log.head]
        chat = Chat(log, Limits())
        assert chat.parse_cursor(f"{log.id}:{log.head}") == log.head
        with pytest.raises(CursorBeyondHead, match="lost its end"):
            chat.parse_cursor(f"{log.id}:22")
        known = log.head
        found = receipt_rows(await log.append(batch(*everything)))
        assert [line[1] for line in found] == [ReceiptStatus.DUPLICATE] * known + [ReceiptStatus.STORED] * (22 - known)
        assert await texts(log) == everything


def test_a_file_without_its_write_ahead_log_is_complete_up_to_the_last_checkpoint(path, tmp_path):
    """As in a copy of only the main file of a running server."""
    filled_store(path)
    run_killed(path, TWENTY + 'log._writer._checkpoint(); await log.append(batch("last", number=23))')
    copy = tmp_path / "copy" / "chat.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    whole, copied = run_on_log(f"sqlite:{path}", texts)[0], run_on_log(f"sqlite:{copy}", texts)[0]
    assert whole == [*copied, "last"]


def test_a_store_with_two_names_is_rejected_until_one_is_removed(path):
    """Each name would have its own lock and write-ahead log."""
    other = path.with_name("other.db")
    os.link(filled_store(path), other)
    for name in (path, other):
        assert "hard link" in open_error(name)
    other.unlink()
    assert run_on_log(f"sqlite:{path}", texts) == [["hello", "world"]]
