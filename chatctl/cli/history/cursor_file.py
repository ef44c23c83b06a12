"""The cursor file: it stores where a reader continues in its next run."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import typer

from chatctl.cli import options
from chatctl.cli.streams.files import open_locked
from chatctl.errors import CursorMalformed, CursorWriteError
from chatctl.model.cursor import parse_cursor

CURSOR_PART_SUFFIX = ".chatctl-part"  # of the next content, beside the file; a suffix that no other program uses
CURSOR_LOCK_SUFFIX = ".chatctl-lock"  # of an empty file that exists while the cursor file is in use, or after a SIGKILL
MAX_CURSOR_FILE_BYTES = 1024  # a cursor has about 20 bytes; a longer file is not a cursor file


class CursorFile:
    """A cursor in a file, replaced as a whole by every `save`. A process that dies leaves the old or the new cursor.

    One process at a time can use it. The lock is on a file beside it: every `save` replaces the cursor file itself, and a user
    may delete or replace it at any time to start over. Call `close` when done.
    """

    def __init__(self, path: str) -> None:
        """Lock and read the file. Raises BadParameter if it cannot be used: not a cursor, not writable, or in use."""
        self.cursor = ""
        """The content; empty while there is no file."""
        self._saved_descriptor: int | None = None  # of the file in place, if this process put it there
        self._mode: int | None = None
        self._display_path = path
        try:
            self._resolve_paths(path)
            self._lock_descriptor: int | None = open_locked(self._lock_path)
        except BlockingIOError:
            raise _bad_cursor_file(f"another chatctl is using {path}: use another file, or stop that process") from None
        except OSError as error:
            raise _bad_cursor_file(f"cannot write {path}: {error.strerror}") from None
        try:
            self._part_path.unlink(missing_ok=True)  # left by a process that was killed
            self.cursor = self._read()
        except OSError as error:
            self.close()
            raise _bad_cursor_file(f"cannot read or write {path}: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

    def _resolve_paths(self, path: str) -> None:
        """Set the paths of the three files. Raises BadParameter for a path that is not a regular file, and OSError."""
        if path in ("", "-"):
            raise _bad_cursor_file(f"invalid path {path!r}: use the path of a file")
        self.path = Path(path)
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            pass
        else:
            if stat.S_ISDIR(mode):
                raise _bad_cursor_file(f"{path} is a directory: use the path of a file")
            if not stat.S_ISREG(mode):
                raise _bad_cursor_file(f"{path} is not a regular file and cannot be replaced: use another path")
        self.path = self.path.resolve()  # replaces the file that a link points to, not the link
        self._part_path = self.path.with_name(self.path.name + CURSOR_PART_SUFFIX)
        self._lock_path = self.path.with_name(self.path.name + CURSOR_LOCK_SUFFIX)

    def _read(self) -> str:
        try:
            descriptor = os.open(
                self.path, os.O_RDWR | os.O_CLOEXEC
            )  # a file without write permission is not replaced either
        except FileNotFoundError:
            return ""
        with open(descriptor, "rb") as file:
            self._mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            content = file.read(MAX_CURSOR_FILE_BYTES)
        if not content:
            raise _bad_cursor_file(f"{self._display_path} is empty: delete it to start over")
        cursor = content.removesuffix(b"\n").decode("ascii", "replace")
        try:
            parse_cursor(cursor)
        except CursorMalformed:
            pass
        else:
            if cursor.isascii() and cursor.isprintable() and " " not in cursor:
                return cursor
        raise _bad_cursor_file(f"{self._display_path} does not hold a cursor: use another file, or delete it to start over")

    def save(self, cursor: str) -> None:
        """Replace the content, if the cursor is another one. It is synced to disk by `close`.

        Raises CursorWriteError; then the file is unchanged.
        """
        if cursor == self.cursor:
            return
        try:
            descriptor = self._replace_content(f"{cursor}\n".encode())
        except OSError as error:
            raise self._write_error(error) from None
        if self._saved_descriptor is not None:
            os.close(self._saved_descriptor)
        self.cursor, self._saved_descriptor = cursor, descriptor

    def _replace_content(self, data: bytes) -> int:
        """Write the part file and move it into place. Returns its open descriptor. Raises OSError."""
        descriptor = os.open(self._part_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            if self._mode is not None:
                os.fchmod(descriptor, self._mode)
            while data:  # a size limit may let only a part through
                data = data[os.write(descriptor, data) :]
            os.rename(self._part_path, self.path)
        except BaseException:
            os.close(descriptor)
            self._part_path.unlink(missing_ok=True)
            raise
        return descriptor

    def close(self) -> None:
        """Sync the saved content to disk, and release the lock. Raises CursorWriteError if the sync fails."""
        saved, self._saved_descriptor = self._saved_descriptor, None
        lock, self._lock_descriptor = self._lock_descriptor, None
        try:
            if saved is not None:
                try:
                    os.fsync(saved)
                finally:
                    os.close(saved)
        except OSError as error:
            raise self._write_error(error) from None
        finally:
            if lock is not None:
                for path in (self._part_path, self._lock_path):  # the first exists only if a signal interrupted a `save`
                    with suppress(OSError):
                        path.unlink()
                os.close(lock)

    def _write_error(self, error: OSError) -> CursorWriteError:
        return CursorWriteError(f"cannot write {self._display_path}: {error.strerror}")


def _bad_cursor_file(text: str) -> typer.BadParameter:
    return options.bad("--cursor-file", text)
