"""Runs chatctl in processes that are forked from one that has imported it: much cheaper than an interpreter for each.

What differs from a process of its own: the modules are loaded before, and the interpreter does not read the environment.
Signals, descriptors, encodings and the start itself are therefore tested with processes of their own.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRELOADED = (
    "chatctl.client.client",
    "chatctl.cli.app",
    *(f"chatctl.cli.{command}.command" for command in ("history", "send", "stats", "verify")),
    *(f"chatctl.cli.{module}" for module in ("history.table", "send.run", "stats.report", "verify.report")),
)


def fork_for_each_request():
    """Return in a forked process for each request on stdin, with its arguments, environment and descriptors in place."""
    with socket.socket(fileno=0) as requests:
        while True:
            data, descriptors, _, _ = socket.recv_fds(requests, 1 << 20, 4)
            if not data:
                sys.exit()
            if os.fork() == 0:
                break
            for descriptor in descriptors:
                os.close(descriptor)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    if child := os.fork():
        os.write(descriptors[-1], b"%d\n" % child)
        os.write(descriptors[-1], b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os._exit(0)
    for target, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        os.dup2(descriptors[target], target)
        stream = getattr(sys, name)
        setattr(sys, name, os.fdopen(target, mode, encoding=stream.encoding, errors=stream.errors, closefd=False))
    for descriptor in descriptors:
        os.close(descriptor)
    request = json.loads(data)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv[1:] = request["arguments"]


class ForkServer:
    """The process that forks. `run` may be called by several threads at once."""

    def __init__(self, environment):
        self._lock = threading.Lock()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", __name__]
        environment = environment | {"GRPC_VERBOSITY": "NONE"}  # which grpc reads when it is imported
        subprocess.run(command, env=environment, cwd=ROOT, stdin=theirs, stdout=subprocess.DEVNULL, check=True)
        theirs.close()
        atexit.register(self._requests.close)

    def run(self, arguments, environment, stdin, piped, timeout):
        """Run a command to its end. Returns its exit code, stdout and stderr. `stdin` is None for `piped`."""
        pipes = [os.pipe() for _ in range(4)]
        descriptor = pipes[0][0] if stdin is None else stdin if isinstance(stdin, int) else stdin.fileno()
        theirs = [descriptor, *(pipe[1] for pipe in pipes[1:])]
        request = {"arguments": arguments, "environment": environment, "directory": os.getcwd()}
        with self._lock:
            socket.send_fds(self._requests, [json.dumps(request).encode()], theirs)
        os.close(pipes[0][0])
        for pipe in pipes[1:]:
            os.close(pipe[1])
        outputs = [b"", b""]
        readers = [
            threading.Thread(target=self._read, args=(outputs, index, pipes[index + 1][0]), daemon=True) for index in (0, 1)
        ]
        writer = threading.Thread(target=self._write, args=(pipes[0][1], piped), daemon=True)
        for thread in (*readers, writer):
            thread.start()
        with os.fdopen(pipes[3][0], "rb") as report:
            pid = int(report.readline())
            ending = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
            ending.start()
            code = int(report.readline())
            ending.cancel()
        for thread in (*readers, writer):
            thread.join(timeout)
        if code == -signal.SIGKILL:
            raise subprocess.TimeoutExpired(["chatctl", *arguments], timeout, *outputs)
        return code, *outputs

    @staticmethod
    def _read(outputs, index, descriptor):
        with os.fdopen(descriptor, "rb") as file:
            outputs[index] = file.read()

    @staticmethod
    def _write(descriptor, data):
        with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb", 0) as file:
            while data:
                data = data[file.write(data) :]


if __name__ == "__main__":
    if os.fork():  # as some tests look at the children of their process
        os._exit(0)

    program = import_module("chatctl.__main__")
    for module in PRELOADED:
        import_module(module)
    fork_for_each_request()
    program.main()
