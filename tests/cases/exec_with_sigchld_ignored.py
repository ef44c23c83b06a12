#!/usr/bin/env python3
"""A parent that ignores SIGCHLD: the command of --exec succeeded, history failed, and ran it again at the next start."""

import sys
from pathlib import Path

from harness import check, main

IGNORING = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"


def case(chatctl):
    chatctl.serve()

    def execute(command):
        args = ["history", "--cursor-file", "cursor", "--exec", command]
        return chatctl.start_command(sys.executable, "-c", IGNORING, chatctl.path, *args).wait()

    chatctl.send("pay the invoice")
    codes = [execute("echo paid >>paid") for _ in range(2)]
    paid = len(Path("paid").read_text().splitlines())
    check((codes, paid) == ([0, 0], 1), f"exit codes {codes}, paid {paid} times")
    chatctl.send("fails")
    failed = execute("exit 3")
    check(failed == 1, f"a command that fails: exit code {failed}")


if __name__ == "__main__":
    main(case)
