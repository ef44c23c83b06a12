"""`chatctl send`: cases in which input could be lost silently."""

import json
import os
import signal
import subprocess

import pytest

from tests.support.cli import CHATCTL, Process, clean_environment, run, texts, unread
from tests.support.waiting import until


def test_receipts_are_whole_in_a_container_that_wants_no_buffers(address, room):
    """Under PYTHONUNBUFFERED Python's stdout may take only a part of what is written."""
    receipts, out = os.pipe()
    process = Process("send", "--json", "--room", room, server=address, stdout=out, env={"PYTHONUNBUFFERED": "1"})
    os.close(out)
    process.write(b"x\n" * 3000)
    until(lambda: unread(os.fdopen(os.dup(receipts), "rb", closefd=True)) > 60_000)
    process.close().signal(signal.SIGTERM)
    with os.fdopen(receipts) as reader:
        lines = reader.read().splitlines()
    assert process.wait().code == 143
    assert [json.loads(line)["number"] for line in lines] == list(range(1, 3001))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_line_that_was_begun_is_read_to_its_end_so_that_the_next_reader_gets_whole_ones(address, room, number):
    input_, feed = os.pipe()
    process = Process("send", "--json", "--room", room, server=address, stdin=input_)
    os.write(feed, b"one\nha")
    until(lambda: texts(room, address) == ["one"])
    process.popen.send_signal(signal.SIGSTOP)
    os.write(feed, b"lf\nnext\n")
    process.popen.send_signal(number)
    process.popen.send_signal(signal.SIGCONT)
    done = process.wait()
    os.close(feed)
    with os.fdopen(input_, "rb") as rest:
        left = rest.read()
    stored = texts(room, address)
    # The chunk that was waiting may have been read before the signal was heard; no line is ever torn.
    assert "".join(f"{text}\n" for text in stored) + left.decode() == "one\nhalf\nnext\n"
    assert stored[:2] == ["one", "half"]
    assert done.stderr_objects[-1]["summary"]["stopped"]["unfinished"] == 0


def test_what_was_read_of_a_line_that_did_not_end_is_told(address, room):
    process = Process("send", "--room", room, server=address)
    process.write("one\nhalf")
    until(lambda: texts(room, address) == ["one"] and not unread(process.popen.stdin))
    done = process.signal(signal.SIGTERM).wait()
    assert done.code == 143
    assert "after record 1, at byte 4 of the input; 4 bytes of the next record were read, too" in done.err


def test_without_a_server_it_says_that_nothing_was_read(tmp_path):
    no_server = f"unix:{tmp_path}/no_server"
    done = run("send", "--timeout", "0.2", piped="one\n", server=no_server)
    assert done.code == 78
    assert "after record 0, at byte 0" in done.err
    done = run("send", "--timeout", "0.2", "--json", piped="one\n", server=no_server)
    assert done.stderr_objects[-1]["summary"]["stopped"] == {"record": 0, "byte": 0, "unfinished": 0}


def test_records_kept_by_an_earlier_run_are_not_overwritten(address, room, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("precious")
    done = run("send", "--unconfirmed", str(kept), "hello", server=address)
    assert (done.code, kept.read_text()) == (2, "precious")
    assert f"--resume {kept}" in done.err
    kept.write_text("")
    assert run("send", "--room", room, "--unconfirmed", str(kept), "hello", server=address).code == 0


def test_leftovers_go_to_no_other_log(server, start_server, tmp_path):
    kept, room = tmp_path / "kept", "den"
    process = Process("send", "--timeout", "1s", "--room", room, "--unconfirmed", str(kept), server=server.address)
    process.write("one\n")
    until(lambda: texts(room, server.address) == ["one"])
    server.process.send_signal(signal.SIGSTOP)
    process.write("two\n")
    until(lambda: not unread(process.popen.stdin))
    server.kill()
    done = process.close().wait()
    assert done.code == 78
    assert f"chatctl send --resume {kept} --unconfirmed {kept}" in done.err
    other = start_server()
    before = kept.read_bytes()
    done = run("send", "--resume", str(kept), "--unconfirmed", str(kept), server=other.address)
    assert (done.code, kept.read_bytes(), texts(room, other.address)) == (73, before, [])
    again = start_server(store=server.store)
    done = run("send", "--resume", str(kept), "--unconfirmed", str(kept), server=again.address)
    assert (done.code, kept.read_bytes(), texts(room, again.address)) == (0, b"", ["one", "two"])


def test_the_way_to_finish_names_the_server_if_that_is_needed(tmp_path):
    kept, no_server = tmp_path / "kept", f"unix:{tmp_path}/no_server"
    done = run("send", "--server", no_server, "--timeout", "0.2", "--unconfirmed", str(kept), "hello")
    assert done.code == 78
    assert f"chatctl send --resume {kept} --unconfirmed {kept} --server {no_server}`" in done.err


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/stderr", "-"])
def test_a_file_that_is_also_stdout_is_refused_and_left_alone(address, tmp_path, name):
    for number in (1, 2):
        (tmp_path / f"{number}").write_text("my job's log\n")
    with open(tmp_path / "1", "a") as out, open(tmp_path / "2", "a") as err:
        done = subprocess.run(
            [*CHATCTL, "send", "--receipts", name, "hi"], stdout=out, stderr=err, env=clean_environment(address), timeout=30
        )
    assert done.returncode == 2
    assert (tmp_path / "1").read_text() == "my job's log\n"
    assert (tmp_path / "2").read_text().startswith("my job's log\n")


def test_a_file_that_is_named_like_a_lock_is_refused(address, tmp_path):
    names = ("--receipts", f"{tmp_path}/x", "--rejects", f"{tmp_path}/x.chatctl-lock")
    done = run("send", *names, "hi", server=address)
    assert done.code == 2
    assert "ends like a lock file" in done.err
    assert os.listdir(tmp_path) == []


def test_an_interrupted_run_names_its_input_id_also_when_it_is_quiet(address, room):
    process = Process("send", "-q", "--room", room, server=address)
    process.write("one\n")
    until(lambda: texts(room, address) == ["one"])
    done = process.signal(signal.SIGINT).wait()
    assert done.code == 130
    assert "input id " in done.err
    assert "what is still in stdin may be lost" in done.err
