#!/usr/bin/env python3
"""A store that is mounted alone (docker -v ./chat.db:/data/chat.db): two servers used it, and a kill lost its log."""

import signal
import subprocess

from harness import Untried, check, main

LINES = "".join(f"{number}\n" for number in range(1000))


def mounted(chatctl, folder):
    """Bind the store of folder a into another folder, and return its path there."""
    (chatctl.folder / folder).mkdir()
    path = chatctl.folder / folder / "chat.db"
    path.touch()
    if subprocess.run(["mount", "--bind", "a/chat.db", path]).returncode:
        raise Untried("cannot mount")
    chatctl.at_end(subprocess.run, ["umount", path])
    return path


def verify(chatctl, server, *names):
    """Return the receipts that do not hold."""
    environment = {"CHATCTL_SERVER": server.address}
    return [name for name in names if chatctl.run("verify", name, env=environment).returncode]


def case(chatctl):
    store = chatctl.folder / "a" / "chat.db"
    first = chatctl.serve(store=store)
    chatctl.send("first")
    second = chatctl.try_serve(store=mounted(chatctl, "b"))
    if second.address:
        for server, name in ((first, "one"), (second, "two")):
            chatctl.send("--receipts", name, input=LINES, env={"CHATCTL_SERVER": server.address})
            server.end()
        first = chatctl.serve(store=store)
        check(not verify(chatctl, first, "one", "two"), "two servers used one file, and receipts do not hold")
    first.end()
    path = mounted(chatctl, "c")
    server = chatctl.try_serve(store=path)
    if server.address:
        chatctl.send("--receipts", "three", input=LINES, env={"CHATCTL_SERVER": server.address})
        server.end(signal.SIGKILL)
        for left in path.parent.glob("chat.db-*"):  # as with a new container
            left.unlink()
        server = chatctl.try_serve(store=path)
        check(server.address, "killed, and it does not start in a new container")
        check(not verify(chatctl, server, "three"), "killed and in a new container, receipts do not hold")


if __name__ == "__main__":
    main(case, namespaces=["--mount"])
