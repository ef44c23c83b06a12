#!/usr/bin/env python3
"""Files with texts could be read by all users of the machine, and a Unix socket had the mode that the umask left."""

import os
import stat
from pathlib import Path

from harness import check, main


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def case(chatctl):
    os.umask(0o022)
    socket = chatctl.folder / "socket"
    server = chatctl.serve(listen=f"unix:{socket}")
    check(mode(socket) & 0o077 == 0, f"the socket has mode {mode(socket):o}")
    names = ("receipts", "rejects", "unconfirmed")
    options = [part for name in names for part in (f"--{name}", name)]
    chatctl.run("send", "-q", *options, input=f"short\n{'long ' * 20000}\n")
    found = {name: f"{mode(name):o}" for name in names if Path(name).exists() and mode(name) & 0o077}
    check(not found, f"files have modes {found}")
    server.end()


if __name__ == "__main__":
    main(case)
