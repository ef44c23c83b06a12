"""What is left in the input when `chatctl send` ends early is kept in the file of --unconfirmed."""

import json
import signal
import subprocess
import sys

import pytest

from tests.support.cli import MEASURED, Process, clean_environment, run, texts
from tests.support.waiting import TIMEOUT_SECONDS, until

LINES = b"one\ntwo\nthree\nfour\nfive"
ADVICE = "chatctl: what is still in stdin may be lost: use --unconfirmed FILE to keep such input"


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "kept"


@pytest.fixture
def no_server(tmp_path):
    return f"unix:{tmp_path}/none"


def records(kept):
    return [(record["number"], record["text"]) for record in map(json.loads, kept.read_text().splitlines())]


@pytest.mark.parametrize("is_file", [False, True])
def test_input_is_kept_if_no_server_was_reached_and_is_sent_later(is_file, kept, no_server, address, room, tmp_path):
    arguments = ("send", "--room", room, "--timeout", "0.3s", "--unconfirmed", kept)
    if is_file:
        (tmp_path / "input").write_bytes(LINES)
        with open(tmp_path / "input", "rb") as file:
            done = run(*arguments, stdin=file, server=no_server)
    else:
        done = run(*arguments, piped=LINES, server=no_server)
    assert done.code == 78
    assert records(kept) == list(enumerate(LINES.decode().split("\n"), 1))
    assert "0 stored, 5 unconfirmed" in done.err
    assert f"`chatctl send --resume {kept} --unconfirmed {kept}" in done.err
    assert "reading stopped" not in done.err
    assert ("send the same input again" in done.err) == is_file
    assert run("send", "--resume", kept, "--unconfirmed", kept, server=address).code == 0
    assert texts(room, address) == LINES.decode().split("\n")


def test_json_has_a_receipt_for_each_record_that_was_kept_or_rejected(kept, no_server, tmp_path):
    rejects = tmp_path / "rejects"
    arguments = ("send", "--json", "--timeout", "0.3s", "--unconfirmed", kept, "--rejects", rejects)
    done = run(*arguments, piped=b"one\n\xff\nthree\n", server=no_server)
    assert [(receipt["number"], receipt["status"]) for receipt in done.objects] == [
        (1, "unconfirmed"),
        (2, "rejected"),
        (3, "unconfirmed"),
    ]
    assert records(kept) == [(1, "one"), (3, "three")]
    assert rejects.read_bytes() == b"\xff\n"
    assert done.stderr_objects[-1]["summary"]["stopped"] is None


def test_the_whole_input_is_kept_as_one_record(kept, no_server):
    run("send", "--split", "none", "--timeout", "0.3s", "--unconfirmed", kept, piped=LINES, server=no_server)
    assert records(kept) == [(1, LINES.decode())]


def test_a_writer_that_lives_on_is_not_waited_for_and_that_is_said(kept, no_server):
    process = Process("send", "--timeout", "0.3s", "--unconfirmed", str(kept), server=no_server)
    process.write("one\ntwo\nhal")
    done = process.wait()
    assert done.code == 78
    assert records(kept) == [(1, "one"), (2, "two")]
    stopped = "reading stopped after record 2, at byte 8 of the input, which had not ended; 3 bytes of the next record"
    assert stopped in done.err
    assert done.err.splitlines()[-1] == "chatctl: the 3 bytes of the next record, which is not whole, may be lost"


def test_without_a_file_it_says_that_the_input_may_be_lost(no_server):
    done = run("send", "--timeout", "0.3s", piped=LINES, server=no_server)
    assert done.code == 78
    assert ADVICE in done.err.splitlines()
    assert "again" not in done.err.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_is_in_the_pipe_also_of_a_writer_without_end(number, kept, no_server):
    writer = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    process = Process("send", "--timeout", "0", "--unconfirmed", str(kept), stdin=writer.stdout, server=no_server)
    writer.stdout.close()
    until(lambda: "trying again" in process.err.text)
    done = process.signal(number).wait()
    writer.wait(TIMEOUT_SECONDS)
    assert done.code == 128 + number
    found = records(kept)
    assert len(found) > 1000
    assert found == [(i, "y") for i in range(1, len(found) + 1)]
    assert f"{len(found):,} unconfirmed" in done.err
    assert "which had not ended" in done.err


def test_a_signal_leaves_a_file_as_it_is_since_it_can_be_read_again(kept, no_server, tmp_path):
    (tmp_path / "input").write_bytes(LINES)
    with open(tmp_path / "input", "rb") as file:
        process = Process("send", "--timeout", "0", "--unconfirmed", str(kept), stdin=file, server=no_server)
    until(lambda: "trying again" in process.err.text)
    done = process.signal(signal.SIGTERM).wait()
    assert kept.read_bytes() == b""
    assert "send the same input again" in done.err


def test_after_another_log_the_rest_is_kept_behind_what_was_read(start_server, kept):
    server = start_server()
    process = Process("send", "--json", "--timeout", "0", "--unconfirmed", str(kept), server=server.address)
    process.write("one\n")
    until(lambda: process.out.lines)
    server.kill()
    process.write("two\nthree\n")
    process.close()
    start_server(listen=server.address)
    done = process.wait()
    assert done.code == 73
    assert records(kept) == [(2, "two"), (3, "three")]


def test_memory_does_not_grow_with_the_input(kept, no_server, tmp_path):
    path = tmp_path / "input"
    with open(path, "wb") as file:
        for _ in range(100_000):
            file.write(b"x" * 999 + b"\n")
    arguments = ("send", "--timeout", "0.3s", "--unconfirmed", str(kept))
    with open(path, "rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *arguments], stdin=file, capture_output=True, env=clean_environment(no_server)
        )
    assert done.returncode == 78
    assert kept.stat().st_size > path.stat().st_size
    assert int(done.stdout) < 100_000, "KiB for 100 MB of input"
