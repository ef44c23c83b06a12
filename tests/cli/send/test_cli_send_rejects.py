"""`chatctl send --rejects FILE`: the input that is known not to be stored, byte for byte and in its order."""

import errno
import os
import subprocess
import sys
import tempfile

import pytest
import typer

from chatctl.cli.streams.files import OutputFile
from chatctl.cli.streams.rejects import RejectsFile
from tests.support.cli import MEASURED, run

LONG = b"x" * 65_537


@pytest.fixture
def send(address, room):
    """`chatctl send` to a room that no other test knows."""
    return lambda *args, **more: run("send", "--room", room, *args, server=address, **more)


@pytest.fixture
def rejects(tmp_path):
    return tmp_path / "rejects"


@pytest.mark.parametrize(
    ("split", "piped", "rejected"),
    [
        ("line", b"a\n\xff\xfe\nb\n", b"\xff\xfe\n"),
        ("line", b"a\r\n\xff\r\nb\r\n", b"\xff\r\n"),
        ("line", LONG + b"\nshort\n\xff", LONG + b"\n\xff"),
        ("line", b"ok\n" + LONG, LONG),
        ("line", b"ok\n" + LONG + b"\n" + LONG + b"\r\n\n", LONG + b"\n" + LONG + b"\r\n"),
        ("null", b"a\n\xff\0b\0" + LONG + b"\0c", b"a\n\xff\0" + LONG + b"\0"),
        ("null", b"a\0\n\xff\n", b"\n\xff\n"),
        ("none", b"a\n\xff\n", b"a\n\xff\n"),
        ("none", LONG + b"\n" + LONG, LONG + b"\n" + LONG),
        ("line", b"nothing wrong\n", b""),
    ],
)
def test_rejects_are_the_input_that_is_not_stored_byte_for_byte(send, rejects, split, piped, rejected):
    done = send("--split", split, "--rejects", rejects, piped=piped)
    assert done.code == bool(rejected)
    assert rejects.read_bytes() == rejected
    assert [path.name for path in rejects.parent.iterdir()] == ["rejects"]


@pytest.mark.parametrize(
    ("last", "split", "end"),
    [
        ("with its end", "line", b"\n"),
        ("without", "null", b"\0"),
        ("not utf-8", "null", b"\0"),
        ("not utf-8, without", "line", b"\n"),
    ],
)
def test_what_the_server_rejects_stands_in_the_order_of_the_input(send, room, rejects, split, end, last):
    texts = [f"{n} \r\u2028😀".encode() for n in range(900)]
    assert send("--split", split, "--input-id", room, piped=end.join(texts) + end).code == 0
    for n in range(0, 900, 3):
        texts[n] = b"\xff" + texts[n] if n % 2 else b"other " + texts[n]  # not UTF-8, or a conflict
    if last.startswith("not"):
        texts[-1] = b"\xfe"
    else:
        texts[-1] += b"?"
    tail = b"" if "without" in last else end
    done = send("--split", split, "--input-id", room, "--rejects", rejects, piped=end.join(texts) + tail)
    assert done.code == 1
    assert rejects.read_bytes() == end.join([*texts[0:899:3], texts[-1]]) + tail


def test_a_text_of_the_command_line_is_rejected_as_it_was_written(send, room, rejects):
    assert send("--rejects", rejects, b"caf\xe9", "and more").code == 1
    assert rejects.read_bytes() == b"caf\xe9 and more"
    assert send("--input-id", room, "one").code == 0
    assert send("--input-id", room, "--rejects", rejects, "another").code == 1
    assert rejects.read_bytes() == b"another"


UNREADABLE_SPOOL = """
import errno, os, sys
def pread(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))
os.pread = pread
sys.argv[0] = "chatctl"
from chatctl.__main__ import main
main()
"""


def test_an_error_of_the_spool_names_the_file_and_ends_nothing(send, room, address, rejects):
    command = [sys.executable, "-c", UNREADABLE_SPOOL]
    done = send("--json", "--rejects", rejects, piped=b"a\n\xff\nb\n", command=command)
    assert done.code == 1
    assert [receipt["status"] for receipt in done.objects] == ["stored", "rejected", "stored"]
    end = done.stderr_objects[-1]
    assert (end["error"], end["reason"]) == (f"cannot write {rejects}: Input/output error", "OUTPUT")
    assert list(rejects.parent.iterdir()) == []


def test_a_spool_that_cannot_be_made_is_a_usage_error(monkeypatch, rejects):
    def refuse(**_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(typer.BadParameter, match=f"{rejects}: Too many open files") as refused:
        RejectsFile(OutputFile("--rejects", str(rejects)), b"\n")
    assert "--rejects" in refused.value.param_hint


HUGE = """
import sys
for letter in b"a", b"b":
    for _ in range(200):
        sys.stdout.buffer.write(letter * (1 << 19))
    sys.stdout.buffer.write(b"\\nfine\\n")
"""


def test_lines_of_a_hundred_megabytes_are_rejected_into_the_file_and_never_held(send, rejects):
    with subprocess.Popen([sys.executable, "-c", HUGE], stdout=subprocess.PIPE) as producer:
        done = send("--rejects", rejects, stdin=producer.stdout, command=[sys.executable, "-c", MEASURED])
    assert done.code == 1
    assert int(done.out) < 150_000  # KiB
    size = 200 << 19
    assert rejects.stat().st_size == 2 * (size + 1)
    with open(rejects, "rb") as file:
        for letter in (b"a", b"b"):
            assert all(file.read(1 << 19) == letter * (1 << 19) for _ in range(200))
            assert file.read(1) == b"\n"
