#!/usr/bin/env python3
"""Users saw tracebacks: a full disk or a closed pipe behind --version, times out of range, Ctrl-C at the start."""

import os
import signal
import subprocess
import time

from harness import check, main

DELAYS = (0.03, 0.05, 0.07, 0.09, 0.11, 0.13, 0.15, 0.2)  # of Ctrl-C, after the start of the process
CENTURIES = "+9999999999999999999999999999d"


def interrupted(chatctl, delay):
    """Return the stderr of a command that gets Ctrl-C after a time."""
    process = chatctl.start("send", "-q", "hi", stderr=subprocess.PIPE)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    return process.communicate()[1].decode()


def case(chatctl):
    chatctl.serve()
    chatctl.send("x")
    said = {}
    with open("/dev/full", "w") as full:
        said["--version >/dev/full"] = chatctl.run("--version", stdout=full).stderr
    reader, writer = os.pipe()
    os.close(reader)
    said["--version | true"] = chatctl.run("--version", stdout=writer).stderr
    os.close(writer)
    said[f"history --until {CENTURIES}"] = chatctl.run("history", "--until", CENTURIES).stderr
    said["TZ=UTC+25 history"] = chatctl.run("history", env={"TZ": "UTC+25"}).stderr
    for delay in DELAYS:
        said[f"Ctrl-C after {delay} s"] = interrupted(chatctl, delay)
    found = [name for name, text in said.items() if "Traceback" in text]
    check(not found, f"a traceback: {', '.join(found)}")


if __name__ == "__main__":
    main(case)
