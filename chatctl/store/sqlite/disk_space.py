"""Tell a full disk, after which a store works again, from a failed one."""

import errno
import resource
import sqlite3
import tempfile
from pathlib import Path

PROBE_BYTES = 64 * 1024  # a commit writes at least this much

_SYNC_ERRORS = ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")
_NO_SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: sqlite3.Error, path: Path) -> bool:
    """Return whether an SQLite error only means that the store at `path` cannot grow now.

    SQLite reports a full disk as such if a write meets it. A quota or a limit of file sizes looks like any other I/O error.
    So the function tries whether another file could grow. After a failed sync the answer is always False.
    """
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return True
    return name.startswith("SQLITE_IOERR") and name not in _SYNC_ERRORS and not _can_grow(path)


def _can_grow(path: Path) -> bool:
    """Return whether the store's directory has space and its files may grow."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        longest = max(file.stat().st_size for file in (path, Path(f"{path}-wal"), path.parent) if file.exists())
        with tempfile.TemporaryFile(dir=path.parent, buffering=0) as file:
            written = file.write(bytes(PROBE_BYTES))
    except OSError as error:
        return error.errno not in _NO_SPACE_ERRNOS
    return written == PROBE_BYTES and (limit == resource.RLIM_INFINITY or longest + PROBE_BYTES <= limit)
