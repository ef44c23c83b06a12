"""`chatctl` with an injected fault. Run as `faulty_server.py serve ...`; environment variables choose the fault:

FAULT_CLOCK: the clock is ahead by this many seconds.
FAULT_FULL: while a file exists at this path, the disk is full at random commits.
FAULT_FAIL: once a file exists at this path, writes to the store fail.
"""

import contextlib
import os
import random
import time

from chatctl.__main__ import main
from chatctl.store.sqlite.writer import Writer

MAX_PAGES = 2**32 - 2  # SQLite's own bound


def shift_clock(seconds):
    now = time.time_ns
    time.time_ns = lambda: now() + seconds * 1_000_000_000


def full_while_file_exists(path):
    """Allow half of the commits no new pages, as on a disk where other programs write and delete."""
    commit = Writer.commit

    def bounded(writer, *arguments):
        (pages,) = writer._db.execute("PRAGMA page_count").fetchone()
        is_full = os.path.exists(path) and random.random() < 0.5
        writer._db.execute(f"PRAGMA max_page_count = {pages if is_full else MAX_PAGES}")
        return commit(writer, *arguments)

    Writer.commit = bounded


def fail_once_file_exists(path):
    """Open the write-ahead log for reading only, so that SQLite gets an error from the system at its next write."""
    commit = Writer.commit

    def failing(writer, *arguments):
        if os.path.exists(path):
            for descriptor in map(int, os.listdir("/proc/self/fd")):
                with contextlib.suppress(OSError):  # the descriptor that listed them is closed
                    name = os.readlink(f"/proc/self/fd/{descriptor}")
                    if name.endswith("-wal"):
                        with open(name, "rb") as reading:
                            os.dup2(reading.fileno(), descriptor)
        return commit(writer, *arguments)

    Writer.commit = failing


if __name__ == "__main__":
    if "FAULT_CLOCK" in os.environ:
        shift_clock(int(os.environ["FAULT_CLOCK"]))
    if "FAULT_FULL" in os.environ:
        full_while_file_exists(os.environ["FAULT_FULL"])
    if "FAULT_FAIL" in os.environ:
        fail_once_file_exists(os.environ["FAULT_FAIL"])
    raise SystemExit(main())
