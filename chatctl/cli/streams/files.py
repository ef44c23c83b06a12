"""Output files: they are replaced whole or not at all, and what was written is never deleted."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from chatctl.cli import options
from chatctl.cli.streams import places
from chatctl.cli.streams.pipes import PipeOutput, open_for_reading

CHECKED_BYTES = 64 * 1024  # of the content of a file that is to be replaced


class FileOutput(Protocol):
    """Where an output file writes."""

    path: Path

    def write(self, data: bytes) -> None:
        """Write all of the data, or as much as fits. Raises OSError."""

    def finish(self) -> None:
        """Make the file complete. Raises OSError."""

    def close(self) -> str:
        """Close it, and return the path of an unfinished file that holds what was written, or empty."""


class OutputFile:
    """A file that is written beside its place, and moved there by `close`. A pipe or device is written directly.

    A write error is kept in `error`, is notified at once, and ends nothing, as sending matters more. Then the old file
    stays in its place, and what was written stays in a file beside it.
    """

    def __init__(self, option: str, path: str, notify: Callable[[str], None] | None = None) -> None:
        """Raises BadParameter, which names the option, if the path cannot be written or is also stdin."""
        self.error = ""
        self._notify = notify
        self._closed = False
        try:
            if error := _place_error(path):
                raise options.bad(option, error)
            self._output = _open_output(path)
        except BlockingIOError:
            raise options.bad(option, f"cannot write {path}: another chatctl is writing it") from None
        except OSError as error:
            raise options.bad(option, f"cannot write {path}: {error.strerror}") from None
        self.path = self._output.path

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def spool_directory(self) -> Path | None:
        """The directory for temporary files, or None for the system's."""
        return self.path.parent if isinstance(self._output, PartOutput) else None

    def write(self, data: bytes) -> None:
        """Write, also after an error: there may be space again."""
        try:
            self._output.write(data)
        except OSError as error:
            self.record_error(error)

    @property
    def is_blocked(self) -> bool:
        """True while the reader of a pipe has not taken everything."""
        return isinstance(self._output, PipeOutput) and self._output.is_blocked

    async def drain(self) -> None:
        """Wait until the reader of a pipe has taken everything."""
        if isinstance(self._output, PipeOutput):
            try:
                await self._output.drain()
            except OSError as error:
                self.record_error(error)

    def close(self) -> None:
        """Move the file to its place."""
        if self._closed:
            return
        self._closed, self._notify = True, None
        try:
            if not self.error or isinstance(self._output, PipeOutput):
                self._output.finish()
        except OSError as error:
            self.record_error(error)
        try:
            if kept := self._output.close():
                self.error += f": what was written is in {kept}"
        except OSError as error:
            self.record_error(error)

    def discard(self) -> None:
        """Leave the old file in its place, unless this one was closed."""
        if not self._closed:
            self.error = self.error or f"{self.path} is not written"
            self.close()

    def record_error(self, error: OSError) -> None:
        """Keep the first error, and notify it."""
        if not self.error:
            self.error = f"cannot write {self.path}: {error.strerror}"
            if self._notify:
                self._notify(self.error)


class PartOutput:
    """A regular file: its new content is in a part file until `finish`."""

    def __init__(self, path: Path, lock: places.FileLock, old: os.stat_result | None) -> None:
        """Raises OSError if the file could not be replaced, or if there is no space for a first byte."""
        self.path, self._lock, self._old = path, lock, old
        if old and (error := places.replace_error(path, old)):
            raise PermissionError(errno.EPERM, error)
        self._descriptor, self._part_path = places.create_part(path)
        try:
            self._can_rename = old is None or places.keep_owner(self._descriptor, old)
            os.write(self._descriptor, b"\n")
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except OSError:
            os.close(self._descriptor)
            self._part_path.unlink()
            raise
        self._finished = False

    def write(self, data: bytes) -> None:
        end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        try:
            places.write_all(self._descriptor, data)
        except OSError:
            self._keep_whole_lines(end)
            raise

    def _keep_whole_lines(self, end: int) -> None:
        """Cut off the line that is unfinished, so that the next one is whole."""
        with suppress(OSError):
            written = os.pread(self._descriptor, os.fstat(self._descriptor).st_size - end, end)
            end += written.rfind(b"\n") + 1
            os.ftruncate(self._descriptor, end)
            os.lseek(self._descriptor, end, os.SEEK_SET)

    def finish(self) -> None:
        if places.is_changed(self.path, self._old):
            raise FileExistsError(errno.EEXIST, "another process has written this file meanwhile")
        places.move_into_place(self._descriptor, self._part_path, self.path, self._can_rename)
        self._finished = True

    def close(self) -> str:
        kept = ""
        if not self._finished and os.fstat(self._descriptor).st_size:
            kept = str(self._part_path) if os.path.exists(self._part_path) else ""
        elif not self._finished:
            with suppress(OSError):
                self._part_path.unlink()
        self._lock.release()
        os.close(self._descriptor)
        return kept


class InPlaceOutput:
    """A regular file in a directory that cannot be written. Its old content is removed before the first write."""

    def __init__(self, path: Path, lock: places.FileLock) -> None:
        self.path, self._lock = path, lock
        self._descriptor = os.open(path, os.O_WRONLY | places.OPEN_FLAGS)
        self._started = False

    def write(self, data: bytes) -> None:
        self._start()
        places.write_all(self._descriptor, data)

    def _start(self) -> None:
        if not self._started:
            os.ftruncate(self._descriptor, 0)
            self._started = True

    def finish(self) -> None:
        self._start()
        os.fsync(self._descriptor)

    def close(self) -> str:
        os.close(self._descriptor)
        self._lock.release()
        return ""


def _open_output(path: str) -> FileOutput:
    """Open a path for writing. Raises OSError."""
    status = os.stat(path) if os.path.exists(path) else None
    if status and not stat.S_ISREG(status.st_mode):
        return PipeOutput(Path(path))
    place = places.resolve_place(path)  # replace the file that a link points to, not the link
    if status:
        places.check_owner(place, status)
    lock = places.FileLock(place)
    try:
        return InPlaceOutput(place, lock) if lock.in_place else PartOutput(place, lock, status)
    except BaseException:
        lock.release()
        raise


def _place_error(path: str) -> str:
    """Return why no file can be written there, empty if it can. Raises OSError."""
    if not path:
        return "the path is empty, which is the working directory: use a file"
    if path == "-":
        return "- is not a file: for stdout use --json"
    if path.endswith(places.LOCK_SUFFIX):
        return f"{path} ends like a lock file of chatctl: use another name"
    if not os.path.exists(path):
        return ""
    status = os.stat(path)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        # A terminal or /dev/null may well be both, and a pipe may be named as /dev/stdout.
        same_file = os.path.samestat(status, os.fstat(number)) and not stat.S_ISCHR(status.st_mode)
        if same_file and (number == 0 or Path(path).is_file()):
            return f"{path} is also {name}: use another file"
    for is_kind, name in ((stat.S_ISDIR, "directory"), (stat.S_ISBLK, "block device"), (stat.S_ISSOCK, "socket")):
        if is_kind(status.st_mode):
            return f"{path} is a {name}: use a file"
    return ""


def first_lines(path: str) -> list[bytes]:
    """Return the whole lines in the first part of a regular file, or the only line. Raises OSError."""
    descriptor = open_for_reading(path)
    try:
        content = os.read(descriptor, CHECKED_BYTES)
    finally:
        os.close(descriptor)
    *lines, last = content.split(b"\n")
    return lines or ([last] if last else [])
