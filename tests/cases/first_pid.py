#!/usr/bin/env python3
"""As the first process of a container: SIGTERM had no effect at the start or in verify -, and --exec left zombies."""

import os
import signal
import subprocess
import time
from pathlib import Path

from harness import Fault, Untried, main, require, until


def children(pid):
    """Return pid and state of the children of a process."""
    done = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,stat="], capture_output=True, text=True)
    return [line.split() for line in done.stdout.splitlines()]


class First:
    """A command that is the first process of a namespace."""

    def __init__(self, chatctl, *args):
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", chatctl.path, *args]
        self.unshare = chatctl.start_command(*command, stdin=subprocess.PIPE)
        self.pid = int(until(lambda: children(self.unshare.pid), "the process")[0][0])
        program = Path(f"/proc/{self.pid}/cmdline")
        until(lambda: chatctl.path.encode() in program.read_bytes(), "the start of chatctl")

    def ends_by_sigterm(self, name):
        os.kill(self.pid, signal.SIGTERM)
        try:
            self.unshare.wait(8)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            raise Fault(f"{name} takes no SIGTERM") from None


def case(chatctl):
    require("unshare", "ps")
    if subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], stderr=subprocess.DEVNULL).returncode:
        raise Untried("needs the right to run unshare --pid")
    chatctl.serve()
    chatctl.send(input="".join(f"{number}\n" for number in range(20)))
    verify = First(chatctl, "verify", "-")
    time.sleep(1.5)  # it waits for its stdin then, or nearly so: both must work
    verify.ends_by_sigterm("verify -")
    send = First(chatctl, "send")
    time.sleep(0.2)  # somewhere in its start
    send.ends_by_sigterm("send after 0.2 s")
    command = "echo done >>executed; sleep 0.01 & exit 0"
    follow = First(chatctl, "history", "-f", "--exec", command)
    executed = chatctl.folder / "executed"
    until(lambda: executed.exists() and len(executed.read_text().splitlines()) == 20, "the commands of --exec")

    def zombies():
        return sum("Z" in state for _, state in children(follow.pid))

    until(lambda: not zombies(), "zombies to be reaped", seconds=5)
    follow.ends_by_sigterm("history --exec")


if __name__ == "__main__":
    main(case)
