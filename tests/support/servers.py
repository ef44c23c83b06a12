"""What most tests need: servers as real processes, each with a store of its own, and channels to them."""

import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.waiting import TIMEOUT_SECONDS

READY_PREFIX = "listening on "


class ServerProcess:
    """A server in a process of its own; ready when it is made."""

    def __init__(self, command, store):
        self.store = store
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.lines = []
        """Everything it wrote on stderr so far."""
        self._ready = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self.address = self._ready.get(timeout=TIMEOUT_SECONDS)
        assert self.address, f"the server did not start: {self.lines}"

    def _drain(self):
        """Read on for as long as it writes, so that its pipe is never full."""
        for raw in self.process.stderr:
            line = raw.decode(errors="replace").rstrip("\n")
            self.lines.append(line)
            if line.startswith(READY_PREFIX):
                self._ready.put(line.removeprefix(READY_PREFIX))
        self._ready.put("")

    def wait(self):
        """Its exit code, once it has ended by itself."""
        code = self.process.wait(TIMEOUT_SECONDS)
        self._reader.join(TIMEOUT_SECONDS)
        self.process.stderr.close()
        return code

    def stop(self):
        """Ask it to stop, as a service manager does, and see that it does so in order."""
        self.process.send_signal(signal.SIGTERM)
        assert self.wait() == 0, self.lines

    def kill(self):
        """The end without warning."""
        self.process.kill()
        self.wait()


class ServerFactory:
    """Starts servers, and ends those that a test leaves running."""

    def __init__(self, directory):
        self._directory = directory
        self._processes = []

    @staticmethod
    def command(*arguments):
        """`chatctl serve` with these arguments."""
        return [sys.executable, "-m", "chatctl", "serve", *arguments]

    def __call__(self, *arguments, store=None, listen="127.0.0.1:0", command=None):
        """Start one. `store` is a path; without it the store is a fresh one."""
        store = Path(store or self._directory / f"chat-{len(self._processes)}.db")
        arguments = ("--listen", listen, "--store", f"sqlite:{store}", *arguments)
        served = ServerProcess([*command, *arguments] if command else self.command(*arguments), store)
        self._processes.append(served)
        return served

    def start_error(self, *arguments):
        """What one that is expected not to start says on stderr."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
        return done.stderr

    def close(self):
        for served in self._processes:
            if served.process.poll() is None:
                served.kill()
