"""The files that `chatctl send` writes: no input is lost in them, and no file of another is followed or emptied."""

import json
import os
import signal
import stat

import pytest

from tests.support.cli import CHATCTL, Process, run, unread
from tests.support.small_disk import unshare_command
from tests.support.waiting import until

OTHER_USER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
OPTIONS = ("--receipts", "--rejects", "--unconfirmed")


@pytest.fixture
def send(address, room):
    """Run `chatctl send` to a room that no other test knows."""
    return lambda *args, **more: run("send", "--room", room, *args, server=address, **more)


@pytest.fixture
def place(tmp_path):
    """Return the path of a file in an empty directory."""
    (tmp_path / "files").mkdir()
    return tmp_path / "files" / "file"


@pytest.fixture
def precious(tmp_path):
    """Return a file that must not change."""
    file = tmp_path / "precious"
    file.write_text("precious\n")
    yield file
    assert file.read_text() == "precious\n"


def mounted(place, script='; code=$?; cat "$(dirname "$1")"/*; exit $code', before=""):
    """Return a command that runs chatctl where the place is a file that is mounted on its own."""
    place.touch()
    host = place.parent.parent / "host"
    host.touch()
    mount = f'mount --bind {host} {place} && {before} shift && "$@" {script.replace("$1", str(place))}'
    return unshare_command(mount, "-", *CHATCTL)


# --- the only copy


@pytest.mark.parametrize(("option", "content"), [("--receipts", '"status":"stored"'), ("--rejects", "\udcff")])
def test_a_file_that_is_mounted_on_its_own_is_written_in_place(send, place, option, content):
    done = send(option, place, piped=b"a\n\xff\n", command=mounted(place))
    assert done.code == 1  # one record is rejected
    assert done.out.count(content) == 1
    assert os.listdir(place.parent) == ["file"]
    assert (place.parent.parent / "host").read_bytes().decode(errors="surrogateescape") == done.out


def test_unconfirmed_input_is_in_a_file_that_is_mounted_on_its_own(place, tmp_path):
    done = run("send", "--timeout", "0.2", "--unconfirmed", place, "hello", server=f"unix:{tmp_path}/none",
               command=mounted(place))  # fmt: skip
    assert done.code == 78
    assert [json.loads(line)["text"] for line in done.lines] == ["hello"]
    assert f"--resume {place}" in done.err


def test_a_part_file_that_cannot_be_moved_or_copied_is_kept_and_named(address, room, place):
    """A directory takes the place while the file is written, which no check at the start can find out."""
    process = Process("send", "--json", "--room", room, "--receipts", str(place), server=address)
    process.write("a\nb\n")
    until(lambda: len(process.out.lines) == 2)
    place.mkdir()
    done = process.close().wait()
    assert done.code == 1
    part = done.stderr_objects[-1]["error"].rpartition("what was written is in ")[2]
    assert f"cannot write {place}: Is a directory" in done.stderr_objects[-1]["error"]
    with open(part) as kept:
        assert kept.read() == done.out
    assert sorted(os.listdir(place.parent)) == ["file", os.path.basename(part)]


def test_a_full_disk_is_found_at_the_start(send, place):
    script = f'mount -t tmpfs -o size=16k none {place.parent} && cat /dev/zero > {place.parent}/filler; "$@"'
    done = send("--receipts", place, "hello", command=unshare_command(f"{script}", *CHATCTL))
    assert done.code == 2
    assert f"cannot write {place}: No space left on device" in done.err


@pytest.mark.parametrize("option", ["--receipts", "--rejects"])
def test_the_first_failing_write_is_told_while_the_input_goes_on(address, room, option):
    process = Process("send", "--room", room, option, "/dev/full", server=address)
    process.write(b"\xff\na\n")
    until(lambda: "cannot write /dev/full: No space left on device" in process.err.text)
    assert process.popen.poll() is None
    process.write("b\n")
    done = process.close().wait()
    assert done.code == 1
    assert "2 stored, 1 rejected" in done.err


# --- planted links and locks


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("suffix", [".part", ".chatctl-part", ".chatctl-lock"])
def test_a_link_beside_the_file_is_not_followed(send, place, precious, option, suffix):
    link = place.with_name(place.name + suffix)
    link.symlink_to(precious)
    done = send(option, place, "hello")
    assert done.code == (2 if suffix == ".chatctl-lock" else 0)
    if done.code:
        assert f"{link} is a link: delete it" in done.err
    assert os.readlink(link) == str(precious)


def test_a_lock_file_with_a_second_name_is_refused(send, place, precious):
    os.link(precious, f"{place}.chatctl-lock")
    done = send("--receipts", place, "hello")
    assert done.code == 2
    assert "is not a lock file: delete it" in done.err


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
def test_a_lock_that_is_not_a_file_is_refused(send, place, make):
    make(f"{place}.chatctl-lock")
    assert send("--receipts", place, "hello").code == 2
    assert not place.exists()


@needs_root
def test_a_lock_file_of_another_user_is_refused(send, place):
    lock = place.with_name("file.chatctl-lock")
    lock.touch()
    os.chown(lock, OTHER_USER, OTHER_USER)
    done = send("--receipts", place, "hello")
    assert done.code == 2
    assert "belongs to another user: delete it if no chatctl is running there" in done.err


@needs_root
@pytest.mark.parametrize("kind", ["the file", "its directory"])
def test_a_link_of_another_user_in_a_shared_directory_is_refused(send, place, precious, kind):
    place.parent.chmod(0o777)
    link, path = (place, place) if kind == "the file" else (place, place / precious.name)
    link.symlink_to(precious if kind == "the file" else precious.parent)
    os.chown(link, OTHER_USER, OTHER_USER, follow_symlinks=False)
    done = send("--unconfirmed", path, "hello")
    assert done.code == 2
    assert "belongs to another user" in done.err or "is not empty" in done.err


@needs_root
def test_a_file_of_another_user_in_a_shared_directory_is_refused(send, place):
    place.parent.chmod(0o1777)
    place.touch()
    os.chown(place, OTHER_USER, OTHER_USER)
    done = send("--rejects", place, "hello")
    assert done.code == 2
    assert "it belongs to another user, in a directory that all can write to" in done.err


# --- owner and mode


@pytest.mark.parametrize("option", OPTIONS)
def test_a_new_file_is_for_its_user_only(send, place, option):
    umask = os.umask(0)
    try:
        assert send(option, place, "hello").code == 0
    finally:
        os.umask(umask)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@needs_root
@pytest.mark.parametrize("option", OPTIONS)
def test_a_file_that_is_replaced_keeps_its_owner_and_mode(send, place, option):
    place.touch()
    place.chmod(0o640)
    os.chown(place, OTHER_USER, OTHER_USER)
    before = place.stat()
    assert send(option, place, "hello").code == 0
    after = place.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert after.st_ino != before.st_ino


# --- what is not overwritten


@pytest.mark.parametrize("content", ["my notes\n", "{}\n", '{"status":"stored"}\n', "\n", "\0" * 100_000])
def test_receipts_do_not_replace_another_file(send, place, content):
    place.write_text(content)
    done = send("--receipts", place, "hello")
    assert done.code == 2
    assert f"{place} is not a file of receipts, which may be replaced: use another file" in done.err
    assert place.read_text() == content


def test_receipts_replace_receipts(send, place):
    assert send("--receipts", place, piped="a\nb\n").code == 0
    assert send("--receipts", place, piped=b"c\n\xff\n").code == 1
    assert send("--receipts", place, "d").code == 0
    assert len(place.read_text().splitlines()) == 1


# --- pipes, devices, and a directory that is gone


def test_a_pipe_without_its_other_side_is_refused_before_anything_is_sent(address, place):
    os.mkfifo(place)
    for command, reason in (
        (("send", "--receipts", place, "hello"), "no process reads this pipe: start its reader first"),
        (("send", "--resume", place), "no process writes to this pipe: start its writer first"),
    ):
        done = run(*command, server=address)
        assert done.code == 2
        assert f"{place}: {reason}" in done.err


def test_a_pipe_that_is_not_read_does_not_hold_up_a_signal(address, room, place):
    os.mkfifo(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    process = Process("send", "--room", room, "--receipts", str(place), server=address)
    process.write("x\n" * 3000)
    until(lambda: unread(reader) >= os.sysconf("SC_PAGE_SIZE"))
    done = process.signal(signal.SIGTERM).wait()
    os.close(reader)
    assert done.code == 143
    assert "its reader has stalled" in done.err


@pytest.mark.parametrize(("path", "code"), [("/dev/zero", 2), ("/dev/null", 0)])
def test_a_device_is_not_read_without_end(address, path, code):
    done = run("send", "--resume", path, server=address)
    assert done.code == code
    assert ("line 1 of /dev/zero is too long for a record" in done.err) == (code == 2)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_working_directory_that_is_gone_is_told(send, place, option):
    script = f'mkdir {place} && cd {place} && rmdir {place} && exec "$@"'
    done = send(option, "file", "hello", command=["sh", "-c", script, "sh", *CHATCTL])
    assert done.code == 2
    assert "the working directory was deleted: use an absolute path" in done.err


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("before", [None, b""])
def test_a_file_that_appears_or_changes_during_the_run_is_not_replaced(address, room, place, option, before):
    if before is not None:
        place.write_bytes(before)
    process = Process("send", "--json", "--room", room, option, str(place), server=address)
    process.write(b"a\n\xff\n" * 300)
    until(lambda: len(process.out.lines) >= 300)
    place.write_text("precious\n")
    done = process.close().wait()
    assert done.code == 1
    assert place.read_text() == "precious\n"
    assert "another process has written this file meanwhile" in done.stderr_objects[-1]["error"]
    if option != "--unconfirmed":
        kept = done.stderr_objects[-1]["error"].rpartition("what was written is in ")[2]
        assert os.path.getsize(kept)


def test_a_second_signal_says_which_files_are_not_written(start_server, place):
    server = start_server()
    process = Process("send", "--unconfirmed", str(place), server=server.address)
    process.write("a\n")
    until(lambda: run("stats", "--json", server=server.address).objects[0]["num_messages"] == 1)
    server.process.send_signal(signal.SIGSTOP)
    try:
        process.write("b\nc\n")
        until(lambda: not unread(process.popen.stdin))
        process.signal(signal.SIGTERM)
        until(lambda: process.popen.poll() is not None or not process.signal(signal.SIGTERM))
        done = process.wait()
        assert done.code == 143
        assert f"ended at once: not written: {place}" in done.err
    finally:
        server.process.send_signal(signal.SIGCONT)
