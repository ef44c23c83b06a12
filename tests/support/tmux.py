"""A command in a pane of tmux: a real terminal with keys, resizing and a readable screen."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from tests.support.cli import CHATCTL, clean_environment
from tests.support.waiting import TIMEOUT_SECONDS, until

TERMINAL_ENVIRONMENT = {"TERM": "tmux-256color", "COLORTERM": "truecolor", "NO_COLOR": None}


class Pane:
    """A command in its own tmux server; a context manager, which ends both."""

    def __init__(self, *args, columns=80, rows=24, env=None, server=None, command=CHATCTL):
        """Start `command` with these arguments. `server` and `env` are as for cli.run, but colours are on."""
        self._folder = tempfile.TemporaryDirectory(prefix="chatctl-tmux-")
        self._socket = os.path.join(self._folder.name, "tmux")
        settings = Path(self._folder.name, "settings")
        settings.write_text(
            "set -g status off\nset -g remain-on-exit on\nset -g remain-on-exit-format ''\nset -g escape-time 0\n"
            "set -g default-terminal tmux-256color\nset -g history-limit 5000\n"
        )
        self._pid, self._code = Path(self._folder.name, "pid"), Path(self._folder.name, "code")
        # tmux sometimes loses the exit code of a command. The trap keeps the shell alive after Ctrl-C.
        run = shlex.join(["sh", "-c", f'echo $$ >{self._pid}; exec "$@"', "sh", *command, *args])
        line = f"trap : INT QUIT; {run}; echo $? >{self._code}"
        self.environment = clean_environment(server, {**TERMINAL_ENVIRONMENT, **(env or {})})
        size = ("-x", str(columns), "-y", str(rows))
        self._tmux("-f", str(settings), "new-session", "-d", *size, "-s", "main", line, env=self.environment)

    def _tmux(self, *args, env=None):
        command = ["tmux", "-S", self._socket, *args]
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, env=env or self.environment)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace").removesuffix("\n")

    def type(self, text):
        """Type a text literally."""
        self._tmux("send-keys", "-t", "main", "-l", "--", text)

    def press(self, *keys):
        """Press keys by tmux's names: Enter, Escape, Up, PageUp, Tab, BSpace, C-c, M-1, F1 ..."""
        self._tmux("send-keys", "-t", "main", "--", *keys)

    def press_bytes(self, data):
        """Type bytes that may not be UTF-8."""
        self._tmux("send-keys", "-t", "main", "-H", *(f"{byte:02x}" for byte in data))

    def paste(self, text):
        """Paste a text of any length, in brackets if the command has enabled them."""
        path = Path(self._folder.name, "paste")
        path.write_text(text)
        self._tmux("load-buffer", str(path))
        self._tmux("paste-buffer", "-p", "-d", "-t", "main")

    def resize(self, columns, rows):
        self._tmux("resize-window", "-t", "main", "-x", str(columns), "-y", str(rows))

    def log(self, path):
        """Append the output of the command to a file from now on."""
        self._tmux("pipe-pane", "-O", "-t", "main", f"cat >>{shlex.quote(str(path))}")

    @property
    def screen(self):
        """The rows of the screen, joined by newlines, without trailing blanks."""
        return "\n".join(line.rstrip() for line in self._tmux("capture-pane", "-p", "-t", "main").split("\n"))

    @property
    def lines(self):
        return self.screen.split("\n")

    @property
    def coloured(self):
        """The screen, with trailing blanks and the escape sequences for colours."""
        return self._tmux("capture-pane", "-p", "-e", "-N", "-t", "main")

    @property
    def scrollback(self):
        """The scrollback and the screen; lines that the terminal wrapped are joined."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-", "-t", "main")

    def format_value(self, name):
        """Return a format variable of tmux, such as alternate_on, cursor_flag or pane_width."""
        return self._tmux("display-message", "-p", "-t", "main", f"#{{{name}}}")

    def shows(self, *texts):
        """Wait until the screen shows all of these texts, and return the screen."""
        seen = []

        def is_shown():
            seen[:] = [self.screen]
            return all(text in seen[0] for text in texts)

        try:
            until(is_shown)
        except AssertionError:
            raise AssertionError(f"waited in vain for {texts} on:\n{seen[0]}") from None
        return seen[0]

    def hides(self, text):
        """Wait until the screen no longer shows this text, and return the screen."""
        until(lambda: text not in self.screen)
        return self.screen

    @property
    def pid(self):
        """The process id of the command."""
        return int(until(lambda: self._pid.exists() and self._pid.read_text()))

    def wait(self):
        """Wait until the command ends by itself, and return its exit code (128 + N after signal N). The screen stays."""
        until(lambda: self.format_value("pane_dead") == "1")  # all its output is on the screen
        return int(self._code.read_text())

    def close(self):
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, timeout=TIMEOUT_SECONDS)
        self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
