"""Checks before a store is opened: mounts, links that others could have planted, and other users who could write.

SQLite opens the files beside a store by their names. A write-ahead log from another user would be replayed, and a link would
lead the server's writes to another file.
"""

import fcntl
import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from chatctl.errors import StoreOpenError

logger = logging.getLogger(__name__)

SUFFIXES = ("", "-wal", "-shm", "-lock")  # of the files of a store
MOUNT_TABLE = Path("/proc/self/mountinfo")
MAX_LINKS = 40  # in a path, as the kernel allows
ALLOW = "add --allow-shared-store if that is meant"


def open_error(path: Path | str, reason: str | None, hint: str = "") -> StoreOpenError:
    """Return the error for a store that cannot be opened."""
    return StoreOpenError(f"cannot open the store {path}: {reason}", hint)


def resolve_path(text: str, allow_shared: bool) -> Path:
    """Return the absolute path of a store without links. Raises StoreOpenError."""
    if text.startswith("//"):
        text = f"/{text.lstrip('/')}"  # POSIX gives two slashes a meaning of their own, and Python keeps them
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise open_error(text, "the home directory is unknown", "use an absolute path") from None
    try:
        if not allow_shared:
            _check_links(path)
        resolved = path.resolve()
        is_loop = resolved.is_symlink()
    except RuntimeError:  # from Python before 3.13
        resolved, is_loop = path, True
    except FileNotFoundError:
        raise open_error(text, "the working directory does not exist", "use an absolute path") from None
    except OSError as error:
        raise open_error(text, error.strerror, "name another file with --store") from error
    if is_loop:
        raise open_error(resolved, "its symbolic links form a loop")
    return resolved


def _check_links(path: Path) -> None:
    """Raise StoreOpenError if the path is a link that another user has made: it could lead to any file of ours."""
    link = path
    for _ in range(MAX_LINKS):
        if not link.is_symlink():
            return
        if not _is_trusted(link.lstat().st_uid):
            raise open_error(path, f"{link.name} is a symbolic link of another user", "name the file that it leads to")
        link = link.parent / link.readlink()


def acquire_lock(path: Path, allow_shared: bool) -> int:
    """Lock the file beside the store until the process ends. A lock on the store itself would disturb those of SQLite.

    Raises StoreOpenError if another server has the lock, and OSError.
    """
    lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _check_file(Path(f"{path}-lock"), os.fstat(lock), path, allow_shared)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise open_error(path, "another server uses it", "stop that server, or name another file with --store") from error
    except BaseException:
        os.close(lock)
        raise
    return lock


def check_access(path: Path, allow_shared: bool) -> list[Path]:
    """Check the files of a store and their directory. Returns what the group can write to.

    Raises StoreOpenError, and OSError.
    """
    mounts = _mount_points()
    found = list(_existing_files(path))
    for file, status in found:
        if _is_mount(file, status, mounts):
            raise open_error(
                path, f"{file.name} is mounted alone, and the files beside it are not", "mount the directory instead"
            )
        _check_file(file, status, path, allow_shared)
    directory = path.parent.stat()
    if allow_shared:
        return []
    if directory.st_mode & stat.S_IWOTH and not directory.st_mode & stat.S_ISVTX:
        raise open_error(
            path, f"all users of this machine can replace files in {path.parent}", f"run chmod o-w on it, or {ALLOW}"
        )
    shared = [file for file, status in found if status.st_mode & stat.S_IWGRP]
    return [*shared, *([path.parent] if directory.st_mode & stat.S_IWGRP and not directory.st_mode & stat.S_ISVTX else [])]


def warn_of_others(path: Path, shared: list[Path], allow_shared: bool) -> None:
    """Log what the group can write to, and a directory of another user. Volumes of containers are often like that."""
    if not allow_shared and not _is_trusted(path.parent.stat().st_uid):
        logger.warning("%s belongs to another user, who can replace the store %s", path.parent, path.name)
    if shared:
        names = " and ".join(map(str, shared[:2]))
        logger.warning("the group can write to %s: who is in it can change or remove the messages of %s", names, path)


def _check_file(file: Path, status: os.stat_result, path: Path, allow_shared: bool) -> None:
    """Raise StoreOpenError for a file of the store `path` that is not a plain one, or that others can write to."""
    kind = (
        "a symbolic link" if stat.S_ISLNK(status.st_mode) else "" if stat.S_ISREG(status.st_mode) else "not a regular file"
    )
    if kind:
        raise open_error(path, f"{file.name} is {kind}", "remove it, or name another file with --store")
    if file != path and status.st_nlink > 1:
        raise open_error(path, f"{file.name} has another name (a hard link)", "remove one of the two")
    if allow_shared:
        return
    if not _is_trusted(status.st_uid):
        raise open_error(path, f"{file.name} belongs to another user", f"run chown on it, or {ALLOW}")
    if status.st_mode & stat.S_IWOTH:
        raise open_error(path, f"all users of this machine can write to {file.name}", f"run chmod o-w on it, or {ALLOW}")


def _is_trusted(user: int) -> bool:
    return user in (0, os.geteuid())


def _existing_files(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for suffix in SUFFIXES:
        try:
            yield (file := Path(f"{path}{suffix}")), file.lstat()
        except FileNotFoundError:
            continue


def _mount_points() -> frozenset[str] | None:
    """Return where something is mounted, or None where the system has no such table."""
    try:
        lines = MOUNT_TABLE.read_bytes().splitlines()
    except OSError:
        return None
    return frozenset(os.fsdecode(re.sub(rb"\\([0-7]{3})", _decode_octal, line.split()[4])) for line in lines)


def _decode_octal(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])


def _is_mount(file: Path, status: os.stat_result, mounts: frozenset[str] | None) -> bool:
    """Return whether a file is a mount point. Its device misses bind mounts, and is another for some files of overlayfs."""
    return status.st_dev != file.parent.stat().st_dev if mounts is None else str(file) in mounts
