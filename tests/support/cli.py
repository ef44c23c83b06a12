"""chatctl as users run it: a process with stdin, stdout, stderr and an exit code."""

import array
import contextlib
import fcntl
import functools
import json
import os
import select
import struct
import subprocess
import sys
import termios
import threading
from typing import NamedTuple

from tests.support.fork_server import ForkServer
from tests.support.waiting import TIMEOUT_SECONDS, until

CHATCTL = (sys.executable, "-m", "chatctl")


class ProcessResult(NamedTuple):
    """The output and exit code of a process that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def objects(self):
        """Its stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.split("\n")[:-1]]

    @property
    def stderr_objects(self):
        """Its stderr as JSON Lines."""
        return [json.loads(line) for line in self.err.split("\n")[:-1]]


def clean_environment(server=None, env=None):
    """Return an environment without the developer's settings, except paths."""
    inherited = {
        name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ
    }
    clean = {**inherited, "LANG": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1", "LOGNAME": "tess"}
    if server:
        clean["CHATCTL_SERVER"] = server
    clean.update(env or {})
    return {name: value for name, value in clean.items() if value is not None}


@functools.cache
def fork_server():
    """Return the fork server of this process; it ends with it."""
    return ForkServer(clean_environment())


def run(*args, piped=b"", env=None, server=None, stdin=None, command=CHATCTL):
    """Run a command to its end. `piped` is the content of its stdin, `stdin` a file to read instead.

    Most are forked from a process that has imported chatctl; another environment gets an interpreter of its own.
    """
    piped = piped if isinstance(piped, bytes) else piped.encode()
    environment = clean_environment(server, env)
    if command is CHATCTL and all(name.startswith("CHATCTL_") for name in env or ()):
        code, out, err = fork_server().run([*map(os.fsdecode, args)], environment, stdin, piped, TIMEOUT_SECONDS)
    else:
        stdin_options = {"stdin": stdin} if stdin is not None else {"input": piped}
        done = subprocess.run(
            [*command, *args], capture_output=True, timeout=TIMEOUT_SECONDS, env=environment, **stdin_options
        )
        code, out, err = done.returncode, done.stdout, done.stderr
    assert b"Traceback" not in err, err.decode(errors="replace")
    return ProcessResult(code, out.decode(errors="surrogateescape"), err.decode(errors="surrogateescape"))


class OutputReader:
    """Reads a descriptor to its end in a thread, so that its writer never waits."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._content = bytearray()
        self._ended = False
        self._lock = threading.Lock()
        self._waiting, self._available = select.poll(), select.poll()  # one thread may use it at a time
        for poll in (self._waiting, self._available):
            poll.register(descriptor, select.POLLIN)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._ended:
            self._waiting.poll()
            self._read_available()

    def _read_available(self):
        with self._lock:
            while not self._ended and self._available.poll(0):
                chunk = b""
                with contextlib.suppress(OSError):  # the error of a terminal whose other side is closed
                    chunk = os.read(self._descriptor, 1 << 16)
                self._content += chunk
                self._ended = not chunk

    @property
    def text(self):
        """The output so far, with all that the process has written before this call."""
        self._read_available()
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
    """A terminal for a process as stdin, stdout or stderr; `shown` is its OutputReader."""

    def __init__(self, columns=0):
        """`columns` is its width; 0 is unknown, for which commands take 80."""
        self._master, self.descriptor = os.openpty()
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
        self.shown = OutputReader(self._master)

    def type(self, text):
        os.write(self._master, text.encode())

    def close(self):
        """Wait until no process has the terminal open, and return its content."""
        os.close(self.descriptor)
        return self.shown.close()


class Process:
    """A running command. Streams that are not given are pipes; its output is read in threads."""

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
        """Close its stdin."""
        self.popen.stdin.close()
        return self

    def signal(self, number):
        self.popen.send_signal(number)
        return self

    def wait(self):
        """Wait until it ends by itself, and return its ProcessResult."""
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
    """A running `chatctl history -f`."""

    def __init__(self, address, *args, **streams):
        super().__init__("history", "-f", *args, server=address, stdin=subprocess.DEVNULL, **streams)

    @property
    def texts(self):
        """The texts printed so far, with --json."""
        return [json.loads(line)["text"] for line in self.out.lines]

    def shows(self, *texts):
        """Wait until it has printed this many texts, then compare."""
        until(lambda: len(self.out.lines) >= len(texts) or self.popen.poll() is not None)
        assert self.texts == list(texts), self.err.text

    def ends(self, code, err=""):
        """Wait until it ends, check its exit code and stderr, and return its ProcessResult."""
        done = self.wait()
        assert (done.code, done.err) == (code, err)
        return done


def texts(room, address):
    return [message["text"] for message in run("history", "--json", "--room", room, server=address).objects]


def unread(pipe):
    """Return the number of unread bytes in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


# Runs chatctl and prints its peak memory in KiB.
MEASURED = """
import os, sys
child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-m", "chatctl", *sys.argv[1:]])
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
