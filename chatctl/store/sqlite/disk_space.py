"""Whether a store has failed, or has no space to grow for the moment."""

import errno
import resource
import sqlite3
import tempfile
from pathlib import Path

PROBE_BYTES = 64 * 1024  # a commit writes as much at least

_SYNC_ERRORS = ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")
_NO_SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: sqlite3.Error, path: Path) -> bool:
    """Whether an error of SQLite's only says that the store at `path` cannot grow for now.

    SQLite says so itself where the disk is full, if it meets that in a write. A quota or a limit to a file's size looks like
    any other I/O error, so it is tried whether another file could grow. Never after a sync that failed.
    """
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return True
    return name.startswith("SQLITE_IOERR") and name not in _SYNC_ERRORS and not _can_grow(path)


def _can_grow(path: Path) -> bool:
    """Whether there is space beside the store, and its files may be longer."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        longest = max(file.stat().st_size for file in (path, Path(f"{path}-wal"), path.parent) if file.exists())
        with tempfile.TemporaryFile(dir=path.parent, buffering=0) as file:
            written = file.write(bytes(PROBE_BYTES))
    except OSError as error:
        return error.errno not in _NO_SPACE_ERRNOS
    return written == PROBE_BYTES and (limit == resource.RLIM_INFINITY or longest + PROBE_BYTES <= limit)
