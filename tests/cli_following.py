"""`chatctl history -f` as a process under way."""

import json
import subprocess

from cli import Process, until


class FollowProcess(Process):
    """`chatctl history -f` under way."""

    def __init__(self, address, *args, **streams):
        super().__init__("history", "-f", *args, server=address, stdin=subprocess.DEVNULL, **streams)

    @property
    def texts(self):
        """What it printed so far, as --json."""
        return [json.loads(line)["text"] for line in self.out.lines]

    def shows(self, *texts):
        """Wait until it has printed so much, then compare."""
        until(lambda: len(self.out.lines) >= len(texts) or self.popen.poll() is not None)
        assert self.texts == list(texts), self.err.text

    def ends(self, code, err=""):
        """How it ended: with this code, and this or nothing on stderr."""
        done = self.wait()
        assert (done.code, done.err) == (code, err)
        return done
