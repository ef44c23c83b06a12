"""Run the real `chatctl` for golden files: processes, servers, and output without what varies from run to run."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from golden_form import without_what_varies

TIMEOUT_SECONDS = 60  # after which a wait counts as a hang
READY = "listening on "
STDIN, STDOUT, STDERR = range(3)
TOKEN = re.compile(r"\b(?:SERVER|NOBODY|SILENT|WEB|LOG|DIR)\b")
"""Stand for real values in commands, inputs and files; the output shows them again."""
SHOWN, SHOWN_OUTPUT = 200, 1500  # characters of a command or an input, and of a line of output
MOST_LINES = 60  # shown of one stream


class Step(NamedTuple):
    """One command of a case. `show` are files to show afterwards; `lines`: SIGINT after this number of lines on stdout.

    `files` are those that take the place of stdin and stdout.
    """

    command: str
    stdin: str | bytes = b""
    env: dict[str, str] = {}  # noqa: RUF012 (never changed)
    show: tuple[str, ...] = ()
    terminal: bool = False  # stdout and stderr are one
    lines: int = 0
    files: tuple[str, str] = ("", "")


@dataclass
class Place:
    """Where a case runs: a directory of its own, and what the tokens stand for."""

    directory: Path
    tokens: dict[str, str]
    version: str
    told: list[str] = field(default_factory=list)
    running: "list[Running]" = field(default_factory=list)

    def real(self, text: str) -> str:
        """The text with the values of its tokens."""
        return TOKEN.sub(lambda token: str(self.directory) if token[0] == "DIR" else self.tokens[token[0]], text)

    def shown(self, text: str) -> str:
        """The text as a golden file shows it."""
        places = {str(self.directory): "DIR", str(self.directory.parent): "HOME"}
        return without_what_varies(text, {value: token for token, value in self.tokens.items()} | places, self.version)

    def start(
        self, command: str, env: dict[str, str] | None = None, terminal: bool = False, files: tuple[str, str] = ("", "")
    ) -> "Running":
        """Start a command that goes on beside others."""
        env = {name: self.real(value) for name, value in (env or {}).items()}
        running = Running([self.real(word) for word in shlex.split(command)], self.directory, env, terminal, files)
        self.running.append(running)
        return running

    def serve(self, options: str = "", token: str = "SERVER", store: str = "sqlite:chat.db") -> "Running":
        """Start a server; the token stands for its address from here on."""
        server = self.start(f"serve --listen 127.0.0.1:0 --store {store} {options}")
        self.tokens[token] = server.awaited(READY).partition(READY)[2]
        return server

    def run(self, step: Step) -> None:
        """Run a command to its end and tell what it did."""
        running = self.start(step.command, step.env, step.terminal, step.files)
        running.feed(self.real(step.stdin).encode("utf-8", "surrogateescape") if isinstance(step.stdin, str) else step.stdin)
        running.close()
        if step.lines:
            running.awaited_lines(step.lines)
            running.process.send_signal(signal.SIGINT)
        self.tell(step.command, running, step)

    def tell(self, command: str, running: "Running", step: Step | None = None) -> None:
        """Wait for the end of a command, and keep what it did."""
        code = running.ended()
        settings = "".join(f"{name}={shlex.quote(value)} " for name, value in (step.env if step else {}).items())
        streams = "".join(f" {sign} {name}" for sign, name in zip("<>", step.files if step else (), strict=False) if name)
        self.told.append(_shortened(f"$ {settings}chatctl {command}{streams}".strip()))
        if step and step.stdin:
            self.told.append(f"stdin: {_shortened(repr(step.stdin))}")
        out, err = running.text(STDOUT), running.text(STDERR)
        if step and step.lines:
            out = "".join(out.splitlines(keepends=True)[: step.lines])
        for name, text in (("terminal" if running.terminal else "stdout", out), ("stderr", err)):
            self._tell_text(f"{name}:", text)
        self.told.append(f"exit code: {code}")
        for name in step.show if step else ():
            path = self.directory / name
            self._tell_text(f"{name}:", path.read_text("utf-8", "backslashreplace") if path.exists() else None)

    def _tell_text(self, head: str, text: str | None) -> None:
        if text is None:
            self.told.append(f"{head} there is none")
        elif text or not head.startswith(("stdout", "stderr", "terminal")):
            lines = [_shortened(line, SHOWN_OUTPUT) for line in self.shown(text).split("\n")]
            unfinished = lines.pop() != ""
            if len(lines) > MOST_LINES:
                lines[MOST_LINES:] = [f"... and {len(lines) - MOST_LINES} more lines"]
            self.told += [head, *(f"  {line}".rstrip() for line in lines)]
            if unfinished:
                self.told[-1:] = [
                    self.told[-1],
                    f"  {_shortened(self.shown(text).rpartition(chr(10))[2], SHOWN_OUTPUT)}",
                    "  (no newline)",
                ]

    def close(self) -> None:
        """End what is still running."""
        for running in self.running:
            running.kill()


class Running:
    """A `chatctl` process, whose output is read as it comes."""

    def __init__(
        self,
        words: list[str],
        directory: Path,
        env: dict[str, str],
        terminal: bool = False,
        files: tuple[str, str] = ("", ""),
    ) -> None:
        self.terminal = terminal
        ours, theirs = pty.openpty() if terminal else (-1, subprocess.PIPE)
        if terminal:
            _make_raw(theirs)
        flags = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT)
        given = [os.open(directory / name, flag) if name else None for name, flag in zip(files, flags, strict=True)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chatctl", *words],
            stdin=subprocess.PIPE if given[0] is None else given[0],
            stdout=theirs if given[1] is None else given[1],
            stderr=theirs,
            cwd=directory,
            env=environment(directory.parent, terminal) | env,
            start_new_session=True,
        )
        for descriptor in [*given, theirs if terminal else None]:
            if descriptor is not None:
                os.close(descriptor)
        self._output = {STDOUT: b"", STDERR: b""}
        self._news = threading.Condition()
        pipes = {STDOUT: self.process.stdout, STDERR: self.process.stderr}
        sources = {STDOUT: ours} if terminal else {number: pipe.fileno() for number, pipe in pipes.items() if pipe}
        self._readers = [threading.Thread(target=self._read, args=source, daemon=True) for source in sources.items()]
        self._open = set(sources)
        for reader in self._readers:
            reader.start()

    def _read(self, stream: int, descriptor: int) -> None:
        while True:
            with suppress(OSError):  # so a terminal ends
                data = os.read(descriptor, 65536)
                if data:
                    with self._news:
                        self._output[stream] += data
                        self._news.notify_all()
                    continue
            break
        with self._news:
            self._open.discard(stream)
            self._news.notify_all()
        if self.terminal:
            os.close(descriptor)

    def text(self, stream: int) -> str:
        """What it has written on a stream so far."""
        return self._output[stream].decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\x1b", "\\x1b")

    def awaited(self, text: str) -> str:
        """Wait for a whole line with this text, on either stream; the line without its end."""
        return self._wait(lambda: (line for n in (STDERR, STDOUT) for line in self._lines(n) if text in line), text)

    def awaited_lines(self, count: int) -> None:
        """Wait for this number of lines on stdout."""
        self._wait(lambda: self._lines(STDOUT)[count - 1 : count], f"{count} lines")

    def _lines(self, stream: int) -> list[str]:
        return self.text(stream).split("\n")[:-1]

    def _wait(self, found: Callable[[], Iterable[str]], what: str) -> str:
        with self._news:
            self._news.wait_for(lambda: any(True for _ in found()) or not self._open, TIMEOUT_SECONDS)
            for line in found():
                return line
        raise AssertionError(f"{self.process.args} did not write {what!r}: {self._output}")

    def feed(self, data: bytes) -> None:
        """Write on its stdin."""
        with suppress(BrokenPipeError):  # what it does not read, it does not need
            if self.process.stdin:
                self.process.stdin.write(data)
                self.process.stdin.flush()

    def close(self) -> None:
        """End its stdin."""
        with suppress(BrokenPipeError):
            if self.process.stdin:
                self.process.stdin.close()

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(TIMEOUT_SECONDS)
        for reader in self._readers:
            reader.join(TIMEOUT_SECONDS)
        return code

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(TIMEOUT_SECONDS)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                with suppress(OSError):
                    stream.close()


def _make_raw(descriptor: int) -> None:
    """Let a terminal pass lines as they are."""
    settings = termios.tcgetattr(descriptor)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)


def environment(home: Path, terminal: bool = False) -> dict[str, str]:
    """The environment of every command: nothing of the developer's."""
    fixed = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "100", "NO_COLOR": "1", "LOGNAME": "tester", "HOME": str(home)}
    return {"PATH": os.environ["PATH"], "TERM": "xterm" if terminal else "dumb", **fixed}


def _shortened(text: str, most: int = SHOWN) -> str:
    """Text without control characters, and not too long."""
    text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return text if len(text) <= most else f"{text[: most - 40]}... ({len(text)} characters)"
