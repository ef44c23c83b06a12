"""`chatctl history` in unusual environments: no server, a shared stdout, a full disk, a command that reads the terminal."""

import asyncio
import os
import resource
import signal
import subprocess
import sys

import grpc
import pytest

from tests.support.cli import CHATCTL, FollowProcess, Process, Terminal, clean_environment, run
from tests.support.fake_servers import fake_server, page
from tests.support.waiting import TIMEOUT_SECONDS, until


@pytest.fixture
def away(start_server):
    """Return the address of a stopped server."""
    server = start_server()
    server.stop()
    return server.address


def test_a_wait_without_a_server_ends_as_unavailable(start_server, away):
    server = start_server()
    process = FollowProcess(server.address, "--timeout", "0", "--wait", "1s", "--json")
    until(lambda: run("send", "hello", server=server.address).code == 0 and process.out.lines)
    server.kill()
    done = process.wait()
    assert done.code == 78
    assert "no matching message arrived for 1 s (--wait), but " in done.stderr_objects[-1]["error"]
    never = run("history", "--wait", "1s", "--timeout", "0.5s", server=away)
    assert (never.code, never.out) == (78, "")
    assert "gave up after 0.5 s" in never.err


@pytest.mark.parametrize("timeout", ["0", "1h"])
def test_a_wait_ends_without_a_server_whatever_the_timeout_is(away, silent_address, timeout):
    """Otherwise an alert on silence is silent for as long as there is no server."""
    for wait, seconds in (("2.1s", "2.1"), ("0.001s", "2")):  # which is never 0, without a limit
        done = run("history", "--last", "0", "--wait", wait, "--timeout", timeout, "--json", server=away)
        assert (done.code, done.out) == (78, "")
        assert done.stderr_objects[-1]["reason"] == "UNAVAILABLE"
        assert f"gave up after {seconds} s" in done.stderr_objects[-1]["error"]
        assert "wait longer with --wait" in done.stderr_objects[-1]["error"]
    silent = run("history", "--wait", "2s", "--timeout", timeout, server=silent_address)
    assert silent.code == 78
    assert f"no response from {silent_address} for 2 s" in silent.err


async def test_another_server_on_the_port_ends_a_wait_with_its_status():
    """The error keeps its type and code when --wait adds its own words."""
    other = (grpc.StatusCode.UNIMPLEMENTED,)
    async with fake_server((page(1, live=True), *other), other) as (address, _):
        arguments = ("history", "-f", "-o", "text", "--wait", "1s", "--timeout", "60s")
        done = await asyncio.to_thread(run, *arguments, server=address)
    assert (done.code, done.out) == (64 + 12, "1\n")
    *_, last = done.err.splitlines()
    assert last.startswith("chatctl: no matching message arrived for 1 s (--wait), but ")
    assert address in last


def test_wait_does_not_include_reading_stored_messages(start_server, tmp_path):
    server = start_server()
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{n:0100}\n" for n in range(300_000)))
    with lines.open() as stdin:
        assert run("send", stdin=stdin, server=server.address).code == 0
    assert run("send", "needle", server=server.address).code == 0
    done = run("history", "--grep", "needle", "--count", "1", "--wait", "0.001s", "-o", "text", server=server.address)
    assert (done.code, done.out) == (0, "needle\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--wait", "0"), "--wait"),
        (("--wait", ""), "--wait"),
        (("--exec", ""), "--exec"),
        (("--exec", " "), "--exec"),
        (("--cursor-file", ""), "--cursor-file"),
    ],
)
def test_an_empty_value_is_invalid(address, arguments, words):
    done = run("history", *arguments, server=address)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_named_pipe_that_is_also_open_for_reading_has_a_reader(address, room, say, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    both = os.open(tmp_path / "pipe", os.O_RDWR)
    process = FollowProcess(address, "--room", room, "-o", "text", stdout=both)
    for text in ("one", "two"):
        say(text, room=room)
        assert os.read(both, 100) == f"{text}\n".encode()
    assert process.signal(signal.SIGTERM).wait().code == 143
    os.close(both)


def test_a_full_disk_leaves_whole_lines_and_the_next_run_continues(address, room, say, tmp_path):
    say(*(f"{n:050}" for n in range(100)), room=room)
    mirror, cursor = tmp_path / "mirror", tmp_path / "cursor"
    command = [*CHATCTL, "history", "--room", room, "-o", "text", "--cursor-file", str(cursor)]

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    for preexec, code in ((limit, 1), (None, 0), (None, 0)):
        with mirror.open("ab") as stdout:
            run_ = subprocess.run(
                command,
                stdout=stdout,
                stderr=subprocess.PIPE,
                preexec_fn=preexec,
                env=clean_environment(address),
                timeout=TIMEOUT_SECONDS,
            )
        assert run_.returncode == code, run_.stderr
        assert mirror.read_text().count("\n") * 51 == mirror.stat().st_size
    assert mirror.read_text() == "".join(f"{n:050}\n" for n in range(100))


def test_last_is_counted_once_even_if_the_first_command_fails(address, room, say, tmp_path):
    say("a", "b", room=room)
    arguments = ("--room", room, "--cursor-file", str(tmp_path / "cursor"), "--exec-retries", "0")
    failed = run("history", "--last", "1", *arguments, "--exec", "false", server=address)
    assert failed.code == 1
    skip = failed.err.split("write ")[1].split()[0]
    say("c", room=room)
    again = run("history", *arguments, "--exec", 'echo "$CHATCTL_MESSAGE_TEXT"', server=address)
    assert (again.code, again.lines) == (0, ["b", "c"])
    (tmp_path / "cursor").write_text(skip)
    left_out = run("history", *arguments, "--exec", 'echo "$CHATCTL_MESSAGE_TEXT"', server=address)
    assert (left_out.code, left_out.lines) == (0, ["c"])


def test_the_cursor_is_before_a_message_whose_command_fails_also_with_after(address, room, say, tmp_path):
    say("a", "b", room=room)
    first, second = run("history", "--room", room, "--json", server=address).objects
    file = tmp_path / "cursor"
    failing = ("--cursor-file", str(file), "--exec", "false", "--exec-retries", "0")
    failed = run("history", "--room", room, "--after", first["cursor"], *failing, server=address)
    assert failed.code == 1
    assert f"{file} is before it" in failed.err
    assert file.read_text().splitlines()[0] == f"{second['cursor'].partition(':')[0]}:{second['sequence'] - 1}"


OWN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "chatctl", *sys.argv[1:]])
"""


def test_a_command_that_reads_the_terminal_fails_and_is_not_stopped_without_end(address, room, say):
    say("hello", room=room)
    terminal = Terminal()
    arguments = ["history", "--room", room, "--exec", "read answer < /dev/tty", "--exec-retries", "0"]
    done = subprocess.run(
        [sys.executable, "-c", OWN_TERMINAL, *arguments],
        stdin=terminal.descriptor,
        capture_output=True,
        text=True,
        env=clean_environment(address),
        timeout=TIMEOUT_SECONDS,
    )
    terminal.close()
    assert done.returncode == 1
    assert "it cannot read from the terminal" in done.stderr


def test_a_notice_says_that_a_command_is_still_running(address, room, say, tmp_path):
    say("hello", room=room)
    os.mkfifo(tmp_path / "gate")
    process = Process("history", "--room", room, "--exec", f"echo begun; cat {tmp_path / 'gate'}", server=address)
    until(lambda: process.out.lines == ["begun"])
    process.signal(signal.SIGINT)
    until(lambda: "a second signal ends it" in process.err.text)
    (tmp_path / "gate").write_text("done\n")
    assert process.wait()[:2] == (130, "begun\ndone\n")
