"""The reader of a quiet stdout goes: a pipe, a socket or a terminal."""

import os
import signal
import socket
import subprocess

import pytest

from tests.support.cli import FollowProcess, Process
from tests.support.waiting import until

COMMANDS = {
    "follow": ("history", "-f", "--json"),
    "join": ("join", "--json"),
    "stats": ("stats", "--watch", "600", "--json"),
}


def socket_pair():
    reader, stdout = socket.socketpair()
    reader.shutdown(socket.SHUT_WR)  # such a reader has sent all of its input, and still reads
    return reader.detach(), stdout.detach()


KINDS = {"pipe": (os.pipe, 0), "socket": (socket_pair, 0), "terminal": (os.openpty, 128 + signal.SIGHUP)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_goes_ends_a_follower_without_a_new_line(address, room, say, kind, command):
    make, code = KINDS[kind]
    reading, stdout = make()
    say("one", room=room)
    option = {"follow": ("--room", room), "join": ("--last", "1", room), "stats": ()}[command]
    process = Process(*COMMANDS[command], *option, server=address, stdout=stdout)
    os.close(stdout)
    assert os.read(reading, 100)
    os.close(reading)
    done = process.wait()
    assert (done.code, done.err) == (code, "")


def test_a_tcp_connection_is_probed_since_its_end_is_not_reported(address):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader = socket.create_connection(listener.getsockname())
        stdout = listener.accept()[0]
    with reader, stdout:
        process = FollowProcess(address, stdout=stdout.fileno())
        until(lambda: stdout.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        assert process.signal(signal.SIGTERM).wait().code == 143


def test_a_terminal_that_goes_ends_the_dashboard(address):
    reading, stdout = os.openpty()
    process = Process("stats", "--watch", "600", server=address, stdout=stdout, env={"TERM": "xterm"})
    os.close(stdout)
    until(lambda: b"messages" in os.read(reading, 10_000))
    os.close(reading)
    done = process.wait()
    assert (done.code, done.err) == (129, "")


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_reader_that_goes_ends_a_follower_with_a_command_once_that_is_done(address, room, say, tmp_path, kind):
    reading, stdout = KINDS[kind][0]()
    say("one", room=room)
    wait, note = tmp_path / "wait", tmp_path / "note"
    os.mkfifo(wait)
    command = f"echo started; read line < {wait}; echo done > {note}"
    process = FollowProcess(address, "--room", room, "--exec", command, stdout=stdout)
    os.close(stdout)
    assert os.read(reading, 100) == b"started\n"
    os.close(reading)
    wait.write_text("\n")
    done = process.wait()
    assert (done.code, done.err, note.read_text()) == (0, "", "done\n")


def test_a_terminal_that_goes_does_not_end_a_follower_with_a_command(address, room, say):
    """A service may have been started at a terminal. It takes SIGHUP, unless it ignores that."""
    reading, stdout = os.openpty()
    process = FollowProcess(address, "--room", room, "--exec", "cat >&2", stdout=stdout, stderr=subprocess.PIPE)
    os.close(stdout)
    say("one", room=room)
    assert process.popen.stderr.readline()
    os.close(reading)
    say("two", room=room)
    assert process.popen.stderr.readline()
    assert process.signal(signal.SIGHUP).popen.wait() == 129
    process.popen.stderr.close()
