#!/usr/bin/env python3
"""stdout is a socket, as of a child of Node: its reader left, the room was quiet, and followers stayed for good."""

import socket
import subprocess

from harness import Fault, check, main

COMMANDS = (["history", "-f", "--json"], ["join", "--plain"], ["stats", "--watch", "60", "--json"])


def case(chatctl):
    chatctl.serve()
    chatctl.send("one")
    for args in COMMANDS:
        reader, stdout = socket.socketpair()
        stdin = subprocess.PIPE if args[0] == "join" else subprocess.DEVNULL
        process = chatctl.start(*args, stdin=stdin, stdout=stdout)
        stdout.close()
        if args[0] != "join":
            check(reader.recv(1), f"{args} ended without output")
        reader.close()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            raise Fault(f"chatctl {' '.join(args)} does not end when its reader leaves") from None


if __name__ == "__main__":
    main(case)
