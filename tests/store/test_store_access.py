"""Who else can write to the files of a store: mounts, other users, and links that they could have planted."""

import asyncio
import os
import subprocess
import sys

import pytest

from chatctl.store import open_log
from chatctl.store.sqlite import file_access
from tests.support.logs import run_on_log, texts
from tests.support.small_disk import unshare_command
from tests.support.stores import filled_store, open_error, run_killed

SUFFIXES = ("", "-wal", "-shm", "-lock")
OPEN = "import asyncio, sys; from chatctl.store import open_log; asyncio.run(open_log(sys.argv[1]))"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


def open_shared(path):
    """Open a store that others can write to, as with --allow-shared-store."""

    async def open_and_close():
        await (await open_log(f"sqlite:{path}", allow_shared=True)).close()

    asyncio.run(open_and_close())


def give_away(monkeypatch, *paths):
    """Let the paths belong to another user."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, 4711, -1, follow_symlinks=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)


def whole_store(path):
    """A store with all the files that a killed server leaves."""
    filled_store(path)
    for suffix in SUFFIXES:
        path.with_name(f"chat.db{suffix}").touch(mode=0o600)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("missing", [False, True])
def test_a_file_that_is_mounted_alone_is_refused(tmp_path, suffix, missing):
    """Its write-ahead log and lock would be elsewhere: two servers in one file, or messages lost with a container."""
    path = tmp_path / "my store" / "chat.db"  # the table of mounts writes the blank as \040
    path.parent.mkdir()
    if not missing:
        whole_store(path)
    (tmp_path / "other").touch()
    path.with_name(f"chat.db{suffix}").touch()
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = [tmp_path / "other", path.with_name(f"chat.db{suffix}"), sys.executable, "-c", OPEN, f"sqlite:{path}"]
    done = subprocess.run(unshare_command(script, *command), capture_output=True, text=True)
    assert f"chat.db{suffix} is mounted alone, and the files beside it are not: mount the directory instead" in done.stderr
    assert not (tmp_path / "other").read_bytes()


def test_without_a_table_of_mounts_another_device_is_a_mount(path, monkeypatch):
    whole_store(path)
    monkeypatch.setattr(file_access, "MOUNT_TABLE", path / "missing")
    assert run_on_log(f"sqlite:{path}", texts)[0] == ["hello", "world"]
    status = path.stat()
    assert not file_access._is_mount(path, status, None)
    other_device = os.stat_result([*status[:2], status.st_dev + 1, *status[3:10]])
    assert file_access._is_mount(path, other_device, None)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_all_users_can_write_to_is_refused(path, suffix, caplog):
    whole_store(path).with_name(f"chat.db{suffix}").chmod(0o602)
    said = open_error(path)
    assert f"all users of this machine can write to chat.db{suffix}" in said
    assert "--allow-shared-store" in said
    open_shared(path)
    assert not caplog.records


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_another_user_is_refused(path, suffix, monkeypatch):
    whole_store(path)
    give_away(monkeypatch, path.with_name(f"chat.db{suffix}"))
    said = open_error(path)
    assert "belongs to another user" in said
    assert "--allow-shared-store" in said
    open_shared(path)


def test_a_directory_that_all_users_can_write_to_needs_the_sticky_bit(tmp_path):
    directory = tmp_path / "shared"
    directory.mkdir()
    directory.chmod(0o777)
    said = open_error(directory / "chat.db")
    assert f"all users of this machine can replace files in {directory}" in said
    assert "--allow-shared-store" in said
    assert not list(directory.iterdir())
    directory.chmod(0o1777)
    filled_store(directory / "chat.db")
    directory.chmod(0o777)
    open_shared(directory / "chat.db")


def test_a_group_that_can_write_is_warned_of(tmp_path, caplog):
    directory = tmp_path / "volume"
    directory.mkdir()
    directory.chmod(0o770)
    filled_store(directory / "chat.db")
    (warning,) = caplog.messages
    assert f"the group can write to {directory}:" in warning
    caplog.clear()
    (directory / "chat.db").chmod(0o660)
    run_on_log(f"sqlite:{directory}/chat.db", texts)
    (warning,) = caplog.messages
    assert f"the group can write to {directory}/chat.db and {directory}:" in warning


def test_a_directory_of_another_user_is_warned_of(tmp_path, monkeypatch, caplog):
    directory = tmp_path / "theirs"
    directory.mkdir()
    filled_store(directory / "chat.db")
    give_away(monkeypatch, directory)
    if os.geteuid() != 0:
        monkeypatch.setattr(file_access, "_check_file", lambda *_: None)
    run_on_log(f"sqlite:{directory}/chat.db", texts)
    assert caplog.messages == [f"{directory} belongs to another user, who can replace the store chat.db"]
    caplog.clear()
    open_shared(directory / "chat.db")
    assert caplog.messages == []


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-lock"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_link_beside_a_store_is_refused_and_not_followed(path, tmp_path, suffix, shared):
    filled_store(path)
    link = path.with_name(f"chat.db{suffix}")
    for precious in (tmp_path / "precious", tmp_path / "missing"):
        link.unlink(missing_ok=True)
        link.symlink_to(precious)
        (tmp_path / "precious").write_text("dear diary")
        with pytest.raises(Exception, match=f"chat.db{suffix} is a symbolic link"):
            asyncio.run(open_log(f"sqlite:{path}", allow_shared=shared))
        assert (tmp_path / "precious").read_text() == "dear diary"
        assert not (tmp_path / "missing").exists()
    link.unlink()
    link.hardlink_to(tmp_path / "precious")
    assert "hard link" in open_error(path)
    link.unlink()
    os.mkfifo(link)
    assert "not a regular file" in open_error(path)


@pytest.mark.parametrize("suffix", ["-new", "-new-journal"])
def test_a_link_beside_a_new_store_is_not_followed(path, tmp_path, suffix):
    precious = tmp_path / "precious"
    precious.write_text("dear diary")
    path.with_name(f"chat.db{suffix}").symlink_to(precious)
    filled_store(path)
    assert precious.read_text() == "dear diary"
    assert run_on_log(f"sqlite:{path}", texts)[0] == ["hello", "world"]
    assert not path.is_symlink()


def test_a_link_to_the_store_is_followed_if_it_is_ours(path, tmp_path, monkeypatch):
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    second.symlink_to("first.db")
    first.symlink_to(path.name)
    filled_store(second)
    assert path.is_file()
    give_away(monkeypatch, first)
    assert "first.db is a symbolic link of another user" in open_error(second)


def test_a_file_that_appears_while_sqlite_opens_the_store_is_refused_and_kept(path, monkeypatch):
    """Another user made the write-ahead log after the first check: its contents must not be moved into the store."""
    run_killed(path, "await log.append(batch('old'))")
    log = path.with_name("chat.db-wal")
    before, checked = path.read_bytes(), file_access.check_access
    calls = []

    def check_twice(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            log.chmod(0o666)
        return checked(*arguments)

    monkeypatch.setattr(file_access, "check_access", check_twice)
    assert "all users of this machine can write to chat.db-wal" in open_error(path)
    assert log.stat().st_size
    assert path.read_bytes() == before


def test_a_relative_path_without_a_working_directory_is_refused(tmp_path, monkeypatch):
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "the working directory does not exist: use an absolute path" in open_error("chat.db")


def test_two_slashes_in_front_of_a_path_are_one(path):
    filled_store(path)
    assert run_on_log(f"sqlite://{path}", texts)[0] == ["hello", "world"]


@pytest.mark.parametrize("kind", ["missing", "precious"])
def test_a_link_that_is_planted_after_the_checks_is_not_followed_for_the_lock(path, tmp_path, kind):
    (tmp_path / "precious").write_text("dear diary")
    path.with_name("chat.db-lock").symlink_to(tmp_path / kind)
    with pytest.raises(OSError, match="symbolic links"):
        file_access.acquire_lock(path, allow_shared=True)
    assert (tmp_path / "precious").read_text() == "dear diary"
    assert not (tmp_path / "missing").exists()
