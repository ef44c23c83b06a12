"""What the cases share: a chatctl that is installed somewhere, its servers, terminals and proxies, and how a case ends.

It imports nothing of chatctl, and nothing that is not in Python: a case tries a chatctl of any version.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS = 30  # after which a wait counts as a hang
OK, FAULT, UNTRIED = 0, 1, 2
WITHIN = "CHATCTL_CASE_WITHIN_NAMESPACES"


class Fault(Exception):
    """The fault that a case is about is there."""


class Untried(Exception):
    """A case cannot be tried on this machine."""


def check(condition, message):
    """Raise Fault unless a condition holds."""
    if not condition:
        raise Fault(message)


def until(condition, description, seconds=SECONDS):
    """Wait for a condition to hold, and return its value. Raises Fault."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        check(time.monotonic() < deadline, f"waited {seconds} s in vain for {description}")
        time.sleep(0.02)
    return found


def require(*programs):
    """Raise Untried unless these programs are installed."""
    for program in programs:
        if not shutil.which(program):
            raise Untried(f"needs {program}")


def enter_namespaces(*options):
    """Run the case again in new namespaces, of mounts for example. Without root also in one of users."""
    if WITHIN in os.environ:
        return
    require("unshare")
    command = ["unshare", *options, *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode:
        raise Untried(f"needs the right to run {shlex.join(command)}")
    os.execvpe(command[0], [*command, sys.executable, *sys.argv], {**os.environ, WITHIN: "yes"})  # nothing is open yet


class Server:
    """`chatctl serve` in a process of its own. It is ready once the constructor returns, if it starts at all."""

    def __init__(self, chatctl, store, *args, listen="127.0.0.1:0", command=None):
        self.log_path = Path(tempfile.mkstemp(prefix="log-", dir=chatctl.folder)[1])
        command = [*(command or [chatctl.path]), "serve", "--listen", listen, "--store", f"sqlite:{store}", *args]
        with open(self.log_path, "w") as log:
            self.process = chatctl.start_command(*command, stderr=log)
        until(lambda: self.address or self.process.poll() is not None, "the start of the server")

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def address(self):
        """Its address, or None if it has not started."""
        lines = [line for line in self.log.splitlines() if line.startswith("listening on ")]
        return lines[0].removeprefix("listening on ") if lines else None

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(SECONDS)


class Terminal:
    """A command in a pane of tmux."""

    def __init__(self, chatctl, columns, rows, *args):
        require("tmux")
        self._socket = str(chatctl.folder / "tmux")
        self._tmux("new-session", "-d", "-s", "main", "-x", str(columns), "-y", str(rows), shlex.join([chatctl.path, *args]))
        self._tmux("set", "-g", "status", "off")
        self.resize(columns, rows)

    def resize(self, columns, rows):
        self._tmux("resize-window", "-t", "main", "-x", str(columns), "-y", str(rows))

    def _tmux(self, *args):
        done = subprocess.run(["tmux", "-S", self._socket, "-f", "/dev/null", *args], capture_output=True, text=True)
        return done.stdout

    @property
    def rows(self):
        """The rows of the screen."""
        return self._tmux("capture-pane", "-p", "-t", "main").splitlines()

    def type(self, text):
        self._tmux("send-keys", "-t", "main", "-l", "--", text)

    def type_bytes(self, data):
        self._tmux("send-keys", "-t", "main", "-H", *(f"{byte:02x}" for byte in data))

    def press(self, key):
        self._tmux("send-keys", "-t", "main", key)

    def until_shown(self, text):
        return until(lambda: any(text in row for row in self.rows), f"{text!r} on the screen")

    def row_of(self, text):
        """Return the number of the first row with a text, or None."""
        return next((number for number, row in enumerate(self.rows) if text in row), None)

    def until_settled(self):
        """Wait until the screen has not changed for half a second, and return its rows."""
        rows, since = self.rows, time.monotonic()
        while time.monotonic() - since < 0.5:
            time.sleep(0.05)
            if (now := self.rows) != rows:
                rows, since = now, time.monotonic()
        return rows

    def close(self):
        self._tmux("kill-server")


class Chatctl:
    """An installed chatctl, and a folder in which its commands run. A context manager, which ends what it started."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.folder = Path(tempfile.mkdtemp(prefix="chatctl-case-"))
        for name in [name for name in os.environ if name.startswith("CHATCTL_") and name != WITHIN]:
            del os.environ[name]
        os.environ.pop("PYTHONUNBUFFERED", None)  # hides what happens to buffered output
        os.environ.update(HOME=str(self.folder), LC_ALL="C.UTF-8", NO_COLOR="1")
        os.chdir(self.folder)
        self._processes = []
        self._closed = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._closed.close()
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        os.chdir("/")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def python(self):
        """The interpreter that has chatctl installed."""
        first = Path(self.path).read_bytes().partition(b"\n")[0].decode()
        if not first.startswith("#!") or "python" not in first:
            raise Untried(f"{self.path} does not name its Python")
        return first.removeprefix("#!").strip()

    def at_end(self, function, *args):
        """Call a function when the case ends."""
        self._closed.callback(function, *args)

    def serve(self, *args, store=None, **options):
        """Start a server, and make it the one of all commands. Raises Fault if it does not start."""
        server = Server(self, store or self.folder / "store" / "chat.db", *args, **options)
        check(server.address, f"the server did not start: {server.log}")
        os.environ["CHATCTL_SERVER"] = server.address
        return server

    def try_serve(self, *args, store):
        """Start a server that may refuse to start."""
        return Server(self, store, *args)

    def start_command(self, *command, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        self._processes.append(subprocess.Popen(command, **options))
        return self._processes[-1]

    def start(self, *args, **options):
        """Start a command, by default without streams. It is killed at the end."""
        return self.start_command(self.path, *args, **options)

    def run(self, *args, env=None, **options):
        """Run a command to its end, and return it with its output as text. A value None in `env` removes a variable."""
        environment = {name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        try:
            return subprocess.run([self.path, *args], text=True, env=environment, timeout=SECONDS, **options)
        except subprocess.TimeoutExpired as error:
            raise Fault(f"chatctl {shlex.join(args)} has not ended after {SECONDS} s") from error

    def send(self, *args, **options):
        """Send, and raise Fault if that fails."""
        done = self.run("send", "-q", *args, **options)
        check(done.returncode == 0, f"send failed: {done.stderr}")

    def texts(self, *args):
        """Return the stored texts."""
        return [json.loads(line)["text"] for line in self.run("history", "--json", *args).stdout.splitlines()]

    def terminal(self, columns, rows, *args):
        terminal = Terminal(self, columns, rows, *args)
        self.at_end(terminal.close)
        return terminal


def main(case, namespaces=()):
    """Run a case against the chatctl that the first argument names. Prints OK or FAULT, or why it cannot be tried.

    `namespaces` are options of unshare, for cases that mount.
    """
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} CHATCTL")
    for number in (signal.SIGHUP, signal.SIGQUIT):  # ignored if the case runs in the background
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if namespaces:
            enter_namespaces(*namespaces)
        with Chatctl(sys.argv[1]) as chatctl:
            case(chatctl)
    except Fault as fault:
        print(f"FAULT: {' '.join(str(fault).split())}")  # one line
        sys.exit(FAULT)
    except Untried as reason:
        print(f"cannot be tried: {reason}")
        sys.exit(UNTRIED)
    print("OK")
