"""Signals that end commands: at their first instant, in any thread, blocked by the parent, and as the first process."""

import ctypes
import os
import signal
import subprocess
import sys

import pytest

from tests.support.cli import CHATCTL, Process, run
from tests.support.waiting import until

BLOCKED = (
    *(sys.executable, "-c"),
    "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {15, 2, 1}); os.execvp(sys.argv[1], sys.argv[1:])",
)
# The arguments, and what shows on stdout or stderr that it runs. All of these wait for a server or for stdin.
WAITING = {
    "serve": (["--listen", "127.0.0.1:0", "--store", "sqlite:chat.db"], "listening on"),
    "send": (["--json"], ""),
    "history": (["-f", "--json"], '"text"'),
    "verify": (["-"], ""),
    "join": (["--plain", "--last", "1"], "hello"),
    "stats": (["--watch", "100"], "messages"),
}


@pytest.fixture(params=WAITING)
def waiting(request, address, tmp_path, monkeypatch):
    """Start a command that waits, and return its process once it does."""
    monkeypatch.chdir(tmp_path)
    arguments, shown = WAITING[request.param]
    if shown and request.param != "serve":
        room = () if request.param == "stats" else ("--room", "lobby")
        run("send", "-q", *room, "hello", server=address)
    started = []

    def start(*prefix):
        process = Process(request.param, *arguments, server=address, command=[*prefix, *CHATCTL])
        started.append(process)
        until(
            lambda: shown in process.out.text + process.err.text and len(os.listdir(f"/proc/{process.popen.pid}/task")) > 2
        )
        return process

    yield start
    for process in started:
        process.popen.kill()


def threads(pid):
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]


def signal_another_thread(pid, number):
    """Send a signal to a thread that is not the main one, as the kernel may do with a signal for the process."""
    thread = next(thread for thread in threads(pid) if thread != pid)
    assert ctypes.CDLL(None, use_errno=True).tgkill(pid, thread, number) == 0


def test_a_signal_that_another_thread_gets_ends_a_command(waiting):
    """The event loop slept on: nothing told it that Python had noted the signal."""
    process = waiting()
    signal_another_thread(process.popen.pid, signal.SIGTERM)
    assert process.wait().code in (0, 143)


def test_signals_that_the_parent_has_blocked_end_a_command(waiting):
    assert waiting(*BLOCKED).signal(signal.SIGTERM).wait().code in (0, 143)


# The modules that it imports from first to last, at whose import it gets a signal.
INTERRUPTED_IMPORTS = ("typer", "chatctl.cli.send.command", "grpc")
INTERRUPT = """
import os, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = ["send", "-q", "hello"]
from chatctl.__main__ import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", INTERRUPTED_IMPORTS)
def test_a_signal_while_a_command_starts_ends_it_without_a_traceback(address, module, number):
    program = INTERRUPT.format(module=module, number=int(number))
    done = Process(server=address, command=[sys.executable, "-c", program]).wait()
    assert (done.code, done.out) == (128 + number, "")
    assert all(line.startswith("chatctl: ") for line in done.err.splitlines())  # how to send the text again


def first_process(*command):
    """Return a command as the first process of a namespace, as in a container."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *command]
    return command if os.geteuid() == 0 else [command[0], "--map-root-user", *command[1:]]


def children(pid):
    """Return the states of a process's children, by their process ids."""
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,stat="], capture_output=True, text=True).stdout
    return dict(line.split() for line in listed.splitlines())


def test_the_first_process_of_a_container_takes_signals_and_leaves_no_zombies(address, room, tmp_path, monkeypatch):
    """The kernel gives it only signals that it handles, and the orphans of its namespace."""
    monkeypatch.chdir(tmp_path)
    run("send", "-q", "--room", room, server=address, piped="one\ntwo\nthree\n")
    leaving = "sleep 0.01 & echo $! >> left; exit 0"
    arguments = ["history", "-f", "--room", room, "--exec", leaving]
    process = Process(*arguments, server=address, command=first_process(*CHATCTL))
    until(lambda: (tmp_path / "left").exists() and len((tmp_path / "left").read_text().split()) == 3)
    (first,) = until(lambda: children(process.popen.pid))
    until(lambda: not children(first))
    os.kill(int(first), signal.SIGTERM)
    assert process.wait().code == 143
    process = Process("verify", "-", server=address, command=first_process(*CHATCTL))
    (first,) = until(lambda: children(process.popen.pid))
    until(lambda: len(threads(first)) > 2)
    os.kill(int(first), signal.SIGTERM)
    assert process.wait().code == 143
