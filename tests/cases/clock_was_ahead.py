#!/usr/bin/env python3
"""The clock of the server was far ahead for one message, and right again: later messages kept that time, without a word."""

from harness import check, main, until

SKEWED = """
import os, sys, time
real = time.time_ns
time.time_ns = lambda: real() + (2300000000 * 10**9 if os.path.exists("skew") else 0)
from chatctl.__main__ import main
main()
"""


def case(chatctl):
    program = chatctl.folder / "skewed.py"
    program.write_text(SKEWED)
    skew = chatctl.folder / "skew"
    skew.touch()
    server = chatctl.serve(command=[chatctl.python, program])
    chatctl.send("wrong")
    skew.unlink()
    chatctl.send("right 1")
    log = server.log
    server.end()
    server = chatctl.serve(command=[chatctl.python, program])
    chatctl.send("right 2")
    found = chatctl.run("history", "--since", "1h", "--until", "+1m", "-o", "text").stdout.splitlines()
    with open("followed", "w") as followed:
        follow = chatctl.start("history", "-f", "--last", "1", "--until", "+4s", "-o", "text", stdout=followed)
    until(lambda: (chatctl.folder / "followed").read_text() or follow.poll() is not None, "the follower")
    chatctl.send("live")
    follow.wait()
    live = "live" in (chatctl.folder / "followed").read_text()
    warnings = [line for line in (log + server.log).splitlines() if "listening on" not in line and "clock" in line]
    check((len(found) == 2 and live) or warnings, f"found {found}, followed live: {live}, and the log has no warning")


if __name__ == "__main__":
    main(case)
