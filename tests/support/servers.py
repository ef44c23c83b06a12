"""Servers as real processes, each with its own store."""

import queue
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.waiting import TIMEOUT_SECONDS

READY_PREFIX = "listening on "
LOWEST_PORT = 10_000


def free_port():
    """Return a port that no outgoing connection takes while the server is down."""
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(LOWEST_PORT, highest)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class ServerProcess:
    """A server in its own process. It is ready once the constructor returns."""

    def __init__(self, command, store):
        self.store = store
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.lines = []
        """All lines of its stderr so far."""
        self._ready = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self.address = self._ready.get(timeout=TIMEOUT_SECONDS)
        assert self.address, f"the server did not start: {self.lines}"

    def _drain(self):
        """Read its stderr to the end, so that the pipe is never full."""
        for raw in self.process.stderr:
            line = raw.decode(errors="replace").rstrip("\n")
            self.lines.append(line)
            if line.startswith(READY_PREFIX):
                self._ready.put(line.removeprefix(READY_PREFIX))
        self._ready.put("")

    def wait(self):
        """Wait until it ends by itself, and return its exit code."""
        code = self.process.wait(TIMEOUT_SECONDS)
        self._reader.join(TIMEOUT_SECONDS)
        self.process.stderr.close()
        return code

    def stop(self):
        """Send SIGTERM, as a service manager does, and check that it stops gracefully."""
        self.process.send_signal(signal.SIGTERM)
        assert self.wait() == 0, self.lines

    def kill(self):
        """Send SIGKILL, and wait."""
        self.process.kill()
        self.wait()


class ServerFactory:
    """Starts servers, and kills at the end those that still run."""

    def __init__(self, directory):
        self._directory = directory
        self._processes = []

    @staticmethod
    def command(*arguments):
        """Return the command `chatctl serve` with these arguments."""
        return [sys.executable, "-m", "chatctl", "serve", *arguments]

    def __call__(self, *arguments, store=None, listen="127.0.0.1:0", command=None):
        """Start a server. `store` is a path; the default is a new store."""
        store = Path(store or self._directory / f"chat-{len(self._processes)}.db")
        arguments = ("--listen", listen, "--store", f"sqlite:{store}", *arguments)
        served = ServerProcess([*command, *arguments] if command else self.command(*arguments), store)
        self._processes.append(served)
        return served

    def start_error(self, *arguments):
        """Run a server that must not start, and return its stderr."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
        return done.stderr

    def close(self):
        for served in self._processes:
            if served.process.poll() is None:
                served.kill()
