#!/usr/bin/env python3
"""A line that is only a dash was not sent by `xargs -n1 chatctl send --`, with exit code 0: stdin was read in its place."""

import subprocess

from harness import check, main


def case(chatctl):
    chatctl.serve()
    command = ["xargs", "-n1", chatctl.path, "send", "-q", "--"]
    done = subprocess.run(command, input=b"a\n-\nb\n", stderr=subprocess.PIPE, timeout=30)
    stored = chatctl.texts()
    check(done.returncode or stored == ["a", "-", "b"], f"exit code 0, but stored are {stored}")
    chatctl.send("-", input="from stdin\n")
    check(chatctl.texts()[-1] == "from stdin", "a dash without -- is not stdin")


if __name__ == "__main__":
    main(case)
