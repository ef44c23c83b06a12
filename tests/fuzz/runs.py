"""Carries out a plan: starts the process, feeds and reads its streams, sends its signals, and ends it if it hangs."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.fuzz import child
from tests.fuzz.contents import content
from tests.fuzz.descriptors import open_streams
from tests.fuzz.feeding import Feeding

HANGS_SECONDS = 8  # in addition to the time that a run has after SIGTERM: then it is killed
PROGRESS_SECONDS = 1  # a run without a signal that has written something in this time does not hang: the log is long
MAX_SECONDS = 60  # then it does: it writes without end
TRACE_SECONDS = 0.2
TRACED_FRAMES = 8
ALONE = {  # surroundings of the second command
    "stdin": "quiet", "stdout": "null", "stderr": "null", "ignored": [], "blocked": [], "limits": {}, "umask": 0o022,
    "directory": "own", "environment": {}, "companion": [],
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """The servers and files that all runs share."""

    addresses: dict[str, str]  # by the kind of server; `-send` at the end is for `send` only
    receipts: str  # path of a file of receipts
    cursor: str
    used_store: str  # of a server that runs

    def values(self, plan, folder):
        """Return what stands for the names in arguments and variables."""
        address = self.addresses.get(f"{plan.server}-send" if plan.command == "send" else "") or self.addresses[plan.server]
        return {
            "@SERVER@": address, "@FOLDER@": folder, "@RECEIPTS@": self.receipts, "@CURSOR@": self.cursor,
            "@USED@": self.used_store, "@TAKEN@": self.addresses["real"],
        }  # fmt: skip


@dataclass
class Outcome:
    """How a run ended."""

    code: int = 0  # below 0: the signal that ended it
    seconds: float = 0.0
    seconds_after_signal: float | None = None  # after SIGTERM, without the time in which it waited for a processor
    hung: bool = False
    trace: str = ""
    outputs: dict[str, bytes] = field(default_factory=dict)


def replaced(text, values):
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def environment_of(plan, values, folder):
    environment = {
        "PATH": os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8", "TZ": "UTC", "LOGNAME": "tess", "TERM": "xterm",
        "CHATCTL_SERVER": values["@SERVER@"], "GRPC_VERBOSITY": "NONE",
    }  # fmt: skip
    for name, value in plan.environment.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = replaced(value, values)
    return environment


def make_folder():
    """Make a directory with the files that arguments name."""
    folder = tempfile.mkdtemp(prefix="chatctl-fuzz-")
    path = Path(folder)
    for name in ("work", "directory"):
        (path / name).mkdir()
    (path / "garbage").write_bytes(b"\x00\xffgarbage\n{}\n")
    (path / "read-only").write_text("x\n")
    (path / "read-only").chmod(0o400)
    (path / "unconfirmed").write_text('{"number":1,"room":"ops","user":"ann","input_id":"again","text":"unconfirmed"}\n')
    for name, target in (("link", "garbage"), ("dangling", "missing"), ("loop", "loop")):
        (path / name).symlink_to(target)
    os.mkfifo(path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
    for name, minor in (("null", 3), ("full", 7)):
        try:
            os.mknod(path / name, 0o600 | 0o020000, os.makedev(1, minor))  # root could replace those in /dev
        except PermissionError:
            (path / name).symlink_to(f"/dev/{name}")
    return folder


class Run:
    """A run of a plan. `carry_out` returns in the forked process, too: with True, once it is to be the command."""

    def __init__(self, plan, world, main):
        """`main` runs the command line."""
        self.plan = plan
        self._main = main
        self.outcome = Outcome()
        self._world = world
        self._signalled = None  # when SIGTERM was sent, and the time until then in which the process waited for a processor

    def carry_out(self):
        self.folder = make_folder()
        Path(f"{self.folder}/cursor").write_text(self._world.cursor)
        values = self._world.values(self.plan, self.folder)
        self.arguments = [replaced(word, values) for word in self.plan.arguments]
        environment = environment_of(self.plan, values, self.folder)
        receipts = Path(self._world.receipts).read_bytes()
        self._companion = self._start_companion(values)
        self._streams = open_streams(self.plan, content(self.plan.content, self.plan.index, receipts), self.folder)
        self._pid = _fork()
        if not self._pid:
            child.become(self.plan, self.arguments, environment, self._streams, self.folder)
            return True
        self._streams.close_theirs()
        try:
            self._supervise()
        finally:
            self._end()
        return False

    def _start_companion(self, values):
        """Start the second command, and return its process id."""
        if not self.plan.companion:
            return 0
        plan = replace(
            self.plan, **ALONE, own_interpreter=False, arguments=[replaced(word, values) for word in self.plan.companion]
        )
        streams = open_streams(plan, b"", self.folder)
        self._companion_streams = streams
        if pid := _fork():
            streams.close_theirs()
            return pid
        try:
            child.become(plan, plan.arguments, environment_of(plan, values, self.folder), streams, self.folder)
            self._main()
        finally:
            os._exit(0)

    def _supervise(self):
        start = time.monotonic()
        events, limit, bytes_read = list(self.plan.events), start + self.plan.seconds, 0
        with contextlib.closing(Feeding(self._streams, self._pid)) as feeding:
            while not feeding.has_ended:
                now = time.monotonic()
                while events and now >= start + events[0][0]:
                    name = events.pop(0)[1]
                    self._cause(name, feeding)
                    limit = now + self.plan.seconds + (HANGS_SECONDS if name == "SIGTERM" else 0)
                if not events and now >= limit and not self.outcome.hung:
                    if self._signalled or feeding.bytes_read == bytes_read or now > start + MAX_SECONDS:
                        self._kill_hanging()
                    bytes_read, limit = feeding.bytes_read, now + PROGRESS_SECONDS
                feeding.handle(max(0, (start + events[0][0] if events else limit) - now))
            now = time.monotonic()
            self.outcome.seconds = now - start
            if self._signalled:
                self.outcome.seconds_after_signal = now - self._signalled[0] - (_run_delay(self._pid) - self._signalled[1])
            feeding.read_rest()

    def _cause(self, name, feeding):
        if name == "hang up":
            feeding.forget(self._streams.terminal[0])
        elif name == "close stdout":
            feeding.forget(self._streams.breakable)
        else:
            if name == "SIGTERM" and (not self._signalled or "--exec" in str(self.plan.arguments)):
                self._signalled = time.monotonic(), _run_delay(self._pid)
            os.kill(self._pid, getattr(signal, name))

    def _kill_hanging(self):
        self.outcome.hung = True
        status = Path(f"/proc/{self._pid}/status").read_text()
        if not self.plan.own_interpreter:
            os.kill(self._pid, child.TRACE_SIGNAL)
            time.sleep(TRACE_SECONDS)
        states = [line for line in status.splitlines() if line.startswith(("State", "SigPnd", "ShdPnd", "SigBlk"))]
        frames = [line for line in Path(f"{self.folder}/trace").read_text().splitlines() if "/chatctl/" in line]
        self.outcome.trace = "\n".join([*states, *frames[:TRACED_FRAMES]])
        os.kill(self._pid, signal.SIGKILL)

    def _end(self):
        """Reap the process, and end what is left of its group."""
        if not self.outcome.seconds:  # we are interrupted
            os.kill(self._pid, signal.SIGKILL)
        if self._companion:
            os.kill(self._companion, signal.SIGKILL)
            os.waitpid(self._companion, 0)
            self._companion_streams.close_ours()
        self.outcome.code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        self.outcome.outputs = {name: self._streams.output(name) for name in ("stdout", "stderr", "terminal")}
        self._streams.close_ours()
        shutil.rmtree(self.folder, ignore_errors=True)


def _fork():
    """Fork. All signals are blocked in the new process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if pid := os.fork():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    return pid


def _run_delay(pid):
    """Return the seconds in which a process was ready to run and waited for a processor."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0
