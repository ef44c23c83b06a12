"""The file of the SQLite log: what cannot be opened, what a crash leaves, and what a person reads in it."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest

from chatctl.errors import StoreOpenError
from chatctl.store import open_log
from tests.support.logs import batch, opened_log, run_on_log, texts
from tests.support.small_disk import mounted_tmpfs
from tests.support.stores import filled_store, open_error, run_killed


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def read_again(path):
    return run_on_log(f"sqlite:{path}", texts)[0]


def test_a_store_and_its_directories_are_created(tmp_path):
    path = tmp_path / "a" / "b c" / "chat.db"
    filled_store(path)
    assert read_again(path) == ["hello", "world"]


def test_an_unknown_kind_of_store_is_rejected():
    for url in ("redis://localhost", "chat.db", "sqlite:", ""):
        with pytest.raises(StoreOpenError, match="sqlite:PATH"):
            asyncio.run(open_log(url))


def test_a_directory_is_rejected(tmp_path):
    assert "directory" in open_error(tmp_path)


def test_a_special_file_is_rejected_and_unchanged(path):
    """`--store sqlite:/dev/null`, as root, must not replace the device."""
    os.mkfifo(path)
    assert "regular file" in open_error(path)
    assert path.is_fifo()


def test_a_store_is_private_unless_the_file_already_has_another_mode(path):
    filled_store(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shared = path.with_name("shared.db")
    shared.touch()
    shared.chmod(0o640)
    filled_store(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o640


def test_a_path_that_cannot_be_a_file_is_rejected(path):
    path.write_bytes(b"")
    assert "cannot open" in open_error(path / "chat.db")


@pytest.mark.parametrize("junk", [b"x", b"this is my diary\n" * 100, os.urandom(10_000), b"SQLite format 3\0"], ids=len)
def test_a_file_that_is_not_a_store_is_rejected_and_unchanged(path, junk):
    path.write_bytes(junk)
    assert "not a store of chatctl" in open_error(path)
    assert path.read_bytes() == junk


def test_the_sqlite_file_of_another_program_is_rejected_and_unchanged(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE message (text)")
    before = path.read_bytes()
    assert "another program" in open_error(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_rejected(path):
    with closing(sqlite3.connect(filled_store(path))) as db:
        db.execute("PRAGMA user_version = 99")
    assert "99" in open_error(path)


def test_a_truncated_file_is_rejected(path):
    size = filled_store(path, 2).stat().st_size
    for part in (size // 2, size - 4096, 20_000, 200):
        os.truncate(path, part)
        assert "damaged" in open_error(path)


def test_a_file_with_another_header_is_rejected(path):
    overwrite(filled_store(path), 0, os.urandom(100))
    assert "not a store of chatctl" in open_error(path)


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_file_with_a_damaged_page_is_rejected(path, part):
    page = 16 * 1024
    size = filled_store(path, 2).stat().st_size
    overwrite(path, int(size * part) // page * page, os.urandom(page))
    assert "damaged" in open_error(path)
    assert "copy" in open_error(path)


def test_a_read_only_store_is_rejected(path, tmp_path):
    # A user who may mount is not bound by permissions; other users cannot mount.
    if os.geteuid():
        filled_store(path).chmod(0o400)
        assert "writable" in open_error(path)
        return
    with mounted_tmpfs(tmp_path / "disk", "size=4m") as disk:
        filled_store(disk / "chat.db")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        open_error(disk / "chat.db")
        open_error(disk / "another.db")


def test_a_store_in_use_is_rejected_until_the_other_process_ends(path):
    program = (
        "import asyncio, sys; from chatctl.store import open_log\n"
        "async def hold():\n"
        "    await open_log(sys.argv[1]); print('open', flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(hold())"
    )
    with subprocess.Popen([sys.executable, "-c", program, f"sqlite:{path}"], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "open\n"
            assert "another server uses it" in open_error(path)
            (link := path.with_name("link.db")).symlink_to(path)
            with pytest.raises(StoreOpenError, match="another server uses it"):
                asyncio.run(open_log(f"sqlite:{link}"))
        finally:
            holder.kill()  # right after the file was created
    filled_store(path)
    assert read_again(path) == ["hello", "world"]


async def test_two_logs_of_one_process_cannot_share_a_store(path):
    async with opened_log(f"sqlite:{path}"):
        with pytest.raises(StoreOpenError, match="another server uses it"):
            await open_log(f"sqlite:{path}")


def test_an_incomplete_file_left_by_a_crash_is_created_again(path):
    path.with_name("chat.db-new").write_bytes(b"half of a store")
    filled_store(path)
    assert read_again(path) == ["hello", "world"]


def test_the_write_ahead_log_of_a_deleted_store_is_not_replayed_or_deleted(path):
    """A killed server leaves its write-ahead log. SQLite would replay it into a new file of that name."""
    run_killed(path, "await log.append(batch('old'))")
    assert path.with_name("chat.db-wal").exists()
    path.unlink()
    for empty in (False, True):
        if empty:
            path.touch()
        assert "remove chat.db-wal" in open_error(path)
    path.with_name("chat.db-wal").unlink()
    filled_store(path)
    assert read_again(path) == ["hello", "world"]


async def test_a_person_with_sqlite3_reads_plain_rows(path):
    async with opened_log(f"sqlite:{path}") as log:
        await log.append(batch("one", "two", number=5))
        await log.append(batch("three", room="den", user="bob", input_id="other"))
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT sequence, room, user, text, sender, number FROM messages").fetchall()
        times = [time for (time,) in db.execute("SELECT time FROM messages")]
    assert rows == [
        (1, "lobby", "ann", "one", "input", 5),
        (2, "lobby", "ann", "two", "input", 6),
        (3, "den", "bob", "three", "other", 1),
    ]
    assert all(time.endswith("Z") and time[10] == "T" for time in times)
