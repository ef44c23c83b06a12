#!/usr/bin/env python3
"""The file of --unconfirmed is mounted into a container, and cannot be renamed: the only copy of its lines was deleted."""

import signal
import subprocess
from pathlib import Path

from harness import Untried, check, main, until


def case(chatctl):
    folder = chatctl.folder / "folder"
    folder.mkdir()
    target = folder / "left.jsonl"
    for path in (chatctl.folder / "host", target):
        path.touch()
    if subprocess.run(["mount", "--bind", "host", target]).returncode:
        raise Untried("cannot mount")
    chatctl.at_end(subprocess.run, ["umount", target])
    server = chatctl.serve()
    send = ["send", "--timeout", "2s", "--unconfirmed", target]
    with open("said", "w") as said:
        process = chatctl.start(*send, stdin=subprocess.PIPE, stderr=said)
    try:
        process.stdin.write(b"one\n")
        process.stdin.flush()
        until(lambda: chatctl.texts() or process.poll() is not None, "the first line")
        server.end(signal.SIGKILL)
        process.stdin.write(b"precious two\nprecious three\n")
        process.stdin.close()
    except BrokenPipeError:
        pass
    code = process.wait(30)
    kept = [path.read_text() for path in (Path("said"), *folder.iterdir())]
    found = sum(text.count("precious") for text in kept)
    check(code == 2 or found >= 2, f"two lines were read and are unconfirmed; {found} of them are in a file")


if __name__ == "__main__":
    main(case, namespaces=["--mount"])
