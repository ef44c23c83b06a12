#!/usr/bin/env python3
"""With SIGCHLD ignored by the parent, --exec ran its command, then failed, and ran it again at the next start."""

from pathlib import Path

from harness import check, main


def case(chatctl):
    chatctl.serve()
    chatctl.send("pay the invoice")
    reader = ("history", "--cursor-file", "cursor", "--exec")
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"

    def run(command):
        return chatctl.start_command(chatctl.python, "-c", ignoring, chatctl.path, *reader, command).wait()

    codes = [run("echo paid >> paid"), run("echo paid >> paid")]
    times = len(Path("paid").read_text().splitlines())
    check(codes == [0, 0] and times == 1, f"exit codes {codes}, paid {times} times")
    chatctl.send("fails")
    check((code := run("exit 3")) == 1, f"a failing command: exit code {code}")


if __name__ == "__main__":
    main(case)
