"""Run the examples of a page in a shell at a terminal, and compare what they print with what the page says."""

import contextlib
import fcntl
import os
import pty
import re
import secrets
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import NamedTuple

TIMEOUT_SECONDS = 60  # until a command is taken for a hang; no test measures time
SHOWN = "127.0.0.1"
"""The address that pages name. Each shell has another one of this machine, so that tests can run at the same time."""

_SAME = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "RFC3339"),
    (re.compile(r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d\d:\d\d:\d\dZ?"), "TIME"),
    (re.compile(r"(?<=[ E])[+-]\d\d:\d\d\b"), "+00:00"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "INPUT"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "LOG"),
    (re.compile(r"─+"), "─"),
)
_CALL_INSIDE = re.compile(r"(?:^|[|;&(\n])\s*chatctl ")
"""A call in a quoted command or substitution, and not the name in a sentence."""


class Example(NamedTuple):
    """A command of a page, the line it stands in, and what it prints."""

    line: int
    command: str
    output: str


def examples(block):
    """The commands of a console block: `$ ` begins one, `> ` goes on with it, the rest is what it prints."""
    found = []
    for number, line in enumerate(block.text.split("\n"), block.line):
        if line.startswith("$ "):
            found.append(Example(number, line[2:], ""))
        elif line.startswith("> ") and found and not found[-1].output:
            found[-1] = found[-1]._replace(command=f"{found[-1].command}\n{line[2:]}")
        elif found:
            found[-1] = found[-1]._replace(output=f"{found[-1].output}{line}\n")
    return found


def _normal(text):
    """The text without what differs from run to run: times, ids, and where lines are broken."""
    for pattern, word in _SAME:
        text = pattern.sub(word, text)
    return " ".join(text.split())


def matches(expected, actual):
    """Whether an output is what the page says, where `…` stands for any text."""
    parts = [re.escape(_normal(part)) for part in expected.split("…")]
    pattern = r"\s?.*?\s?".join(parts)
    return re.fullmatch(pattern, _normal(actual), re.DOTALL) is not None


class Shell:
    """A bash at a terminal of 100 columns, in an empty home, with chatctl in its path. Close it after use.

    What runs in the background has a terminal of its own, so that its output does not get into that of later commands.
    """

    def __init__(self, home):
        self._mark = secrets.token_hex(8)
        number = os.getpid() % 65_000
        self.address = f"127.{secrets.randbelow(200) + 20}.{number // 256}.{number % 256 or 1}"
        """What stands for the address that pages name."""
        self.status = 0
        """The exit code of the last command."""
        self._front, terminal = _terminal()
        self._back, self._back_terminal = _terminal()
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{sys.prefix}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb",
            "LANG": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1", "LOGNAME": "ann", "USER": "ann", "COLUMNS": "100",
            "CHATCTL_LISTEN": f"{self.address}:50051", "CHATCTL_SERVER": f"{self.address}:50051",
        }  # fmt: skip
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-s"], stdin=subprocess.PIPE, stdout=terminal, stderr=terminal, cwd=home,
            env=environment, start_new_session=True, text=True,
        )  # fmt: skip
        os.close(terminal)

    def run(self, example):
        """Run a command; its output once it has ended, or, if it goes on in the background, once that is as expected."""
        command, in_back = example.command.replace(SHOWN, self.address).rstrip(), example.command.rstrip().endswith("&")
        if in_back:
            command = f"{command[:-1]} >{os.ttyname(self._back_terminal)} 2>&1 &"
        self._bash.stdin.write(f"(exit {self.status})\n{{ {command}\n}} </dev/null; printf '\\n{self._mark} %d\\n' $?\n")
        self._bash.stdin.flush()
        mark = re.compile(rf"\n?{self._mark} (\d+)\n")
        output, found = self._read(self._front, mark.search)
        self.status = int(found[1]) if found else 1
        if in_back:
            # The page need not show what follows later.
            more, is_as_expected = self._read(self._back, lambda text: matches(f"{example.output}…", self._shown(text)))
            output = example.output if is_as_expected else output + more
        return self._shown(mark.sub("", output))

    def _shown(self, text):
        return text.replace(self.address, SHOWN)

    def _read(self, descriptor, enough):
        """What a terminal shows until it is enough, and what `enough` says of it; None if nothing comes for too long."""
        output, deadline = "", time.monotonic() + TIMEOUT_SECONDS
        while not (found := enough(output)):
            if time.monotonic() > deadline:
                return f"{output}\n(waited in vain)", None
            if select.select([descriptor], [], [], 0.5)[0]:
                output += os.read(descriptor, 1 << 16).decode(errors="replace").replace("\r\n", "\n")
        return output, found

    def close(self):
        """End the shell and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.stdin.close()
        self._bash.wait(TIMEOUT_SECONDS)
        for descriptor in (self._front, self._back, self._back_terminal):
            os.close(descriptor)


def _terminal():
    """A new terminal of 100 columns: the end to read, and the end to write."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    return master, terminal


def calls(script):
    """The calls of chatctl in a shell script, each as a list of words; those inside of quoted commands too."""
    for words in _commands(script):
        for at, word in enumerate(words):
            if Path(word).name == "chatctl":
                yield words[at + 1 :]
            elif _CALL_INSIDE.search(word):
                yield from calls(word)


def _commands(script):
    """The simple commands of a script."""
    logical = ""
    for line in script.split("\n"):
        logical += line.removesuffix("\\") if line.endswith("\\") else line + "\n"
        if line.endswith("\\"):
            continue
        lexer = shlex.shlex(logical, posix=True, punctuation_chars=";&|()<>\n")
        lexer.whitespace_split, lexer.whitespace = True, " \t"
        try:
            tokens = list(lexer)
        except ValueError:  # a quote that ends in a later line
            continue
        logical, command = "", []
        for token in tokens:
            if set(token) <= set(";&|()\n"):
                yield command
                command = []
            else:
                command.append(token)
        yield command
    assert not logical.strip(), f"a quote without an end: {logical}"
