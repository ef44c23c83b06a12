"""A write that fails: half a line is cut off, and nothing that another process has appended."""

import errno
import os

import pytest

from chatctl.cli.streams.written_tail import WrittenTail
from tests.support.cli import CHATCTL, run
from tests.support.small_disk import unshare_command


@pytest.fixture(params=["append", "truncate"])
def shared(request, tmp_path):
    """Return a function that writes like a process of its own, and a file that this process has opened: `>>` or `>`."""
    path = tmp_path / "log"
    flags = os.O_APPEND if request.param == "append" else os.O_TRUNC
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    os.write(descriptor, b"before\n")

    def append(data):
        with open(path, "ab") as other:
            other.write(data)

    yield path, descriptor, append
    os.close(descriptor)


@pytest.fixture
def fails_after(monkeypatch):
    """Let writes of some bytes succeed, with what happens after each, and then fail as on a full disk."""

    def fails_after(*steps):
        remaining = list(steps)

        def write(descriptor, data, write=os.write):
            if not remaining:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            size, then = remaining.pop(0)
            count = write(descriptor, data[:size])
            then()
            return count

        monkeypatch.setattr(os, "write", write)

    return fails_after


def fail(descriptor, data, **options):
    with pytest.raises(OSError, match="No space"):
        WrittenTail(descriptor).write_all(data, **options)


def test_what_was_written_is_cut_off(shared, fails_after):
    path, descriptor, _ = shared
    fails_after((3, bool), (4, bool))
    fail(descriptor, b"one\ntwo\nthree\n")
    assert path.read_bytes() == b"before\n"


def test_whole_lines_are_kept_if_that_is_wanted(shared, fails_after):
    path, descriptor, _ = shared
    fails_after((3, bool), (6, bool))
    fail(descriptor, b"one\ntwo\nthree\n", keep_whole_lines=True)
    assert path.read_bytes() == b"before\none\ntwo\n"


def test_lines_that_another_process_appended_after_it_stay(shared, fails_after):
    path, descriptor, append = shared
    fails_after((5, lambda: append(b"other\n")))
    fail(descriptor, b"one\ntwo\n")
    assert path.read_bytes() == b"before\none\ntother\n"


def test_lines_that_another_process_appended_before_it_stay(tmp_path, fails_after):
    path = tmp_path / "log"
    with open(path, "ab", buffering=0) as ours, open(path, "ab", buffering=0) as other:
        fails_after((4, lambda: other.write(b"other\n")), (2, bool))
        fail(ours.fileno(), b"one\ntwo\n")
    assert path.read_bytes() == b"one\nother\n"


def test_the_next_write_leaves_no_hole(shared, fails_after, monkeypatch):
    path, descriptor, _ = shared
    fails_after((5, bool))
    fail(descriptor, b"one\ntwo\n")
    monkeypatch.undo()
    os.write(descriptor, b"after\n")
    assert path.read_bytes() == b"before\nafter\n"


def test_a_failure_before_the_first_byte_changes_nothing(shared, fails_after):
    path, descriptor, append = shared
    append(b"other\n")
    fails_after()
    fail(descriptor, b"one\n")
    assert path.read_bytes() == b"before\nother\n"


@pytest.mark.parametrize("command", [("history", "--json"), ("send", "--json")])
def test_a_full_disk_leaves_whole_lines_in_a_log_that_others_append_to(address, room, send, tmp_path, command):
    disk = tmp_path / "disk"
    disk.mkdir()
    send(*(f"{number:05}" for number in range(1, 201)))
    script = f'mount -t tmpfs -o size=16k none {disk} && echo other > {disk}/log; "$@" >> {disk}/log; cat {disk}/log'
    piped = "text\n" * 400 if command[0] == "send" else ""
    done = run(*command, "--room", room, server=address, piped=piped, command=unshare_command(script, *CHATCTL))
    assert "No space left on device" in done.err
    assert done.lines[0] == "other"
    assert done.out.endswith("\n")
    assert all(line.endswith("}") for line in done.lines[1:])
