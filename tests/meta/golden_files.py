"""Files that cannot be used for what they are named for."""

import contextlib
import fcntl
import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from golden_cases import left


@contextlib.contextmanager
def odd_files(directory: Path) -> Iterator[None]:
    """Put them into a directory, where some are locked."""
    texts = {
        "text": "hello\n",
        "empty": "",
        "cursor.1": "a:1\n",
        "cursor.2": "a:1\n",
        "lost.db-wal": "x",
        "full": left(1, "a"),
    }
    texts |= {
        "rooms": left(1, "a") + left(2, "b", room="ops"),
        "backwards": left(2, "b") + left(1, "a"),
        "zero": left(0, "a"),
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    (directory / "latin").write_bytes(b"gr\xf6\xdfer\n")
    with contextlib.closing(sqlite3.connect(directory / "other.db")) as database:
        database.execute("CREATE TABLE a (b)")
    with contextlib.ExitStack() as held:
        for name in ("locked.chatctl-lock", "cursor.locked.chatctl-lock"):
            fcntl.flock(held.enter_context(open(directory / name, "w")), fcntl.LOCK_EX)
        listening = held.enter_context(socket.socket(socket.AF_UNIX))
        here = os.open(directory, os.O_RDONLY)  # the path may be longer than a socket's may be
        listening.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        listening.listen()
        yield
