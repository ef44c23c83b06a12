"""The files that `chatctl send` writes: the receipts, and how all of them take their places."""

import json
import os
import signal
import stat

import pytest

from tests.support.cli import CHATCTL, Process, run, unread
from tests.support.small_disk import unshare_command
from tests.support.waiting import until

LONG = b"x" * 65_537
OLD = (
    '{"number":1,"room":"a","user":"b","input_id":"c","status":"stored","sequence":1,"time":"2026-01-01T00:00:00Z",'
    f'"cursor":"log:1","sha256":"{"0" * 64}"}}\n'
)
"""A receipt of an earlier run: another file is not replaced."""


@pytest.fixture
def send(address, room):
    """`chatctl send` to a room that no other test knows."""
    return lambda *args, **more: run("send", "--room", room, *args, server=address, **more)


@pytest.fixture
def files(tmp_path):
    """A directory with nothing else in it."""
    directory = tmp_path / "files"
    directory.mkdir()
    return directory


@pytest.fixture
def receipts(files):
    return files / "receipts"


@pytest.fixture
def rejects(files):
    return files / "rejects"


@pytest.fixture
def left(files):
    """What lies in that directory."""
    return lambda: os.listdir(files)


# --- receipts


@pytest.mark.parametrize("piped", [b"", b"a\nb\n", b"a\n\xff\n" + LONG + b"\nb\n" * 3000])
def test_the_receipts_are_those_of_json_byte_for_byte(send, receipts, piped, left):
    done = send("--json", "--receipts", receipts, piped=piped)
    assert receipts.read_text() == done.out
    named = ("--input-id", done.stderr_objects[-1]["summary"]["input_id"])
    again = send(*named, "--json", piped=piped)
    assert send(*named, "--receipts", receipts, piped=piped).out == ""
    assert receipts.read_text() == again.out
    assert left() == ["receipts"]


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, "the server"])
def test_the_receipts_are_there_however_it_ended(start_server, receipts, ended_by, left):
    server = start_server()
    process = Process("send", "--json", "--receipts", str(receipts), "--timeout", "1s", server=server.address)
    process.write("a\nb\n")
    until(lambda: len(process.out.lines) == 2)
    server.process.send_signal(signal.SIGSTOP)
    process.write("c\n")
    until(lambda: not unread(process.popen.stdin))
    assert not receipts.exists()
    if ended_by == "the server":
        server.kill()
        done = process.wait()
        assert done.code == 78
    else:
        done = process.signal(ended_by).wait()
        assert done.code == 128 + ended_by
    # With so short a timeout a server that is slow is asked again: then the receipts are those of duplicates.
    *confirmed, last = (receipt["status"] for receipt in done.objects)
    assert len(confirmed) == 2
    assert set(confirmed) <= {"stored", "duplicate"}
    assert last == "unconfirmed"
    assert receipts.read_text() == done.out
    assert left() == ["receipts"]


# --- how files take their places


def test_the_old_file_stays_whole_until_the_end_and_keeps_its_mode(address, room, receipts, left):
    receipts.write_text(OLD)
    receipts.chmod(0o604)
    process = Process("send", "--json", "--room", room, "--receipts", str(receipts), server=address)
    process.write("a\n" * 5000)
    until(lambda: len(process.out.lines) == 5000)
    assert receipts.read_text() == OLD
    done = process.close().wait()
    assert done.code == 0
    assert receipts.read_text() == done.out
    assert stat.S_IMODE(receipts.stat().st_mode) == 0o604
    assert left() == ["receipts"]


def test_a_part_file_that_was_deleted_is_not_named_as_the_copy(address, receipts, left):
    process = Process("send", "--json", "--receipts", str(receipts), server=address)
    process.write("a\n")
    until(lambda: process.out.lines)
    (part,) = (name for name in left() if name.endswith("-part"))
    (receipts.parent / part).unlink()
    done = process.close().wait()
    assert done.code == 1
    assert f"cannot write {receipts}: No such file" in done.err
    assert "what was written is in" not in done.err


def test_a_sender_that_is_killed_leaves_the_old_file_and_the_next_one_replaces_it(address, room, receipts, send, left):
    receipts.write_text(OLD)
    process = Process("send", "--json", "--room", room, "--receipts", str(receipts), server=address)
    process.write("a\n" * 5000)
    until(lambda: len(process.out.lines) == 5000)
    process.signal(signal.SIGKILL).wait()
    assert receipts.read_text() == OLD
    assert send("--receipts", receipts, "new").code == 0
    assert len(receipts.read_text().splitlines()) == 1
    part, whole = sorted(left(), key=len, reverse=True)
    assert (part.startswith("receipts."), part.endswith(".chatctl-part"), whole) == (True, True, "receipts")
    assert len((receipts.parent / part).read_text().splitlines()) == 5000  # the only copy is not deleted


@pytest.mark.parametrize("target", ["there", "not there"])
def test_a_link_stays_and_what_it_leads_to_is_replaced(send, tmp_path, target):
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    if target == "there":
        real.write_text(OLD)
    link.symlink_to("elsewhere/real")
    assert send("--receipts", link, "hello").code == 0
    assert link.is_symlink()
    assert len(real.read_text().splitlines()) == 1
    assert os.listdir(real.parent) == ["real"]


def test_a_pipe_gets_what_a_file_would(send, rejects, receipts):
    script = f'"$@" --rejects >(cat > {rejects}) --receipts >(cat > {receipts})'
    done = send("--json", piped=b"a\n\xff\nb\n", command=["bash", "-c", script, "bash", *CHATCTL])
    assert done.code == 1
    until(lambda: receipts.exists() and receipts.read_text() == done.out)
    until(lambda: rejects.read_bytes() == b"\xff\n")


def test_what_nobody_wants_goes_to_dev_null(send):
    with open("/dev/null", "rb") as null:  # as of a job that cron runs
        done = send("--receipts", "/dev/null", "hello", stdin=null)
    assert done.code == 0
    assert send("--rejects", "/dev/null", piped=b"\xff\n").code == 1
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_an_empty_variable_is_no_file(send):
    assert send("hello", env={"CHATCTL_RECEIPTS": ""}).code == 0


@pytest.mark.parametrize(
    ("option", "path", "words"),
    [
        ("--receipts", "{dir}", "directory"),
        ("--rejects", "{dir}/no/where", "No such file"),
        ("--unconfirmed", "{dir}/file/under", "Not a directory"),
        ("--receipts", "", "directory"),
        ("--rejects", "{dir}/" + "x" * 300, "too long"),
    ],
)
def test_a_path_that_is_no_file_is_refused_before_anything_is_sent(send, files, option, path, words):
    (files / "file").touch()
    other = "--rejects" if option == "--receipts" else "--receipts"
    done = send(option, path.format(dir=files), "hello", other, files / "good")
    assert done.code == 2
    assert option in done.err
    assert words in done.err
    assert os.listdir(files) == ["file"]


def test_a_directory_that_cannot_be_written_is_refused(send, tmp_path):
    done = send("--receipts", "/proc/receipts", "hello")
    assert done.code == 2
    assert "/proc/receipts" in done.err


def test_stdin_is_no_file_to_write(send, receipts, left):
    receipts.write_text("precious\n")
    for option in ("--receipts", "--rejects", "--unconfirmed"):
        with open(receipts, "rb") as file:
            done = send(option, receipts, stdin=file)
        assert done.code == 2
        assert "stdin" in done.err
    assert receipts.read_text() == "precious\n"
    assert left() == ["receipts"]


@pytest.mark.parametrize("other", ["receipts", "./receipts", "link"])
def test_each_file_is_one_of_its_own(send, files, other):
    (files / "link").symlink_to("receipts")
    done = send("--receipts", files / "receipts", "--rejects", f"{files}/{other}", "hello")
    assert done.code == 2
    assert "another option" in done.err
    assert os.listdir(files) == ["link"]


def test_two_runs_at_once_do_not_write_one_file(address, room, receipts, send):
    process = Process("send", "--json", "--room", room, "--receipts", str(receipts), server=address)
    process.write("a\n")
    until(lambda: len(process.out.lines) == 1)
    done = send("--receipts", receipts, "late")
    assert done.code == 2
    assert "another" in done.err
    assert process.close().wait().code == 0
    assert len(receipts.read_text().splitlines()) == 1
    assert send("--receipts", receipts, "late").code == 0


def test_a_name_that_the_server_refuses_leaves_no_files(start_server, receipts, left):
    server = start_server("--name-bytes", "20")
    done = run("send", "--room", "r" * 30, "--receipts", receipts, "hello", server=server.address)
    assert done.code == 2
    assert left() == []


@pytest.mark.parametrize("option", ["--receipts", "--rejects", "--unconfirmed"])
def test_a_full_disk_under_a_file_is_told_and_everything_is_sent(address, room, option):
    done = run("send", "--room", room, option, "/dev/full", piped=b"\xff\n" + b"a\n" * 5000, server=address)
    assert "5,000 stored" in done.err
    wrong = option != "--unconfirmed"  # of which there are none
    assert ("/dev/full" in done.err and "space" in done.err) == wrong
    assert done.code == 1


def test_a_full_disk_leaves_the_old_file_whole(address, room, tmp_path):
    """The disk is one that only the command sees."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=256k none {disk} && echo '{OLD.strip()}' > {disk}/receipts && "
        f'"$@" --receipts {disk}/receipts; code=$?; cat {disk}/receipts {disk}/receipts.*; exit $code'
    )
    command = unshare_command(script, *CHATCTL)
    done = run("send", "--room", room, piped=b"a\n" * 5000, server=address, command=command)
    old, *kept = done.lines
    assert done.code == 1
    assert "5,000 stored" in done.err
    assert f"{old}\n" == OLD
    # The error names the file that holds the receipts that fitted, and each of them is whole.
    assert f"cannot write {disk}/receipts: No space left on device: what was written is in {disk}/receipts." in done.err
    assert [json.loads(line)["number"] for line in kept] == list(range(1, len(kept) + 1))
