"""Followers of the command line: `chatctl history -f` with a cursor file, as a real process that is restarted."""

import asyncio
import json
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter

from tests.faults.grpc_api import microseconds_of_text
from tests.faults.readers import RETRY_SECONDS
from tests.faults.signals import send_signal
from tests.support.cli import CHATCTL, clean_environment

SIGTERM_EXIT = 128 + signal.SIGTERM
# Exit codes after which the same command is run again: no server, failed store, and the signals of these
# tests. The last is SIGTERM before the command handles signals.
RETRIED_EXITS = (78, 79, -signal.SIGKILL, SIGTERM_EXIT, -signal.SIGTERM)


class UnexpectedEnd(Exception):
    """A follower ended with an unexpected code, or in the middle of a line."""


class RestartedFollower:
    """Follows rooms (none: all) and passes messages to a ReaderCheck; `run` it as a task.

    When the process ends, it is started again with the same cursor file. Only after a SIGKILL may messages repeat.
    """

    def __init__(self, address, file, check, timeout):
        self.check = check
        self.exit_codes = Counter()  # how often it ended with each code
        self.process = None
        self._printed = False  # anything, in this run
        self.may_read = asyncio.Event()  # while cleared, its output is not read
        self.may_read.set()
        rooms = [argument for room in check.rooms for argument in ("--room", room)]
        where = ("--server", address, "--timeout", timeout, "--cursor-file", str(file))
        self._command = (*CHATCTL, "history", "--follow", "--json", *where, *rooms)

    async def run(self):
        while True:
            code, stderr = await self._run_once()
            self.exit_codes[code] += 1
            if code not in RETRIED_EXITS or b"Traceback" in stderr:
                raise UnexpectedEnd(f"{self.check.name} ended with {code}: {stderr.decode(errors='replace')}")
            await asyncio.sleep(RETRY_SECONDS)

    @property
    def reconnects(self):
        """The number of restarts."""
        return self.exit_codes.total()

    @property
    def is_running(self):
        return self.process is not None and self.process.returncode is None

    @property
    def is_at_work(self):
        """Whether it runs and has printed anything."""
        return self.is_running and self._printed

    def signal(self, number):
        """Send the process a signal, if it is running."""
        send_signal(self.process, number)

    async def _run_once(self):
        """Run it once, and return its exit code and its stderr."""
        streams = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE, "limit": 1 << 16}
        self._printed = False
        self.process = await asyncio.create_subprocess_exec(*self._command, env=clean_environment(), **streams)
        try:
            partial_line, stderr = await asyncio.gather(self._read(), self.process.stderr.read())
            code = await self.process.wait()
        finally:
            if self.process.returncode is None:
                send_signal(self.process, signal.SIGKILL)
                await self.process.communicate()  # `wait` would never end if its output is not read
        if code == -signal.SIGKILL:
            self.check.allow_repeat()
        elif partial_line:
            raise UnexpectedEnd(f"{self.check.name} ended with {code} in the middle of a line: {partial_line[-100:]!r}")
        return code, stderr

    async def _read(self):
        """Pass the printed messages to the ReaderCheck, and return what is left at the end: a part of a line."""
        partial_line = b""
        while chunk := await self.process.stdout.read(1 << 16):
            self._printed = True
            *lines, partial_line = (partial_line + chunk).split(b"\n")
            for message in map(json.loads, lines):
                time = microseconds_of_text(message["time"])
                self.check.add(message["sequence"], message["room"], message["user"], time, [message["text"]])
            await self.may_read.wait()
        return partial_line
