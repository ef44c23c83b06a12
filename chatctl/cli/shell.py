"""`--exec`: a command that the shell runs for each message, one at a time."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

from chatctl.cli import formats
from chatctl.errors import CommandFailed

BACKOFF_SECONDS, MOST_BACKOFF_SECONDS = 0.5, 10.0
END_SECONDS = 2.0  # how long a command has to end after SIGTERM
VALUE_BYTES = 64 * 1024  # Linux takes twice that in one variable
MESSAGE = "CHATCTL_MESSAGE_"
# What says what this run does. A reader that the command starts must not run the command again, for ever and ever.
OWN = {
    b"CHATCTL_" + name
    for name in b"AFTER COUNT CURSOR_FILE EXEC EXEC_RETRIES FOLLOW GREP LAST LIMIT SINCE UNTIL WAIT".split()
}
SHOWN = 60
TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)  # how the kernel stops who uses the terminal from the background


class Command:
    """A command line that /bin/sh runs for a message, with our stdout and stderr. One `run` at a time.

    It runs in a process group of its own, so the Ctrl-C that ends us does not end it, and it cannot read the terminal.
    If this process is killed, a command under way goes on. `interrupt` and `end` are for the event loop to call.
    """

    def __init__(self, line: str, retries: int, server: str, notice: Callable[[str], None] | None = None) -> None:
        """`server` is where a chatctl in it sends to; `notice` is told of each failure that another try follows."""
        self._line = line
        self._retries = retries
        self._notice = notice
        kept = {name: value for name, value in os.environb.items() if not name.startswith(MESSAGE.encode())}
        self._environment = {name: value for name, value in kept.items() if name not in OWN}
        self._environment[b"CHATCTL_SERVER"] = os.fsencode(server)
        self._interrupted = asyncio.Event()
        self._shell: subprocess.Popen[bytes] | None = None

    async def run(self, sequence: int, room: str, user: str, text: str, time: int, json_line: bytes) -> None:
        """Run it for a message until it exits with 0: then the message is done. `time` is in microseconds since 1970.

        The message is in its environment, a text over 64 KiB or with NUL excepted, and `json_line` is its stdin.
        Raises CommandFailed after 1 + `retries` failures, or after the one that `interrupt` or `end` left it. What the
        command leaves running in the background is not waited for. Cancelling ends the command at once (SIGKILL).
        """
        values = {"SEQUENCE": str(sequence), "ROOM": room, "USER": user, "TEXT": text, "TIME": formats.rfc3339(time)}
        environment = self._environment | _variables(values)
        what = f"`{_shown(self._line)}` failed for message {sequence} of room {formats.visible_name(room)}"
        tries = 0
        while fault := await self._try(environment, json_line):
            tries += 1
            seconds = min(BACKOFF_SECONDS * 2 ** min(tries - 1, 10), MOST_BACKOFF_SECONDS)
            again = tries <= self._retries and not self._interrupted.is_set()
            if again and self._notice:
                self._notice(f"{what} ({fault}); trying again in {seconds:g} s")
            if not again or not await self._pause(seconds):
                raise CommandFailed(f"{what} ({fault}; tried {'once' if tries == 1 else f'{tries} times'})")

    def interrupt(self) -> None:
        """Begin no more tries: a command under way goes on to its end, and if it exits with 0 its message is done."""
        self._interrupted.set()

    def end(self) -> None:
        """`interrupt`, and end a command under way: with SIGTERM, and with SIGKILL if it is there after two seconds."""
        self.interrupt()
        if shell := self._shell:
            _signal(shell, signal.SIGTERM)
            _signal(shell, signal.SIGCONT)  # it may have been stopped, as whoever reads the terminal in the background is
            asyncio.get_running_loop().call_later(END_SECONDS, self._kill, shell)

    def _kill(self, shell: "subprocess.Popen[bytes]") -> None:
        if shell is self._shell:  # otherwise it has ended, and its number may be another's
            _signal(shell, signal.SIGKILL)

    async def _pause(self, seconds: float) -> bool:
        """Wait before another try; whether there is to be one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._interrupted.wait()
        return not self._interrupted.is_set()

    async def _try(self, environment: dict[bytes, bytes], json_line: bytes) -> str:
        """Run it once; what went wrong, empty if nothing did."""
        try:
            shell = _start(self._line, environment, json_line)
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        self._shell, wants = shell, False
        try:
            # Its number stays its own until it is reaped, below: no signal of ours can reach another process.
            while stopped := await asyncio.to_thread(_stopped, shell.pid):
                if stopped in TERMINAL:
                    wants = True
                    _signal(shell, signal.SIGKILL)
        except BaseException:
            _signal(shell, signal.SIGKILL)
            raise
        finally:
            self._shell = None
            code = shell.wait()
        return "it wants to read from the terminal, which it cannot: give it another stdin" if wants else _fault(code)


def _stopped(pid: int) -> int:
    """Wait until a process is stopped, by which signal, or has ended, which is 0."""
    result = os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
    if result is None or result.si_code != os.CLD_STOPPED:
        return 0
    with suppress(ChildProcessError):  # it was killed meanwhile, which the next call tells
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)  # so that it is told once
    return result.si_status


def _start(line: str, environment: dict[bytes, bytes], stdin: bytes) -> "subprocess.Popen[bytes]":
    # A file in memory and no pipe: a command may read all of it, a part or nothing, and nobody waits for it to read.
    with open(os.memfd_create("message"), "w+b") as file:
        file.write(stdin)
        file.seek(0)
        shell = [b"/bin/sh", b"-c", b"--", os.fsencode(line)]
        return subprocess.Popen(shell, stdin=file, env=environment, process_group=0)  # noqa: S603 (that is what is asked for)


def _variables(values: dict[str, str]) -> dict[bytes, bytes]:
    """Bytes, as a locale may lack what a text holds; without what no variable can hold."""
    encoded = {f"{MESSAGE}{name}".encode(): value.encode() for name, value in values.items()}
    return {name: value for name, value in encoded.items() if len(value) <= VALUE_BYTES and b"\0" not in value}


def _signal(shell: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(PermissionError):  # it has become another user
        os.killpg(shell.pid, number)


def _fault(code: int) -> str:
    """What an exit code means; empty if nothing is wrong."""
    if code >= 0:
        return f"exit code {code}" if code else ""
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"ended by signal {-code}"


def _shown(line: str) -> str:
    return formats.visible(line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…")
