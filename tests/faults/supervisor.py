"""Keeps a server running: whenever it ends, the supervisor starts it again on the same address and store."""

import asyncio
import signal
import sys
from collections import Counter, deque
from pathlib import Path

from tests.faults.signals import send_signal
from tests.support.cli import CHATCTL, clean_environment
from tests.support.servers import READY_PREFIX, free_port
from tests.support.waiting import until_async

FAULTY_CHATCTL = (sys.executable, str(Path(__file__).with_name("faulty_server.py")))


class ServerSupervisor:
    """The server of a store; an async context manager: ready when it is entered, killed when it is left.

    `prefix` is put before the server's command. `next_environment` is for the next server only, see faulty_server.py.
    """

    def __init__(self, store, prefix=()):
        self.address = f"127.0.0.1:{free_port()}"
        self.store = store
        self.starts = 0
        self.exit_codes = Counter()  # how often the server ended with each code
        self.unexpected_ends = []  # descriptions
        self.lines = deque(maxlen=30)  # the last lines on stderr
        self.next_environment = {}
        self.allowed_exit_codes = set()  # of any server
        self._expected_exit_codes = set()  # of the server that runs
        self._prefix = prefix
        self._process = None
        self._ready = asyncio.Event()

    async def __aenter__(self):
        self._task = asyncio.create_task(self._supervise())
        await self.wait_ready()
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._process:
            send_signal(self._process, signal.SIGKILL)
            await self._process.communicate()

    async def wait_ready(self):
        """Wait until the server is ready."""
        waiting = asyncio.ensure_future(self._ready.wait())
        await until_async(lambda: waiting.done() or self._task.done(), "the server to be ready")
        if self._task.done():
            self._task.result()

    async def _supervise(self):
        while True:
            self._expected_exit_codes.clear()
            self._process = await self._start()
            self.starts += 1
            async for line in self._process.stderr:
                self.lines.append(line.decode(errors="replace").rstrip())
                if self.lines[-1].startswith(READY_PREFIX) and self._process.returncode is None:
                    self._ready.set()
            code = await self._process.wait()
            self._ready.clear()
            self.exit_codes[code] += 1
            if code not in self.allowed_exit_codes | self._expected_exit_codes or any(
                "Traceback" in line for line in self.lines
            ):
                self.unexpected_ends.append(f"the server ended with {code}: {list(self.lines)}")

    async def _start(self):
        faults, self.next_environment = self.next_environment, {}
        serve = ("serve", "--listen", self.address, "--store", f"sqlite:{self.store}")
        command = (*self._prefix, *(FAULTY_CHATCTL if faults else CHATCTL), *serve)
        return await asyncio.create_subprocess_exec(
            *command, env=clean_environment(env=faults), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )

    @property
    def pid(self):
        """The process id of the server that runs, or of the last one."""
        return self._process.pid

    @property
    def kills(self):
        """The number of servers that were killed."""
        return self.exit_codes[-signal.SIGKILL]

    @property
    def is_serving(self):
        return self._ready.is_set()

    def kill(self):
        """Send SIGKILL, if the server runs."""
        if self._process.returncode is None:
            self._ready.clear()
            self.expect(-signal.SIGKILL)
            self.signal(signal.SIGKILL)

    def stop(self):
        """Send SIGTERM, if the server runs: it stops gracefully."""
        self._ready.clear()
        self.expect(0)
        self.signal(signal.SIGTERM)

    def expect(self, code):
        """Allow the server that runs to end with this code."""
        self._expected_exit_codes.add(code)

    def signal(self, number):
        send_signal(self._process, number)
