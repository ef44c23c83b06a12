"""Followers of the command line: `chatctl history -f` with a cursor file, as a real process that is run again and again."""

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
# Ends after which the same command is to be run again: a silent server, none, a store that failed, and what only these
# tests send. The last is SIGTERM before the command has taken hold of its signals.
RETRIED_EXITS = (68, 78, 79, -signal.SIGKILL, SIGTERM_EXIT, -signal.SIGTERM)


class UnexpectedEnd(Exception):
    """A follower ended as it should not have."""


class RestartedFollower:
    """Follows rooms (none: everything) into the checker's Reader; `run` it as a task.

    However it ends, it is run again with the same cursor file. Only after a SIGKILL something may come again.
    """

    def __init__(self, address, file, seen, timeout):
        self.check = seen
        self.exit_codes = Counter()  # how often it ended with which code
        self.process = None
        self._printed = False  # whether it has, in this run
        self.may_read = asyncio.Event()  # cleared: nobody reads what it prints
        self.may_read.set()
        rooms = [argument for room in seen.rooms for argument in ("--room", room)]
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
        """How often it was run again."""
        return self.exit_codes.total()

    @property
    def is_running(self):
        return self.process is not None and self.process.returncode is None

    @property
    def is_at_work(self):
        """Whether it runs and has printed something."""
        return self.is_running and self._printed

    def signal(self, number):
        """Send the process a signal, if it is running."""
        send_signal(self.process, number)

    async def _run_once(self):
        """One run: its exit code, and what it said on stderr."""
        streams = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE, "limit": 1 << 16}
        self._printed = False
        self.process = await asyncio.create_subprocess_exec(*self._command, env=clean_environment(), **streams)
        try:
            partial_line, stderr = await asyncio.gather(self._read(), self.process.stderr.read())
            code = await self.process.wait()
        finally:
            if self.process.returncode is None:
                send_signal(self.process, signal.SIGKILL)
                await self.process.wait()
        if code == -signal.SIGKILL:
            self.check.allow_repeat()
        elif partial_line:
            raise UnexpectedEnd(f"{self.check.name} ended with {code} in the middle of a line: {partial_line[-100:]!r}")
        return code, stderr

    async def _read(self):
        """Tell the reader of what it prints, line by line; what is left at its end is a part of a line."""
        partial_line = b""
        while chunk := await self.process.stdout.read(1 << 16):
            self._printed = True
            *lines, partial_line = (partial_line + chunk).split(b"\n")
            for message in map(json.loads, lines):
                time = microseconds_of_text(message["time"])
                self.check.add(message["sequence"], message["room"], message["user"], time, [message["text"]])
            await self.may_read.wait()
        return partial_line
