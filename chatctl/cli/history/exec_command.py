"""`--exec`: a command line that the shell runs for each message, one message at a time."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from chatctl.cli import options
from chatctl.cli.streams import orphans
from chatctl.cli.terminal import escape, times
from chatctl.cli.terminal.styling import inherited_environment
from chatctl.errors import ExecFailed

INITIAL_EXEC_BACKOFF_SECONDS, MAX_EXEC_BACKOFF_SECONDS = 0.5, 10.0
TERMINATE_SECONDS = 2.0  # from SIGTERM to SIGKILL
MAX_VALUE_BYTES = 64 * 1024  # Linux allows twice that in one variable
MESSAGE_VARIABLE_PREFIX = "CHATCTL_MESSAGE_"
# The options of this run, which 0.1.0 also read from the environment: such a reader, started by the command, must not run
# the command again.
RUN_VARIABLES = {options.variable_name(option).encode() for option in options.REMOVED_VARIABLES["history"]}
MAX_SHOWN_CHARS = 60  # of the command line, in an error
TERMINAL_SIGNALS = (signal.SIGTTIN, signal.SIGTTOU)  # the kernel stops background processes that use the terminal with these


class ExecMessage(NamedTuple):
    """A message for the command. `time` is in microseconds since 1970; `json_line` is the command's stdin."""

    sequence: int
    room: str
    user: str
    text: str
    time: int
    json_line: bytes
    input_id: str = ""
    """The input that the message is from; known only if the query asks for one input."""
    number: int = 0
    """The number in that input."""

    def variables(self) -> dict[bytes, bytes]:
        """Return the environment variables, without values that are too long for a variable or contain NUL.

        They are bytes because the locale's encoding may lack characters of the text.
        """
        values = {
            "SEQUENCE": str(self.sequence),
            "ROOM": self.room,
            "USER": self.user,
            "TEXT": self.text,
            "TIME": times.rfc3339(self.time),
        }
        if self.input_id:
            values |= {"INPUT_ID": self.input_id, "NUMBER": str(self.number)}
        encoded = {f"{MESSAGE_VARIABLE_PREFIX}{name}".encode(): value.encode() for name, value in values.items()}
        return {name: value for name, value in encoded.items() if len(value) <= MAX_VALUE_BYTES and b"\0" not in value}


class ExecCommand:
    """A command line that /bin/sh runs for a message, with our stdout and stderr. One `run` at a time.

    The command has its own process group. So the Ctrl-C that stops us does not stop it, and it cannot read the terminal.
    If this process is killed, a running command continues. Call `stop_retrying` and `terminate` in the event loop.
    """

    def __init__(self, command_line: str, retries: int, server: str, notify: Callable[[str], None] | None = None) -> None:
        """`server` is the default server of a chatctl in the command; `notify` gets a sentence before each retry."""
        self._command_line = command_line
        self._retries = retries
        self._notify = notify
        prefix = MESSAGE_VARIABLE_PREFIX.encode()
        self._environment = {
            name: value
            for name, value in inherited_environment().items()
            if not name.startswith(prefix) and name not in RUN_VARIABLES
        }
        self._environment[b"CHATCTL_SERVER"] = os.fsencode(server)
        self._stop_requested = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None

    async def run(self, message: ExecMessage) -> None:
        """Run the command for a message until it exits with 0; then the message is done.

        Raises ExecFailed after 1 + `retries` failures, or after a failure that follows `stop_retrying` or `terminate`.
        Does not wait for background processes that the command leaves. Cancelling ends the command at once (SIGKILL).
        """
        environment = self._environment | message.variables()
        room = escape.escape_name(message.room)
        failure = f"`{_shorten(self._command_line)}` failed for message {message.sequence} of room {room}"
        failures = 0
        while error := await self._run_once(environment, message.json_line):
            failures += 1
            seconds = min(INITIAL_EXEC_BACKOFF_SECONDS * 2 ** min(failures - 1, 10), MAX_EXEC_BACKOFF_SECONDS)
            retry = failures <= self._retries and not self._stop_requested.is_set()
            if retry and self._notify:
                self._notify(f"{failure} ({error}); trying again in {seconds:g} s")
            if not retry or not await self._wait_before_retry(seconds):
                raise ExecFailed(f"{failure} ({error}; tried {'once' if failures == 1 else f'{failures} times'})")

    def stop_retrying(self) -> None:
        """Start no more retries. A running command may finish; if it exits with 0, its message is done."""
        self._stop_requested.set()

    def terminate(self) -> None:
        """Start no more retries, and end a running command: with SIGTERM, and with SIGKILL after 2 s."""
        self.stop_retrying()
        if process := self._process:
            _signal_group(process, signal.SIGTERM)
            _signal_group(process, signal.SIGCONT)  # it may be stopped: background processes that read the terminal are
            asyncio.get_running_loop().call_later(TERMINATE_SECONDS, self._kill, process)

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        if process is self._process:  # otherwise it has ended, and its process id may be reused
            _signal_group(process, signal.SIGKILL)

    async def _wait_before_retry(self, seconds: float) -> bool:
        """Wait. Returns whether to retry."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop_requested.wait()
        return not self._stop_requested.is_set()

    async def _run_once(self, environment: dict[bytes, bytes], json_line: bytes) -> str | None:
        """Run the command once. Returns what failed, or None."""
        try:
            process = _start_shell(self._command_line, environment, json_line)
        except OSError as error:
            return f"cannot start it: {error.strerror}"
        self._process, reads_terminal = process, False
        orphans.own_children.add(process.pid)
        try:
            # The process id stays reserved until `process.wait` below: our signals cannot reach another process.
            while stop_signal := await asyncio.to_thread(_wait_for_stop, process.pid):
                if stop_signal in TERMINAL_SIGNALS:
                    reads_terminal = True
                    _signal_group(process, signal.SIGKILL)
        except BaseException:
            _signal_group(process, signal.SIGKILL)
            raise
        finally:
            self._process = None
            code = process.wait()
            orphans.own_children.discard(process.pid)
            if orphans.are_adopted():
                orphans.reap()
        return "it cannot read from the terminal: give it another stdin" if reads_terminal else _exit_error(code)


def _wait_for_stop(pid: int) -> int:
    """Wait until a process is stopped, and return the signal, or until it has ended, and return 0."""
    result = os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
    if result is None or result.si_code != os.CLD_STOPPED:
        return 0
    with suppress(ChildProcessError):  # it was killed meanwhile; the next call returns that
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)  # reports each stop once
    return result.si_status


def _start_shell(command_line: str, environment: dict[bytes, bytes], stdin: bytes) -> "subprocess.Popen[bytes]":
    # stdin is a file in memory, not a pipe: the command may read all of it, a part or nothing, and we never block.
    with open(os.memfd_create("message"), "w+b") as file:
        file.write(stdin)
        file.seek(0)
        arguments = [b"/bin/sh", b"-c", b"--", os.fsencode(command_line)]
        return subprocess.Popen(arguments, stdin=file, env=environment, process_group=0)  # noqa: S603 (the user asked for it)


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(PermissionError):  # it runs as another user now
        os.killpg(process.pid, number)


def _exit_error(code: int) -> str | None:
    """Return what an exit code means, or None for success."""
    if code >= 0:
        return f"exit code {code}" if code else None
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"ended by signal {-code}"


def _shorten(command_line: str) -> str:
    return escape.escape_text(
        command_line if len(command_line) <= MAX_SHOWN_CHARS else f"{command_line[: MAX_SHOWN_CHARS - 1]}…"
    )
