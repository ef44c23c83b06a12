#!/usr/bin/env python3
"""One SIGTERM ended no command whose stdout was not read, and a pipe that was made non-blocking lost lines."""

import os
import signal
import subprocess
import time
from pathlib import Path

from harness import check, main, until

COMMANDS = (
    ("history", "--json"),
    ("history", "-f"),
    ("history", "-f", "-o", "text"),
    ("join", "--plain", "--last", "5000"),
    ("stats", "--watch", "0.001"),
    ("send", "--json", "--receipts", "receipts"),
)
SECONDS = 10  # promised are 2


def processor_time(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def is_idle(process):
    """Return whether it uses no processor time for some time."""
    before = processor_time(process)
    time.sleep(0.5)
    return processor_time(process) == before


def case(chatctl):
    chatctl.serve()
    lines = b"".join(b"line %d %s\n" % (number, b"." * 60) for number in range(5000))
    Path("lines").write_bytes(lines)
    with open("lines", "rb") as file:
        chatctl.send(stdin=file)
    stdin, _ = os.pipe()
    processes = {}
    for args in COMMANDS:
        with open("lines", "rb") as file:
            processes[args] = chatctl.start(*args, stdin=file if args[0] == "send" else stdin, stdout=subprocess.PIPE)
    until(lambda: all(map(is_idle, processes.values())), "full pipes")
    for args, process in processes.items():
        process.send_signal(signal.SIGTERM)
        until(lambda process=process: process.poll() is not None, f"the end of {args} after SIGTERM", SECONDS)
        check(process.returncode == 143, f"{args}: exit code {process.returncode}")
    check(Path("receipts").read_bytes().count(b"\n") >= 1000, "send has not written its receipts")
    reader, stdout = os.pipe()
    os.set_blocking(stdout, False)
    process = chatctl.start("history", "-o", "text", "--count", "5000", stdout=stdout)
    os.close(stdout)
    with os.fdopen(reader, "rb") as file:
        check(file.read() == lines, "history lost lines in a non-blocking pipe")
    check(process.wait(SECONDS) == 0, f"history into a non-blocking pipe: exit code {process.returncode}")


if __name__ == "__main__":
    main(case)
