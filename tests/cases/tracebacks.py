#!/usr/bin/env python3
"""Tracebacks: a far --until, a TZ that Python does not know, Ctrl-C at the start, --version into /dev/full or nowhere."""

import signal
import subprocess
import time

from harness import check, main


def case(chatctl):
    chatctl.serve()
    chatctl.send("x")
    with open("/dev/full", "w") as full:
        no_traceback(chatctl.run("--version", stdout=full), "--version > /dev/full")
    unread = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    unread.wait()
    no_traceback(chatctl.run("--version", stdout=unread.stdin), "--version | true")
    far = "+9999999999999999999999999999d"
    no_traceback(chatctl.run("history", "--until", far), f"history --until {far}")
    no_traceback(chatctl.run("history", env={"TZ": "UTC+25"}), "TZ=UTC+25 history")
    for delay in (0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2):  # wherever the start is by then
        process = chatctl.start("send", "-q", "hi", stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        shown = process.communicate()[1]  # the interpreter shows a traceback for itself, before it runs a program
        check("Traceback" not in shown or "chatctl/__main__.py" not in shown, f"Ctrl-C after {delay} s")


def no_traceback(done, what):
    check("Traceback" not in done.stderr and "Exception ignored" not in done.stderr, f"{what}: {done.stderr[-200:]}")


if __name__ == "__main__":
    main(case)
