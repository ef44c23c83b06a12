#!/usr/bin/env python3
"""One line of a log that is not UTF-8 failed the job, and there was no way to send the log."""

import json
import subprocess

from harness import check, main


def case(chatctl):
    chatctl.serve()
    process = chatctl.start("send", "-q", "--invalid", "replace", stdin=subprocess.PIPE)
    process.communicate(b"one\nca\xffe\nthree\n")
    stored = chatctl.texts()
    check(process.returncode == 0, f"send --invalid replace: exit code {process.returncode}")
    check(stored == ["one", "ca\ufffde", "three"], f"stored {json.dumps(stored)}")


if __name__ == "__main__":
    main(case)
