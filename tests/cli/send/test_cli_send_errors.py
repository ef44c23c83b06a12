"""`chatctl send` in trouble: interrupts, servers that die, hang or are none, names that cannot be. And at terminals."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.support.cli import Process, Terminal, run, texts, unread
from tests.support.waiting import until


def numbers(done):
    return [receipt["number"] for receipt in done.objects]


def test_receipts_come_while_the_input_stays_open(address, room):
    process = Process("send", "--json", "--room", room, server=address)
    for count in (1, 2, 3):
        process.write(f"line {count}\n")
        until(lambda count=count: len(process.out.lines) == count)
    assert process.close().wait().code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupt_in_a_pipe_that_stays_open_ends_it_soon(address, room, number, code):
    process = Process("send", "--json", "--room", room, server=address)
    process.write("a\nb\nhalf a li")
    until(lambda: texts(room, address) == ["a", "b"])
    done = process.signal(number).wait()
    assert done.code == code
    assert [receipt["status"] for receipt in done.objects] == ["stored", "stored"]
    assert done.stderr_objects[-1]["summary"]["stored"] == 2


def test_an_interrupt_while_a_long_file_without_a_line_end_is_read_ends_it_soon(address, room, tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 43)  # hours
    with open(tmp_path / "sparse", "rb") as file:
        process = Process("send", "--room", room, server=address, stdin=file)
        until(lambda: file.seek(0, os.SEEK_CUR) > 1 << 20)
        done = process.signal(signal.SIGINT).wait()
    assert done.code == 130


def test_an_interrupt_waits_no_longer_than_a_moment_for_a_server_that_hangs(server, room):
    process = Process("send", "--json", "--room", room, "--timeout", "0", server=server.address)
    process.write("a\n")
    until(lambda: texts(room, server.address) == ["a"])
    server.process.send_signal(signal.SIGSTOP)
    process.write("b\nc\n")
    until(lambda: unread(process.popen.stdin) == 0)
    done = process.signal(signal.SIGINT).wait()
    server.process.send_signal(signal.SIGCONT)
    assert done.code == 130
    assert [receipt["status"] for receipt in done.objects] == ["stored", "unconfirmed", "unconfirmed"]


def has_taken(process, number):
    """Whether a signal sent to the process is handled: it is pending no more, and the process sleeps again."""
    with open(f"/proc/{process.popen.pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return not int(fields["ShdPnd"], 16) & 1 << number - 1 and fields["State"].strip().startswith("S")


def test_a_second_interrupt_ends_it_even_when_nobody_reads_its_receipts(address, room):
    process = Process("send", "--json", "--room", room, server=address, stdout=subprocess.PIPE)
    process.write("a\n" * 2000)
    until(lambda: unread(process.popen.stdout) > 60_000)
    process.signal(signal.SIGINT)
    until(lambda: has_taken(process, signal.SIGINT))
    done = process.signal(signal.SIGINT).wait()
    process.popen.stdout.close()
    assert done.code == 130
    assert set(texts(room, address)) == {"a"}


def test_when_the_server_dies_every_record_has_a_state(server, room):
    process = Process("send", "--json", "--room", room, "--input-id", "me", "--timeout", "3s", server=server.address)
    process.write("stored\n" * 1000)
    until(lambda: len(process.out.lines) == 1000)
    server.process.send_signal(signal.SIGSTOP)
    process.write("lost?\n" * 500)
    until(lambda: unread(process.popen.stdin) == 0)
    server.kill()
    done = process.wait()
    assert done.code == 78
    assert numbers(done) == list(range(1, 1501))
    assert [receipt["status"] for receipt in done.objects] == ["stored"] * 1000 + ["unconfirmed"] * 500
    assert {(receipt["input_id"], receipt["room"]) for receipt in done.objects} == {("me", room)}
    (said,) = done.stderr_objects
    assert (said["reason"], said["exit_code"]) == ("UNAVAILABLE", 78)
    assert server.address in said["error"]
    assert said["summary"]["unconfirmed"] == 500


def test_without_json_the_advice_for_a_pipe_is_a_file_for_what_may_be_lost(server, room):
    process = Process("send", "--room", room, "--input-id", "me", "--timeout", "3s", server=server.address)
    process.write("stored\n")
    until(lambda: texts(room, server.address))
    server.process.send_signal(signal.SIGSTOP)
    process.write("lost?\n")
    until(lambda: unread(process.popen.stdin) == 0)
    server.kill()
    done = process.wait()
    assert (done.code, done.out) == (78, "")
    for words in ("1 stored", "1 unconfirmed", "input id me", "what was read and has no receipt", "--unconfirmed FILE"):
        assert words in done.err


def test_a_server_that_stops_answering_is_given_up_and_nothing_that_was_read_is_forgotten(server, room):
    """Also of a fast input, of which much was taken and not yet sent."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = Process(
        "send", "--json", "--room", room, "--input-id", "me", "--timeout", "1s", server=server.address, stdin=reading
    )
    written = os.write(writing, b"first\n")
    until(lambda: len(process.out.lines) == 1)
    server.process.send_signal(signal.SIGSTOP)
    rest = b"x" * 99 + b"\n"
    while process.popen.poll() is None:
        try:
            written += os.write(writing, rest * 40)  # a page at most, so whole lines or nothing
        except BlockingIOError:
            until(lambda: process.popen.poll() is not None or unread(reading) < 60_000)
    taken = written - unread(reading)
    os.close(writing)
    os.close(reading)
    done = process.wait()
    server.process.send_signal(signal.SIGCONT)
    assert done.code == 78
    assert done.stderr_objects[-1]["error"]
    records = 1 + (taken - len(b"first\n")) // len(rest)
    assert records > 10_000
    assert numbers(done) == list(range(1, records + 1))
    again = run("send", "--room", room, "--input-id", "me", piped=b"first\n" + rest * (records - 1), server=server.address)
    assert again.code == 0
    assert texts(room, server.address) == ["first"] + ["x" * 99] * (records - 1)


@pytest.mark.parametrize("arguments", [("hello",), ()])
def test_without_a_server_the_advice_is_to_start_one(unused_address, arguments):
    done = run("send", "--timeout", "1s", *arguments, piped=b"a\n", server=unused_address)
    assert (done.code, done.out) == (78, "")
    for words in (unused_address, "chatctl serve", "--server"):
        assert words in done.err
    done = run("send", "--timeout", "1s", "--json", *arguments, piped=b"a\n", server=unused_address)
    assert done.code == 78
    assert (done.stderr_objects[-1]["reason"], done.stderr_objects[-1]["exit_code"]) == ("UNAVAILABLE", 78)


@pytest.fixture
def unused_address():
    with socket.socket() as held:  # bound, so that no other process gets it, but nothing listens
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


BAD_NAMES = {
    "empty": ("", "empty"),
    "long": ("ä" * 65, "128 bytes"),
    "control": ("a\x1b[2Jb", "control"),
    "line": ("a\nb", "control"),
    "bytes": (b"caf\xe9", "UTF-8"),
}


@pytest.mark.parametrize("option", ["--room", "--user", "--input-id"])
@pytest.mark.parametrize("kind", BAD_NAMES)
def test_a_name_that_cannot_be_is_wrong_usage(address, option, kind):
    name, words = BAD_NAMES[kind]
    done = run("send", option, name, "hello", server=address)
    assert (done.code, done.out) == (2, "")
    assert option in done.err
    assert words in done.err
    assert "\x1b" not in done.err


def test_the_longest_names_are_good(address):
    name = "ä" * 64
    assert run("send", "--room", name, "--user", name, "--input-id", name, "hello", server=address).code == 0


NO_USER = "import os; os.getuid = lambda: 4_242_424; from chatctl.__main__ import main; main()"


def test_the_user_is_the_login_name_unless_it_is_told(address, room):
    def user(*arguments, **more):
        return run("send", "--json", "--room", room, "hello", *arguments, server=address, **more).objects[0]["user"]

    assert user(env={"LOGNAME": "linda"}) == "linda"
    assert user(env={"CHATCTL_USER": "eve"}) == "eve"
    assert user("--user", "flo", env={"CHATCTL_USER": "eve"}) == "flo"
    assert user(env={"LOGNAME": "not\x07a name"}) == "anonymous"
    assert user(env={"LOGNAME": None}, command=[sys.executable, "-c", NO_USER]) == "anonymous"


def test_at_a_terminal_lines_are_sent_until_ctrl_d(address, room):
    terminal = Terminal()
    process = Process("send", "--room", room, server=address, stdin=terminal.descriptor)
    until(lambda: "Ctrl-D" in process.err.text)
    terminal.type("hello\n")
    until(lambda: texts(room, address) == ["hello"])
    terminal.type("world\n\x04")
    done = process.wait()
    terminal.close()
    assert (done.code, done.out) == (0, "")
    assert texts(room, address) == ["hello", "world"]


def test_progress_is_shown_at_a_terminal_and_not_in_a_pipe(address, room):
    terminal = Terminal()
    piped = Process("send", "--room", room, server=address)
    until(lambda: piped.popen.poll() is None)
    watched = Process("send", "--room", room, server=address, stderr=terminal.descriptor, stdout=subprocess.DEVNULL)
    for process in (piped, watched):
        process.write("a\n")
    until(lambda: "1 confirmed" in terminal.shown.text)
    for process in (piped, watched):
        assert process.close().wait().code == 0
    assert "1 stored" in terminal.close()
    assert "confirmed" not in piped.err.text
    assert len(piped.err.lines) == 1
