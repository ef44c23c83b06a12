"""What a killed server leaves behind, and what is made of it: whole, synced, or without its end."""

import os
import shutil

import pytest
from logs import draft, on_log, records, texts
from stores import filled, killed, refusal

from chatctl.chat import Chat, Limits
from chatctl.errors import CursorBeyondHead
from chatctl.log import Status

TWENTY = """
for number in range(3, 23):
    await log.append(draft(f"text {number}", number=number))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def wal(path):
    return path.with_name("chat.db-wal")


def test_nothing_but_duplicates_writes_nothing(path, wal):
    """Neither to the disk nor a mark that something was: the totals stay as they are, and no sync is waited for."""

    async def again(log):
        before = wal.read_bytes() if wal.exists() else b""
        for part in (draft("hello", "world"), draft("world", number=2), draft("hello", "other")):
            assert records(await log.append(part))[0][1] is Status.DUPLICATE
        assert (wal.read_bytes() if wal.exists() else b"") == before

    async def mixed(log):
        await log.append(draft("new", number=3))
        assert wal.stat().st_size
        await again(log)

    filled(path)
    assert on_log(f"sqlite:{path}", again, mixed, texts)[2] == ["hello", "world", "new"]


def test_what_a_killed_server_wrote_is_synced_before_it_is_called_a_duplicate(path, wal, monkeypatch):
    """Killed between a write and its sync: the message can be read, and nothing of it may be on the disk."""
    filled(path)
    killed(path, TWENTY)
    assert wal.stat().st_size
    synced, fsync = [], os.fsync

    def watched(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", watched)
    on_log(f"sqlite:{path}", texts)
    assert synced == [str(wal), str(path.parent)]

    killed(path)
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    assert "Input/output error" in refusal(path)


@pytest.mark.parametrize("kept", [None, 0, 31, 0.3, 0.7, 0.99])
def test_a_log_that_lost_its_end_goes_on_from_what_is_left_and_refuses_cursors_beyond(path, wal, kept):
    filled(path)
    killed(path, TWENTY)
    if kept is None:
        wal.unlink()
        path.with_name("chat.db-shm").unlink()
    else:
        os.truncate(wal, int(wal.stat().st_size * kept) if isinstance(kept, float) else kept)

    async def step(log):
        left = await texts(log)
        everything = ["hello", "world"] + [f"text {number}" for number in range(3, 23)]
        assert 2 <= log.head < 22
        assert left == everything[: log.head]
        chat = Chat(log, Limits())
        assert chat.position(f"{log.id}:{log.head}") == log.head
        with pytest.raises(CursorBeyondHead, match="lost its end"):
            chat.position(f"{log.id}:22")
        known = log.head
        found = records(await log.append(draft(*everything)))
        assert [line[1] for line in found] == [Status.DUPLICATE] * known + [Status.STORED] * (22 - known)
        assert await texts(log) == everything

    assert on_log(f"sqlite:{path}", step) == [None]


def test_a_file_without_its_write_ahead_log_is_whole_up_to_the_last_checkpoint(path, tmp_path):
    """As somebody has it who copies the one file of a running server."""
    filled(path)
    killed(path, TWENTY + 'log._writer._checkpoint(); await log.append(draft("last", number=23))')
    copy = tmp_path / "copy" / "chat.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    whole, copied = on_log(f"sqlite:{path}", texts)[0], on_log(f"sqlite:{copy}", texts)[0]
    assert whole == [*copied, "last"]


def test_a_store_with_two_names_is_refused_until_one_is_gone(path):
    """Each name would have a lock and a write-ahead log of its own."""
    other = path.with_name("other.db")
    os.link(filled(path), other)
    for name in (path, other):
        assert "hard link" in refusal(name)
    other.unlink()
    assert on_log(f"sqlite:{path}", texts) == [["hello", "world"]]
