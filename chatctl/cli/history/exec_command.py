"""`--exec`: a command that the shell runs for each message, one at a time."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

from chatctl.cli.terminal import escape, times
from chatctl.errors import ExecFailed

INITIAL_EXEC_BACKOFF_SECONDS, MAX_EXEC_BACKOFF_SECONDS = 0.5, 10.0
TERMINATE_SECONDS = 2.0  # how long a command has to end after SIGTERM
MAX_VALUE_BYTES = 64 * 1024  # Linux takes twice that in one variable
MESSAGE_VARIABLE_PREFIX = "CHATCTL_MESSAGE_"
# What says what this run does. A reader that the command starts must not run the command again, for ever and ever.
RUN_VARIABLES = {
    b"CHATCTL_" + name
    for name in b"AFTER COUNT CURSOR_FILE EXEC EXEC_RETRIES FOLLOW GREP LAST LIMIT SINCE UNTIL WAIT".split()
}
MAX_SHOWN_CHARS = 60
TERMINAL_SIGNALS = (signal.SIGTTIN, signal.SIGTTOU)  # how the kernel stops who uses the terminal from the background


class ExecCommand:
    """A command line that /bin/sh runs for a message, with our stdout and stderr. One `run` at a time.

    It runs in a process group of its own, so the Ctrl-C that ends us does not end it, and it cannot read the terminal.
    If this process is killed, a command under way goes on. `stop_retrying` and `terminate` are for the event loop to call.
    """

    def __init__(self, command_line: str, retries: int, server: str, notify: Callable[[str], None] | None = None) -> None:
        """`server` is where a chatctl in it sends to; `notify` is told of each failure that another try follows."""
        self._command_line = command_line
        self._retries = retries
        self._notify = notify
        inherited = {
            name: value for name, value in os.environb.items() if not name.startswith(MESSAGE_VARIABLE_PREFIX.encode())
        }
        self._environment = {name: value for name, value in inherited.items() if name not in RUN_VARIABLES}
        self._environment[b"CHATCTL_SERVER"] = os.fsencode(server)
        self._stop_requested = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None

    async def run(self, sequence: int, room: str, user: str, text: str, time: int, json_line: bytes) -> None:
        """Run it for a message until it exits with 0: then the message is done. `time` is in microseconds since 1970.

        The message is in its environment, a text over 64 KiB or with NUL excepted, and `json_line` is its stdin.
        Raises ExecFailed after 1 + `retries` failures, or after the one that `stop_retrying` or `terminate` left it. What the
        command leaves running in the background is not waited for. Cancelling ends the command at once (SIGKILL).
        """
        values = {"SEQUENCE": str(sequence), "ROOM": room, "USER": user, "TEXT": text, "TIME": times.rfc3339(time)}
        environment = self._environment | _message_variables(values)
        failure = f"`{_shorten(self._command_line)}` failed for message {sequence} of room {escape.escape_name(room)}"
        failures = 0
        while error := await self._run_once(environment, json_line):
            failures += 1
            seconds = min(INITIAL_EXEC_BACKOFF_SECONDS * 2 ** min(failures - 1, 10), MAX_EXEC_BACKOFF_SECONDS)
            retry = failures <= self._retries and not self._stop_requested.is_set()
            if retry and self._notify:
                self._notify(f"{failure} ({error}); trying again in {seconds:g} s")
            if not retry or not await self._wait_before_retry(seconds):
                raise ExecFailed(f"{failure} ({error}; tried {'once' if failures == 1 else f'{failures} times'})")

    def stop_retrying(self) -> None:
        """Begin no more tries: a command under way goes on to its end, and if it exits with 0 its message is done."""
        self._stop_requested.set()

    def terminate(self) -> None:
        """`stop_retrying`, and end a command under way: with SIGTERM, and with SIGKILL if it is there after two seconds."""
        self.stop_retrying()
        if process := self._process:
            _signal_group(process, signal.SIGTERM)
            _signal_group(
                process, signal.SIGCONT
            )  # it may have been stopped, as whoever reads the terminal in the background is
            asyncio.get_running_loop().call_later(TERMINATE_SECONDS, self._kill, process)

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        if process is self._process:  # otherwise it has ended, and its number may be another's
            _signal_group(process, signal.SIGKILL)

    async def _wait_before_retry(self, seconds: float) -> bool:
        """Wait before another try; whether there is to be one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop_requested.wait()
        return not self._stop_requested.is_set()

    async def _run_once(self, environment: dict[bytes, bytes], json_line: bytes) -> str:
        """Run it once; what went wrong, empty if nothing did."""
        try:
            process = _start_shell(self._command_line, environment, json_line)
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        self._process, reads_terminal = process, False
        try:
            # Its number stays its own until it is reaped, below: no signal of ours can reach another process.
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
        return (
            "it wants to read from the terminal, which it cannot: give it another stdin"
            if reads_terminal
            else _exit_error(code)
        )


def _wait_for_stop(pid: int) -> int:
    """Wait until a process is stopped, by which signal, or has ended, which is 0."""
    result = os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
    if result is None or result.si_code != os.CLD_STOPPED:
        return 0
    with suppress(ChildProcessError):  # it was killed meanwhile, which the next call tells
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)  # so that it is told once
    return result.si_status


def _start_shell(command_line: str, environment: dict[bytes, bytes], stdin: bytes) -> "subprocess.Popen[bytes]":
    # A file in memory and no pipe: a command may read all of it, a part or nothing, and nobody waits for it to read.
    with open(os.memfd_create("message"), "w+b") as file:
        file.write(stdin)
        file.seek(0)
        arguments = [b"/bin/sh", b"-c", b"--", os.fsencode(command_line)]
        return subprocess.Popen(arguments, stdin=file, env=environment, process_group=0)  # noqa: S603 (that is what is asked for)


def _message_variables(values: dict[str, str]) -> dict[bytes, bytes]:
    """Bytes, as a locale may lack what a text holds; without what no variable can hold."""
    encoded = {f"{MESSAGE_VARIABLE_PREFIX}{name}".encode(): value.encode() for name, value in values.items()}
    return {name: value for name, value in encoded.items() if len(value) <= MAX_VALUE_BYTES and b"\0" not in value}


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(PermissionError):  # it has become another user
        os.killpg(process.pid, number)


def _exit_error(code: int) -> str:
    """What an exit code means; empty if nothing is wrong."""
    if code >= 0:
        return f"exit code {code}" if code else ""
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"ended by signal {-code}"


def _shorten(command_line: str) -> str:
    return escape.escape_text(
        command_line if len(command_line) <= MAX_SHOWN_CHARS else f"{command_line[: MAX_SHOWN_CHARS - 1]}…"
    )
