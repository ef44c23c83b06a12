#!/usr/bin/env python3
"""Followers whose stdout was a socket (node's child_process, inetd, socat) stayed for ever when its reader had gone."""

import os
import socket

from harness import Fault, check, main, until

FOLLOWERS = (
    ("history", "-f", "--json"),
    ("history", "-f", "--exec", "echo done"),
    ("join", "--plain", "--last", "1"),
    ("stats", "--watch", "600", "--json"),
)


def case(chatctl):
    chatctl.serve()
    chatctl.send("one")
    for args in FOLLOWERS:
        reader, stdout = socket.socketpair()
        stdin, writer = os.pipe()
        with reader, stdout:
            process = chatctl.start(*args, stdin=stdin, stdout=stdout)
            stdout.close()
            check(reader.recv(100), f"{args} printed nothing")
        try:
            until(lambda process=process: process.poll() is not None, f"the end of {args}", seconds=10)
        except Fault:
            process.kill()
            raise
        check(process.returncode == 0, f"{args}: exit code {process.returncode}")
        os.close(stdin)
        os.close(writer)


if __name__ == "__main__":
    main(case)
