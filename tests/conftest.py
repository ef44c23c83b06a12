"""What most tests need: servers as real processes, each with a store of its own, and channels to them."""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

for name in [name for name in os.environ if name.startswith("CHATCTL_")]:
    del os.environ[name]  # what the developer has set must not change what the tests see
os.environ.update(NO_COLOR="1", GRPC_VERBOSITY="NONE")

from hypothesis import settings  # noqa: E402

settings.register_profile("chatctl", deadline=None)  # no test measures time
settings.load_profile("chatctl")

import grpc  # noqa: E402  (it reads GRPC_VERBOSITY when it is imported)

READY = "listening on "
PATIENCE = 30  # seconds until a wait is taken for a hang; no test measures time


class Served:
    """A server in a process of its own; ready when it is made."""

    def __init__(self, command, store):
        self.store = store
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.lines = []
        """Everything it wrote on stderr so far."""
        self._ready = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self.address = self._ready.get(timeout=PATIENCE)
        assert self.address, f"the server did not start: {self.lines}"

    def _drain(self):
        """Read on for as long as it writes, so that its pipe is never full."""
        for raw in self.process.stderr:
            line = raw.decode(errors="replace").rstrip("\n")
            self.lines.append(line)
            if line.startswith(READY):
                self._ready.put(line.removeprefix(READY))
        self._ready.put("")

    def wait(self):
        """Its exit code, once it has ended by itself."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
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


class Servers:
    """Starts servers, and ends those that a test leaves running."""

    def __init__(self, directory):
        self._directory = directory
        self._started = []

    @staticmethod
    def command(*arguments):
        """`chatctl serve` with these arguments."""
        return [sys.executable, "-m", "chatctl", "serve", *arguments]

    def __call__(self, *arguments, store=None, listen="127.0.0.1:0", command=None):
        """Start one. `store` is a path; without it the store is a fresh one."""
        store = Path(store or self._directory / f"chat-{len(self._started)}.db")
        arguments = ("--listen", listen, "--store", f"sqlite:{store}", *arguments)
        served = Served([*command, *arguments] if command else self.command(*arguments), store)
        self._started.append(served)
        return served

    def refused(self, *arguments):
        """What one that is expected not to start says on stderr."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
        return done.stderr

    def close(self):
        for served in self._started:
            if served.process.poll() is None:
                served.kill()


@pytest.fixture
def start_server(tmp_path):
    servers = Servers(tmp_path)
    yield servers
    servers.close()


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture(scope="module")
def start_shared_server(tmp_path_factory):
    """Starts servers that the tests of a module share."""
    servers = Servers(tmp_path_factory.mktemp("server"))
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def address(start_shared_server):
    """That of a server which the tests of a module share; each of them has a room of its own."""
    return start_shared_server().address


@pytest.fixture
def room(request):
    return f"room of {request.node.name}"[:100]


@pytest.fixture
def connect():
    """Channels that are closed with the test."""
    channels = []

    def connect(served):
        # A global pool would share the connections of one test with the next.
        channel = grpc.insecure_channel(served.address, options=(("grpc.use_local_subchannel_pool", 1),))
        channels.append(channel)
        return channel

    yield connect
    for channel in channels:
        channel.close()


@pytest.fixture
def follow(address):
    """Starts `chatctl history -f` on the shared server; what is under way ends with the test."""
    from cli_following import Following

    started = []

    def follow(*args, **streams):
        started.append(Following(address, *args, **streams))
        return started[-1]

    yield follow
    for process in started:
        process.popen.kill()
        process.popen.wait()


@pytest.fixture
def say(address):
    """Stores texts on the shared server."""
    from cli import run

    def say(*texts, room, user="ann"):
        lines = "".join(f"{text}\n" for text in texts)
        assert run("send", "--room", room, "--user", user, piped=lines, server=address).code == 0

    return say


@pytest.fixture
def send(say, room):
    """Stores texts in the test's own room."""
    return lambda *texts: say(*texts, room=room, user="tess")
