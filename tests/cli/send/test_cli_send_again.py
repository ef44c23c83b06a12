"""`chatctl send` of the same input: run again after it was killed, and while its server restarts."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.support.cli import Process, run, unread
from tests.support.small_disk import server_on_small_disk
from tests.support.waiting import until

ADVICE = "reading stopped after record "


def history(server):
    return [message["text"] for message in run("history", "--json", server=server.address).objects]


def receipts(done):
    return [(receipt["number"], receipt["status"]) for receipt in done.objects]


def restarted(start_server, server):
    server.kill()
    return start_server(listen=server.address, store=server.store)


# --- the same again


@pytest.mark.parametrize("moment", [1, 10_000])
def test_a_sender_killed_at_any_moment_is_run_again_with_nothing_doubled(server, moment):
    lines = [f"{number} " + "x" * 50 for number in range(1, 15_001)]
    piped = "\n".join(lines)
    job = ("send", "--json", "--input-id", "job")
    process = Process(*job, server=server.address)
    process.write(piped[: len(piped) * moment // 15_000 + 60_000])
    until(lambda: len(process.out.lines) >= moment)
    killed = process.signal(signal.SIGKILL).wait()
    again = run(*job, piped=piped, server=server.address)
    assert again.code == 0
    before = {(r["number"], r["sequence"]) for r in map(json.loads, killed.out.split("\n")[:-1])}
    duplicates = {(r["number"], r["sequence"]) for r in again.objects if r["status"] == "duplicate"}
    assert len(before) >= moment
    assert before <= duplicates
    assert [number for number, _ in receipts(again)] == list(range(1, 15_001))
    assert history(server) == lines
    third = run(*job, piped=piped, server=server.address)
    assert {status for _, status in receipts(third)} == {"duplicate"}
    assert [{**r, "status": ""} for r in third.objects] == [{**r, "status": ""} for r in again.objects]


def test_the_same_number_with_another_text_or_room_is_a_conflict_that_names_all(server):
    job = ("send", "--input-id", "job")
    assert run(*job, "--room", "den", piped=b"a\nb\n", server=server.address).code == 0
    text = run(*job, "--room", "den", piped=b"a\nc\n", server=server.address)
    room = run(*job, "--room", "lobby", piped=b"a\nb\n", server=server.address)
    assert (text.code, room.code) == (1, 1)
    assert "record 2 rejected: " in text.err
    for words in ("'b'", "'c'", "'job'", "--input-id"):
        assert words in text.err
    assert "records 1 to 2 rejected: " in room.err
    for words in ("'den'", "'lobby'", "'job'", "--input-id"):
        assert words in room.err
    assert history(server) == ["a", "b"]


# --- the server goes away and returns


def test_a_restart_in_mid_pipe_is_told_and_survived(start_server):
    server = start_server()
    process = Process("send", "--input-id", "job", server=server.address)
    process.write("before\n")
    until(lambda: history(server) == ["before"])
    server.kill()
    process.write("while it is away\n")
    until(lambda: "trying again" in process.err.text)
    server = start_server(listen=server.address, store=server.store)
    until(lambda: history(server) == ["before", "while it is away"])
    process.write("after")
    done = process.close().wait()
    assert done.code == 0
    trouble, recovery, summary = done.err.splitlines()
    assert server.address in trouble
    assert "trying again for up to 10 s" in trouble
    assert recovery == f"chatctl: {server.address} answers again"
    assert summary.startswith("chatctl: 3 stored ")
    assert history(server) == ["before", "while it is away", "after"]


def test_with_json_a_restart_makes_no_noise(start_server):
    server = start_server()
    process = Process("send", "--json", server=server.address)
    process.write("a\n")
    until(lambda: process.out.lines)
    server = restarted(start_server, server)
    process.write("b\n")
    done = process.close().wait()
    assert done.code == 0
    assert [status for _, status in receipts(done)] == ["stored", "stored"]
    assert len(done.stderr_objects) == 1


PRODUCER = """
import os, sys
line = b"x" * 99 + b"\\n"
for count in range(1, 60_001):
    os.write(1, b"%07d" % count + line)
    if count % 100 == 0:
        os.ftruncate(int(sys.argv[1]), count)
"""


def test_the_producer_before_the_pipe_is_held_back_and_goes_on(start_server, tmp_path):
    server = start_server()
    with open(tmp_path / "count", "wb") as count:
        produced = lambda: os.fstat(count.fileno()).st_size  # noqa: E731
        producer = subprocess.Popen(
            [sys.executable, "-c", PRODUCER, f"{count.fileno()}"], stdout=subprocess.PIPE, pass_fds=[count.fileno()]
        )
        server.process.send_signal(signal.SIGSTOP)
        process = Process("send", "--timeout", "0", server=server.address, stdin=producer.stdout)
        server.process.send_signal(signal.SIGCONT)
        until(lambda: produced() > 3000)
        server.kill()
        until(lambda: "trying again" in process.err.text)
        until(lambda: unread(producer.stdout) > 60_000 and asleep(producer) and asleep(process.popen))
        assert produced() < 60_000
        assert producer.poll() is None
        held = produced()
        server = start_server(listen=server.address, store=server.store)
        until(lambda: produced() > held)
        assert producer.wait(30) == 0
        producer.stdout.close()
    done = process.wait()
    assert done.code == 0
    assert [text[:7] for text in history(server)] == [f"{number:07d}" for number in range(1, 60_001)]


def asleep(process):
    """Whether it waits for something."""
    with open(f"/proc/{process.pid}/wchan") as wchan:
        return wchan.read() not in ("", "0")


# --- it gives up


INPUTS = {
    "lines": ((), b"\n", [b"%d" % n for n in range(30_000)]),
    "crlf, and some not utf-8": ((), b"\r\n", [b"%d" % n if n % 30 else b"\xff" for n in range(30_000)]),
    "nul": (("--split", "null"), b"\0", [b"%d\n" % n for n in range(30_000)]),
    "a huge line": ((), b"\n", [b"first", b"x" * 3_000_000, *[b"%d" % n for n in range(100_000)], b"y" * 1_000_000]),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_when_it_gives_up_it_says_where_reading_stopped(start_server, kind):
    arguments, separator, records = INPUTS[kind]
    data = separator.join([b"first", *records])
    server = start_server()
    process = Process("send", "--input-id", "job", "--json", "--timeout", "1s", *arguments, server=server.address)
    process.write(b"first" + separator)
    until(lambda: process.out.lines)
    server.kill()
    feed(process, data[len(b"first" + separator) :])
    done = process.wait()
    assert done.code == 78
    (said,) = done.stderr_objects
    record, byte = said["summary"]["stopped"]["record"], said["summary"]["stopped"]["byte"]
    assert [number for number, _ in receipts(done)] == list(range(1, record + 1))
    assert {status for _, status in receipts(done)} <= {"stored", "duplicate", "unconfirmed", "rejected"}
    assert 1 < record < len(records)
    assert data[:byte].endswith(separator)
    assert data[byte:] == separator.join([b"first", *records][record:])
    server = start_server(listen=server.address, store=server.store)
    run("send", "--input-id", "job", "--quiet", *arguments, piped=data, server=server.address)
    cut = separator.decode()[-1]
    valid = [text for text in data.decode(errors="replace").split(cut) if "\ufffd" not in text and len(text) < 65_537]
    assert history(server) == valid


def feed(process, data):
    """Write what it takes, until it has ended."""
    descriptor = process.popen.stdin.fileno()
    os.set_blocking(descriptor, False)
    while data and process.popen.poll() is None:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            until(lambda: process.popen.poll() is not None or unread(process.popen.stdin) < 60_000)
        except BrokenPipeError:
            return


def test_for_people_it_says_all_of_it(start_server):
    server = start_server()
    process = Process("send", "--input-id", "my job", "--timeout", "3s", server=server.address)
    process.write("a\n")
    until(lambda: history(server) == ["a"])
    server.kill()
    process.write("b\nhalf")
    done = process.wait()
    assert done.code == 78
    trouble, error, summary, stopped, advice = done.err.splitlines()
    assert "trying again for up to 3 s" in trouble
    assert "gave up after 3 s" in error
    assert "--timeout" in error
    assert summary.startswith("chatctl: 1 stored, 1 unconfirmed (room lobby")
    assert (
        stopped
        == "chatctl: reading stopped after record 2, at byte 4 of the input; 4 bytes of the next record were read, too"
    )
    assert "input id my job" in summary
    assert advice == (
        "chatctl: what was read and has no receipt and what is still in stdin may be lost: "
        "use --unconfirmed FILE to keep such input"
    )


def test_a_store_that_stays_full_is_given_up_with_72(start_server, tmp_path):
    with server_on_small_disk(start_server, tmp_path / "disk") as (server, fill, free):
        assert run("send", "first", server=server.address).code == 0
        fill()
        lines = [f"{number} " + "x" * 10_000 for number in range(30)]
        job = ("send", "--input-id", "job", "--timeout", "0.5s")
        full = run(*job, piped="\n".join(lines), server=server.address)
        assert full.code == 72
        assert full.err.count("no space left") == 2  # at the start and at the end
        process = Process("send", "--input-id", "job", "--timeout", "0", server=server.address)
        process.write("\n".join(lines))
        process.close()
        until(lambda: "space" in process.err.text)
        free()
        done = process.wait()
        assert done.code == 0
        assert "answers again" in done.err
        assert history(server) == ["first", *lines]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_there_is_no_server_tells_the_state_of_every_record(start_server, number):
    server = start_server()
    process = Process("send", "--json", "--timeout", "0", server=server.address)
    process.write("a\n")
    until(lambda: process.out.lines)
    server.kill()
    process.write("b\n\xff\nc\nhalf".encode("latin-1"))
    until(lambda: not unread(process.popen.stdin))
    done = process.signal(number).wait()
    assert done.code == 128 + number
    assert receipts(done) == [(1, "stored"), (2, "unconfirmed"), (3, "rejected"), (4, "unconfirmed")]
    assert done.stderr_objects[-1]["summary"]["stopped"] == {"record": 4, "byte": 8, "unfinished": 4}


def test_without_a_server_from_the_beginning_an_interrupt_ends_it_at_once(start_server):
    server = start_server()
    server.kill()
    process = Process("send", "--timeout", "0", server=server.address)
    until(lambda: "trying again until it answers" in process.err.text)
    assert process.signal(signal.SIGINT).wait().code == 130


def test_a_server_that_comes_late_is_waited_for(start_server):
    server = start_server()
    server.kill()
    process = Process("send", "hello", server=server.address)
    until(lambda: "trying again" in process.err.text)
    server = start_server(listen=server.address, store=server.store)
    assert process.wait().code == 0
    assert history(server) == ["hello"]
