"""chatctl as its users run it: a process with stdin, stdout, stderr and an exit code."""

import array
import contextlib
import fcntl
import json
import os
import struct
import subprocess
import sys
import termios
import threading
from typing import NamedTuple

from tests.support.waiting import TIMEOUT_SECONDS, until

CHATCTL = (sys.executable, "-m", "chatctl")


class ProcessResult(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def objects(self):
        """What it printed as JSON Lines."""
        return [json.loads(line) for line in self.out.split("\n")[:-1]]

    @property
    def stderr_objects(self):
        """What it wrote on stderr, when each line is a JSON object."""
        return [json.loads(line) for line in self.err.split("\n")[:-1]]


def clean_environment(server=None, env=None):
    """Nothing of what the developer has set, but where things are."""
    inherited = {
        name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ
    }
    clean = {**inherited, "LANG": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1", "LOGNAME": "tess"}
    if server:
        clean["CHATCTL_SERVER"] = server
    clean.update(env or {})
    return {name: value for name, value in clean.items() if value is not None}


def run(*args, piped=b"", env=None, server=None, stdin=None, command=CHATCTL):
    """Run a command to its end. `piped` is what is piped into it, `stdin` a file to read instead."""
    stdin_options = (
        {"stdin": stdin} if stdin is not None else {"input": piped if isinstance(piped, bytes) else piped.encode()}
    )
    done = subprocess.run(
        [*command, *args], capture_output=True, timeout=TIMEOUT_SECONDS, env=clean_environment(server, env), **stdin_options
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    return ProcessResult(
        done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape")
    )


class OutputReader:
    """Reads a descriptor to its end in a thread, so that whoever writes there never waits."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._content = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with contextlib.suppress(OSError):  # what a terminal says when the other side is closed
            while chunk := os.read(self._descriptor, 1 << 16):
                self._content += chunk

    @property
    def text(self):
        """All of it so far."""
        return bytes(self._content).decode(errors="surrogateescape")

    @property
    def lines(self):
        """The whole lines so far."""
        return self.text.split("\n")[:-1]

    def close(self):
        self._thread.join(TIMEOUT_SECONDS)
        os.close(self._descriptor)
        return self.text


class Terminal:
    """A terminal to hand to a process as stdin, stdout or stderr; `shown` is what is on it."""

    def __init__(self, columns=0):
        """`columns` is how wide it says to be; 0 is unknown, and taken for 80."""
        self._master, self.descriptor = os.openpty()
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
        self.shown = OutputReader(self._master)

    def type(self, text):
        os.write(self._master, text.encode())

    def close(self):
        """What was shown, once nobody has the terminal open any more."""
        os.close(self.descriptor)
        return self.shown.close()


class Process:
    """A command under way. Streams that are not given are pipes, and drained."""

    def __init__(self, *args, env=None, server=None, stdin=None, stdout=None, stderr=None, command=CHATCTL):
        streams = {name: subprocess.PIPE if stream is None else stream for name, stream in
                   (("stdin", stdin), ("stdout", stdout), ("stderr", stderr))}  # fmt: skip
        self.popen = subprocess.Popen([*command, *args], env=clean_environment(server, env), bufsize=0, **streams)
        self.out = OutputReader(os.dup(self.popen.stdout.fileno())) if stdout is None else None
        self.err = OutputReader(os.dup(self.popen.stderr.fileno())) if stderr is None else None
        for drain, stream in ((self.out, self.popen.stdout), (self.err, self.popen.stderr)):
            if drain:
                stream.close()

    def write(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        while data:
            data = data[self.popen.stdin.write(data) :]

    def close(self):
        """End its input."""
        self.popen.stdin.close()
        return self

    def signal(self, number):
        self.popen.send_signal(number)
        return self

    def wait(self):
        """How it ended, by itself."""
        try:
            code = self.popen.wait(TIMEOUT_SECONDS)
        finally:
            self.popen.kill()
        if self.popen.stdin and not self.popen.stdin.closed:
            self.popen.stdin.close()
        done = ProcessResult(code, self.out.close() if self.out else "", self.err.close() if self.err else "")
        assert "Traceback" not in done.err, done.err
        return done


class FollowProcess(Process):
    """`chatctl history -f` under way."""

    def __init__(self, address, *args, **streams):
        super().__init__("history", "-f", *args, server=address, stdin=subprocess.DEVNULL, **streams)

    @property
    def texts(self):
        """What it printed so far, as --json."""
        return [json.loads(line)["text"] for line in self.out.lines]

    def shows(self, *texts):
        """Wait until it has printed so much, then compare."""
        until(lambda: len(self.out.lines) >= len(texts) or self.popen.poll() is not None)
        assert self.texts == list(texts), self.err.text

    def ends(self, code, err=""):
        """How it ended: with this code, and this or nothing on stderr."""
        done = self.wait()
        assert (done.code, done.err) == (code, err)
        return done


def texts(room, address):
    return [message["text"] for message in run("history", "--json", "--room", room, server=address).objects]


def unread(pipe):
    """How many bytes in a pipe nobody has taken out yet."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


MEASURED = """
import os, sys
child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-m", "chatctl", *sys.argv[1:]])
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
