#!/usr/bin/env python3
"""As the first process of a container, commands took no SIGTERM, and --exec left zombies."""

import signal
import subprocess
from pathlib import Path

from harness import check, main, until


def case(chatctl):
    chatctl.serve("--log-level", "debug")
    chatctl.send("one")
    for args, runs in (
        (("verify", "-"), lambda pid: threads(pid) > 2),
        (("send",), lambda pid: threads(pid) > 2),
        (("history", "-f", "--exec", "sleep 0.01 & echo $! >> left; exit 0"), lambda _: Path("left").exists()),
    ):
        command = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", chatctl.path, *args)
        outer = chatctl.start_command(*command, stdin=subprocess.PIPE)
        (first,) = until(lambda outer=outer: children(outer.pid), f"the start of {args[0]}")
        until(lambda first=first, runs=runs: runs(first), f"{args[0]} to run")
        until(lambda first=first: not children(first), f"the end of the processes that {args[0]} has adopted")
        signal_first(first)
        try:
            outer.wait(5)
        except subprocess.TimeoutExpired:
            check(False, f"{args[0]} took no SIGTERM")


def signal_first(pid):
    subprocess.run(["kill", f"-{int(signal.SIGTERM)}", str(pid)], check=True)


def children(pid):
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True)
    return listed.stdout.split()


def threads(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


if __name__ == "__main__":
    main(case, namespaces=("--pid", "--fork", "--mount-proc", "--kill-child"))
