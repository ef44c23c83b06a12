"""The cursor file: it survives power cuts, mounts and hostile neighbours."""

import os
import stat
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import typer

from chatctl.cli.history import cursor_file
from chatctl.cli.history.cursor_file import CursorFile
from chatctl.errors import IncompatibleServer
from tests.support.cli import CHATCTL, run
from tests.support.small_disk import unshare_command

OTHER_USER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")


@pytest.fixture
def place(tmp_path):
    """Return a path in an empty directory."""
    (tmp_path / "reader").mkdir()
    return tmp_path / "reader" / "cursor"


@pytest.fixture
def precious(tmp_path):
    """Return a file that must not change."""
    file = tmp_path / "precious"
    file.write_text("precious\n")
    yield file
    assert file.read_text() == "precious\n"


@pytest.fixture
def clock(monkeypatch):
    """Return the time, which stands still until a test sets `now`."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(cursor_file, "time", clock)
    return clock


@pytest.fixture
def synced(monkeypatch):
    """Return the contents that were synced to disk, in order."""
    contents = []

    def fsync(descriptor, fsync=os.fsync):
        fsync(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            with open(f"/proc/self/fd/{descriptor}") as file:
                contents.append(file.read())

    monkeypatch.setattr(os, "fsync", fsync)
    return contents


def refused(path, *args):
    """Return the error for a path."""
    with pytest.raises(typer.BadParameter) as refusal:
        CursorFile(str(path), *args)
    return refusal.value.message


# --- power cuts


def test_one_save_in_a_second_is_synced_before_it_is_moved_into_place(place, clock, synced):
    with closing(CursorFile(str(place))) as file:
        for second in range(3):
            for number in range(1, 6):
                file.save(f"log:{10 * second + number}")
            clock.now += 1.1
        assert synced == ["log:1\n", "log:11\n", "log:21\n"]
    assert synced[-1] == "log:25\n"
    assert os.listdir(place.parent) == ["cursor"]


def test_what_a_power_cut_empties_has_a_synced_content_beside_it(place, clock, synced):
    """After a power cut any content that was not synced may be missing, under each name."""
    with closing(CursorFile(str(place), "ab")) as file:
        for number in range(1, 30):
            file.save(f"log:{number}")
            kept = [path.read_text() for path in place.parent.iterdir() if not path.name.endswith("-lock")]
            assert set(kept) & set(synced), number
            clock.now += 0.3


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"\0" * 6, "does not hold a cursor")])
def test_after_a_power_cut_it_continues_after_the_synced_cursor(place, clock, content, words):
    file = CursorFile(str(place), "ab")
    file.save("log:1")
    file.save("log:2")
    beside = {path: path.read_bytes() for path in place.parent.iterdir() if path != place}
    file.close()
    for path, kept in beside.items():  # the power cut: what follows was not written to the disk
        path.write_bytes(kept)
    place.write_bytes(content)
    with closing(CursorFile(str(place), "ab")) as file:
        assert file.cursor == "log:1"
        assert f"{place} {words}, as after a power cut: continuing after the cursor before it" in file.notice
        file.save("log:3")
    assert place.read_text() == "log:3\nfilter ab\n"
    assert os.listdir(place.parent) == ["cursor"]


def test_a_file_that_the_user_deleted_starts_over(place, clock):
    file = CursorFile(str(place))
    file.save("log:1")
    file.save("log:2")
    beside = {path: path.read_bytes() for path in place.parent.iterdir() if path != place}
    file.close()
    for path, kept in beside.items():
        path.write_bytes(kept)
    place.unlink()
    with closing(CursorFile(str(place))) as file:
        assert (file.cursor, file.notice) == ("", "")
    assert os.listdir(place.parent) == []


def test_the_synced_cursor_is_not_used_with_another_filter(place, clock):
    place.touch()
    place.with_name("cursor.chatctl-synced").write_text("log:1\nfilter ab\n")
    assert "was written with other filters" in refused(place, "cd")
    assert "was written with other filters" in refused(place)


# --- what a server sends


@pytest.mark.parametrize(
    "text",
    ["", "ssh-rsa AAAA attacker", "log:5\nlog:6", "log:5\x1b[2J", "log:-1", "l:g:5", "x" * 600 + ":5", "lög:5", " log:5"],
)
def test_only_a_cursor_is_saved(place, text):
    place.write_text("log:5\n")
    with closing(CursorFile(str(place))) as file, pytest.raises(IncompatibleServer, match="sent an invalid cursor"):
        file.save(text)
    assert place.read_text() == "log:5\n"


# --- mounts, and directories that cannot be written


def test_a_file_that_is_mounted_on_its_own_is_written_in_place(place, tmp_path, address, room, send):
    host = tmp_path / "host"
    for path in (place, host):
        path.write_text("")
    send("a", "b")
    first = run("history", "--room", room, "--json", server=address).objects[0]["cursor"]
    host.write_text(f"{first}\n")
    command = unshare_command(f'mount --bind {host} {place} && "$@" && cat {place}', *CHATCTL)
    done = run("history", "--room", room, "--cursor-file", place, "-o", "text", server=address, command=command)
    assert done.code == 0, done.err
    assert done.lines[0] == "b"
    assert host.read_text().startswith(first.partition(":")[0])
    assert host.read_text() != f"{first}\n"
    assert os.listdir(place.parent) == ["cursor"]


def test_a_working_directory_that_is_gone_is_told(place):
    script = f'mkdir {place} && cd {place} && rmdir {place} && exec "$@"'
    done = run("history", "--cursor-file", "cursor", command=["sh", "-c", script, "sh", *CHATCTL])
    assert done.code == 2
    assert "the working directory was deleted: use an absolute path" in done.err


# --- planted links and locks


def test_a_link_in_the_place_of_the_lock_is_not_followed(place, precious):
    place.with_name("cursor.chatctl-lock").symlink_to(precious)
    assert "cursor.chatctl-lock is a link: delete it" in refused(place)


@pytest.mark.parametrize("suffix", ["part", "synced"])
def test_a_link_in_the_place_of_another_file_beside_it_is_removed(place, precious, clock, suffix):
    place.with_name(f"cursor.chatctl-{suffix}").symlink_to(precious)
    with closing(CursorFile(str(place))) as file:
        for number in range(1, 4):
            file.save(f"log:{number}")
    assert place.read_text() == "log:3\n"
    assert os.listdir(place.parent) == ["cursor"]


def test_a_planted_link_is_not_read_after_a_power_cut(place, tmp_path):
    place.touch()
    other = tmp_path / "other"
    other.write_text("log:99\n")
    place.with_name("cursor.chatctl-synced").symlink_to(other)
    assert "cannot read or write" in refused(place) or "is empty" in refused(place)


@needs_root
def test_a_lock_that_another_user_holds_is_not_passed_by():
    """The reader may write the cursor file, but not open its lock."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        place = Path(directory, "cursor")
        place.write_text("log:5\n")
        place.chmod(0o666)
        source = f"""
import os, sys, typer
from chatctl.cli.history.cursor_file import CursorFile
os.setuid({OTHER_USER})
try:
    CursorFile(sys.argv[1])
except typer.BadParameter as refusal:
    print(refusal.message)
"""
        command = [sys.executable, "-c", source]
        with closing(CursorFile(str(place))):
            assert "Permission denied" in run(place, command=command).out
        assert run(place, command=command).out == ""  # without a lock file, the file itself is locked


@needs_root
def test_links_and_files_of_another_user_in_a_shared_directory_are_refused(place, precious):
    place.parent.chmod(0o777)
    place.symlink_to(precious)
    os.chown(place, OTHER_USER, OTHER_USER, follow_symlinks=False)
    assert "belongs to another user: use a path without it" in refused(place)
    place.unlink()
    place.write_text("log:5\n")
    os.chown(place, OTHER_USER, OTHER_USER)
    assert "it belongs to another user, in a directory that all can write to" in refused(place)


# --- owner and mode


def test_a_new_file_is_for_its_user_only(place):
    umask = os.umask(0)
    try:
        with closing(CursorFile(str(place))) as file:
            file.save("log:1")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@needs_root
def test_it_keeps_its_owner(place):
    place.write_text("log:1\n")
    place.chmod(0o640)
    os.chown(place, OTHER_USER, OTHER_USER)
    with closing(CursorFile(str(place))) as file:
        file.save("log:2")
    assert (place.stat().st_uid, place.stat().st_gid, stat.S_IMODE(place.stat().st_mode)) == (OTHER_USER, OTHER_USER, 0o640)


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_messages_that_a_closed_stdout_would_lose_are_not_done(place, address, room, send, json):
    send("one")
    command = ("sh", "-c", 'exec "$@" >&-', "sh", *CHATCTL)
    arguments = ("history", "--room", room, "--cursor-file", str(place), *json)
    done = run(*arguments, server=address, command=command)
    assert done.code == 2
    assert "stdout is closed, and no message would be read again" in done.err
    assert not place.exists()
    assert run(*arguments, "--exec", "true", server=address, command=command).code == 0  # needs no stdout
