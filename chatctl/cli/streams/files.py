"""Output files that are replaced whole or not at all, and their locks."""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from chatctl.cli import options

OUTPUT_PART_SUFFIX = ".part"  # of a file while it is written; a process that was killed leaves it behind


class OutputFile:
    """A file that is written beside its place, and moved there by `close`. A pipe or device is written directly.

    A write error is kept in `error` and ends nothing, as sending matters more. Then the old file stays in its place.
    """

    def __init__(self, option: str, path: str) -> None:
        """Raises BadParameter, which names the option, if the path cannot be written or is also stdin."""
        self.path = Path(path)
        self.error = ""
        try:
            status = self.path.stat() if self.path.exists() else None
            if error := _place_error(path, status):
                raise options.bad(option, error)
            self._in_place = status is not None and not stat.S_ISREG(status.st_mode)
            if not self._in_place:
                self.path = self.path.resolve()  # replace the file that a link points to, not the link
            self._part_path = self.path if self._in_place else self.path.with_name(self.path.name + OUTPUT_PART_SUFFIX)
            descriptor = os.open(self.path, os.O_WRONLY) if self._in_place else open_locked(self._part_path)
            if status and not self._in_place:
                os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        except BlockingIOError:
            raise options.bad(option, f"cannot write {path}: another chatctl is writing it") from None
        except OSError as error:
            raise options.bad(option, f"cannot write {path}: {error.strerror}") from None
        self._file = os.fdopen(descriptor, "wb")

    def write(self, data: bytes) -> None:
        """Write, unless an earlier write failed."""
        if not self.error:
            try:
                self._file.write(data)
            except OSError as error:
                self.record_error(error)

    def close(self) -> None:
        """Move the file to its place."""
        try:
            self._file.flush()
            if not self._in_place and not self.error:
                os.fsync(self._file.fileno())
                self._part_path.rename(self.path)
        except OSError as error:
            self.record_error(error)
        if self.error and not self._in_place:
            self._part_path.unlink(missing_ok=True)
        try:
            self._file.close()  # this releases the lock
        except OSError as error:
            self.record_error(error)

    def discard(self) -> None:
        """Leave the old file in its place, unless this one was closed."""
        if not self._file.closed:
            self.error = self.error or f"{self.path} is not written"
            self.close()

    def record_error(self, error: OSError) -> None:
        """Keep the first error."""
        self.error = self.error or f"cannot write {self.path}: {error.strerror}"


def _place_error(path: str, status: os.stat_result | None) -> str:
    """Return why no file can be written there, empty if it can. Raises OSError."""
    if path == "-":
        return "- is not a file: for stdout use --json"
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        # A terminal or /dev/null may well be both, and a pipe may be named as /dev/stdout.
        same_file = status and os.path.samestat(status, os.fstat(number)) and not stat.S_ISCHR(status.st_mode)
        if same_file and (number == 0 or Path(path).is_file()):
            return f"{path} is also {name}: use another file"
    return f"{path} is a directory: use a file" if status and stat.S_ISDIR(status.st_mode) else ""


def open_locked(path: Path) -> int:
    """Open the file, empty and locked against other processes until it is closed or this process ends.

    Raises BlockingIOError if another process has the lock, and other OSErrors if it cannot be written.
    """
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    os.ftruncate(descriptor, 0)
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the process that had the lock has just moved or removed the file
