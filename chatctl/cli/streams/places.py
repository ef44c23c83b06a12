"""Where files are written: paths that no other user has planted, locks, and the last step into place.

In a directory that others can write to, another user may have left a link, a file or a lock of that name. Nothing here
follows such a link, and nothing empties a file that this process has not made.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

LOCK_SUFFIX = ".chatctl-lock"  # of an empty file that exists while its file is in use, or after a SIGKILL
PART_SUFFIX = ".chatctl-part"  # of a file that is written beside its place
NEW_FILE_MODE = 0o600  # texts are in most of them
MAX_LINKS = 40  # as in Linux
COPY_BYTES = 1024 * 1024
OPEN_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
IN_USE_ELSEWHERE = (errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV)
"""Errors of a rename onto a file that is mounted on its own, or may be written but not replaced."""


def resolve_place(path: str) -> Path:
    """Return the absolute path of a file, without links. The file may not exist.

    A link must belong to this user, root, or the owner of its directory. Raises OSError.
    """
    parts, links = list(reversed(Path(path).parts)), 0
    place = Path("/") if os.path.isabs(path) else _working_directory()
    while parts:
        part = parts.pop()
        if part == "..":
            place = place.parent
            continue
        step = place / part
        try:
            status = os.lstat(step)
        except FileNotFoundError:
            status = None
        if status is None or not stat.S_ISLNK(status.st_mode):
            place = step
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if status.st_uid not in _trusted_users(place):
            raise PermissionError(errno.EPERM, f"the link {step} belongs to another user: use a path without it")
        parts += reversed(Path(os.readlink(step)).parts)
    return place


def _working_directory() -> Path:
    try:
        return Path(os.getcwd())
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "the working directory was deleted: use an absolute path") from None


def _trusted_users(directory: Path) -> tuple[int, ...]:
    """Return the users whose files in a directory are trusted. Its owner could replace any of them."""
    return (os.geteuid(), 0, os.stat(directory).st_uid)


def check_owner(place: Path, status: os.stat_result) -> None:
    """Raise PermissionError for a file that another user may have planted: in a directory that all can write to."""
    directory = os.stat(place.parent)
    if directory.st_mode & stat.S_IWOTH and status.st_uid not in _trusted_users(place.parent):
        raise PermissionError(errno.EPERM, "it belongs to another user, in a directory that all can write to")


class FileLock:
    """A lock on a place, held until `release` or the end of the process: a file beside it is locked.

    If the directory cannot be written, the file in its place is locked. Then it can only be written in place.
    """

    def __init__(self, place: Path) -> None:
        """Raises BlockingIOError if another process has the lock, and other OSErrors if the place cannot be written."""
        self.in_place = False
        self._path = place.with_name(place.name + LOCK_SUFFIX)
        try:
            self._descriptor = _lock_file(self._path, os.O_RDWR | os.O_CREAT)
        except BlockingIOError:
            raise
        except OSError as error:
            is_taken = os.path.lexists(self._path)  # a lock that another user holds must not be passed by
            if is_taken or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not place.is_file():
                raise
            self._descriptor, self.in_place = self._lock_place(place, error), True

    def _lock_place(self, place: Path, reason: OSError) -> int:
        try:
            return _lock_file(place, os.O_RDWR)
        except BlockingIOError:
            raise
        except OSError:
            raise reason from None

    def release(self) -> None:
        """Remove the lock file, and release the lock."""
        if not self.in_place:
            with suppress(OSError):
                if os.path.samestat(os.lstat(self._path), os.fstat(self._descriptor)):
                    self._path.unlink()
        os.close(self._descriptor)


def _lock_file(path: Path, flags: int) -> int:
    """Return the locked descriptor of a file that is ours. Raises OSError."""
    while True:
        try:
            descriptor = os.open(path, flags | OPEN_FLAGS, NEW_FILE_MODE)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise PermissionError(errno.EPERM, f"{path} is a link: delete it") from None
            raise
        try:
            if _try_lock(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the process that had the lock has just removed the file


def _try_lock(descriptor: int, path: Path) -> bool:
    """Lock a file, and return whether it is still in its place. Raises OSError."""
    if path.name.endswith(LOCK_SUFFIX):
        _check_lock_file(path, os.fstat(descriptor))
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    return False


def _check_lock_file(path: Path, status: os.stat_result) -> None:
    """Raise PermissionError for a lock file that another user may have planted."""
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise PermissionError(errno.EPERM, f"{path} is not a lock file: delete it")
    if status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"{path} belongs to another user: delete it if no chatctl is running there")


def create_part(place: Path, name: str = "") -> tuple[int, Path]:
    """Create a file beside a place, with a random name unless one is given. Raises OSError."""
    path = place.with_name(name or f"{place.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | OPEN_FLAGS, NEW_FILE_MODE), path


def keep_owner(descriptor: int, old: os.stat_result) -> bool:
    """Give a new file the owner and mode of the one that it replaces. Returns whether it has them."""
    new = os.fstat(descriptor)
    try:
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    except OSError:
        return False
    return True


def write_all(descriptor: int, data: bytes) -> None:
    """Write all data to a file. Raises OSError."""
    while data:  # a size limit or a disk that is nearly full may let only a part through
        data = data[os.write(descriptor, data) :]


def move_into_place(descriptor: int, part: Path, place: Path, can_rename: bool) -> None:
    """Sync a part file and move it into place, or copy it there if it cannot be moved.

    Raises OSError; then the part file is still there.
    """
    os.fsync(descriptor)
    try:
        if not can_rename:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        os.rename(part, place)
    except OSError as error:
        if error.errno not in IN_USE_ELSEWHERE:
            raise
        os.lseek(descriptor, 0, os.SEEK_SET)
        replace_content(place, iter(partial(os.read, descriptor, COPY_BYTES), b""))
        part.unlink()
    sync_directory(place.parent)


def replace_content(place: Path, chunks: Iterable[bytes], sync: bool = True) -> None:
    """Write data into the file in its place. Raises OSError."""
    descriptor = os.open(place, os.O_WRONLY | OPEN_FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise PermissionError(errno.EPERM, "it has several names, and cannot be replaced")
        for chunk in chunks:  # before the old content is cut off: its space is used again
            write_all(descriptor, chunk)
        os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR))
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make a rename in a directory survive a power cut, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_error(place: Path, status: os.stat_result) -> str:
    """Return why a file will not be replaceable at the end, empty if it will be.

    A file that is mounted on its own, or another user's in a sticky directory, can only be written in place.
    """
    try:
        os.close(os.open(place, os.O_WRONLY | OPEN_FLAGS))
    except OSError as error:
        directory = os.stat(place.parent)
        is_sticky = directory.st_mode & stat.S_ISVTX and os.geteuid() not in (0, status.st_uid, directory.st_uid)
        if error.errno != errno.EACCES or is_sticky or _mount_id(place) != _mount_id(place.parent):
            return error.strerror or ""
    return ""


def is_changed(place: Path, old: os.stat_result | None) -> bool:
    """Return whether a regular file has appeared, or is another one than before. One that was deleted is not changed."""
    if not place.is_file():
        return False
    new = place.lstat()
    return old is None or (new.st_ino, new.st_size, new.st_mtime_ns) != (old.st_ino, old.st_size, old.st_mtime_ns)


def _mount_id(path: Path) -> str:
    """Return the mount that a path is on, empty if /proc does not tell."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
        finally:
            os.close(descriptor)
        return next((line for line in lines if line.startswith("mnt_id:")), "")
    return ""
