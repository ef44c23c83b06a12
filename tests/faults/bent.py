"""`chatctl` on a machine with a fault: a clock that is wrong, or a disk that fills up again and again while a file is there.

Runs as `python bent.py serve ...`; BENT_CLOCK is how many seconds the clock is ahead, BENT_FULL the path of that file.
"""

import os
import random
import time

from chatctl.__main__ import main
from chatctl.store.sqlite_write import Writer

MOST_PAGES = 2**32 - 2  # SQLite's own bound


def wrong_clock(seconds):
    now = time.time_ns
    time.time_ns = lambda: now() + seconds * 1_000_000_000


def full_while_there(path):
    """As where others write and delete: at half of the commits there are no more pages than those in use."""
    commit = Writer.commit

    def bounded(writer, drafts):
        (pages,) = writer._db.execute("PRAGMA page_count").fetchone()
        is_full = os.path.exists(path) and random.random() < 0.5
        writer._db.execute(f"PRAGMA max_page_count = {pages if is_full else MOST_PAGES}")
        return commit(writer, drafts)

    Writer.commit = bounded


if __name__ == "__main__":
    if "BENT_CLOCK" in os.environ:
        wrong_clock(int(os.environ["BENT_CLOCK"]))
    if "BENT_FULL" in os.environ:
        full_while_there(os.environ["BENT_FULL"])
    raise SystemExit(main())
