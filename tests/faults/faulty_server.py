"""`chatctl` on a machine with a fault. Runs as `python bent.py serve ...`, bent by what is in the environment:

FAULT_CLOCK: the clock is ahead by so many seconds.
FAULT_FULL: while there is a file at this path, the disk is full now and then.
FAULT_FAIL: once there is a file at this path, writing to the store fails.
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
    """As where others write and delete: at half of the commits there are no more pages than those in use."""
    commit = Writer.commit

    def bounded(writer, drafts):
        (pages,) = writer._db.execute("PRAGMA page_count").fetchone()
        is_full = os.path.exists(path) and random.random() < 0.5
        writer._db.execute(f"PRAGMA max_page_count = {pages if is_full else MAX_PAGES}")
        return commit(writer, drafts)

    Writer.commit = bounded


def fail_once_file_exists(path):
    """The write-ahead log is open for reading only, so that SQLite gets an error from the system at its next write."""
    commit = Writer.commit

    def failing(writer, drafts):
        if os.path.exists(path):
            for descriptor in map(int, os.listdir("/proc/self/fd")):
                with contextlib.suppress(OSError):  # the one that listed them is gone
                    name = os.readlink(f"/proc/self/fd/{descriptor}")
                    if name.endswith("-wal"):
                        with open(name, "rb") as reading:
                            os.dup2(reading.fileno(), descriptor)
        return commit(writer, drafts)

    Writer.commit = failing


if __name__ == "__main__":
    if "FAULT_CLOCK" in os.environ:
        shift_clock(int(os.environ["FAULT_CLOCK"]))
    if "FAULT_FULL" in os.environ:
        full_while_file_exists(os.environ["FAULT_FULL"])
    if "FAULT_FAIL" in os.environ:
        fail_once_file_exists(os.environ["FAULT_FAIL"])
    raise SystemExit(main())
