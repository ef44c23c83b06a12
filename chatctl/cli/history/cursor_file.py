"""The file in which a reader keeps how far it has come."""

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

import typer

from chatctl.cli import options
from chatctl.cli.streams.files import open_locked
from chatctl.errors import CursorWriteError

CURSOR_PART_SUFFIX = ".chatctl-part"  # of the next one, beside it: no other program's files are called so
CURSOR_LOCK_SUFFIX = ".chatctl-lock"  # of an empty file that is there while it is in use, or after a process that was killed
CURSOR_LINE = re.compile(rb"([!-9;-~]+:[0-9]{1,19})\n?")
MAX_CURSOR_FILE_BYTES = 1024  # of which a cursor has some 20; what is longer is another file


class CursorFile:
    """A cursor in a file, replaced whole at every `save`. A process that dies leaves the old cursor or the new one.

    One process at a time has it. The lock is on a file beside it and not on itself: that one is another after every
    `save`, and may be deleted or replaced meanwhile by whoever wants to start over. `close` it in the end.
    """

    def __init__(self, path: str) -> None:
        """Raises BadParameter, naming the file, unless it holds a cursor or can be made, and nobody else is using it."""
        self.cursor = ""
        """What it holds; empty as long as there is no file."""
        self._saved_descriptor: int | None = None  # the file in place, if this process has put it there
        self._mode: int | None = None
        self._display_path = path
        try:
            self._resolve_paths(path)
            self._lock_descriptor: int | None = open_locked(self._lock_path)
        except BlockingIOError:
            raise _bad_cursor_file(f"another chatctl is using {path}: name another file, or end that one") from None
        except OSError as error:
            raise _bad_cursor_file(f"cannot write {path}: {error.strerror}") from None
        try:
            self._part_path.unlink(missing_ok=True)  # of a process that was killed
            self.cursor = self._read()
        except OSError as error:
            self.close()
            raise _bad_cursor_file(f"cannot read or write {path}: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

    def _resolve_paths(self, path: str) -> None:
        """Settle where everything is. Raises BadParameter for what is there and no file, and OSError."""
        if path in ("", "-"):
            raise _bad_cursor_file(f"{path!r} is no file: name one")
        self.path = Path(path)
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            pass
        else:
            if stat.S_ISDIR(mode):
                raise _bad_cursor_file(f"{path} is a directory: name a file")
            if not stat.S_ISREG(mode):
                raise _bad_cursor_file(f"{path} is no regular file, which could be replaced: name another")
        self.path = self.path.resolve()  # the file that a link leads to is replaced, not the link
        self._part_path = self.path.with_name(self.path.name + CURSOR_PART_SUFFIX)
        self._lock_path = self.path.with_name(self.path.name + CURSOR_LOCK_SUFFIX)

    def _read(self) -> str:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)  # one that is not to be written is not replaced, too
        except FileNotFoundError:
            return ""
        with open(descriptor, "rb") as file:
            self._mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            content = file.read(MAX_CURSOR_FILE_BYTES)
        if not content:
            raise _bad_cursor_file(f"{self._display_path} is empty: delete it to start over")
        if found := CURSOR_LINE.fullmatch(content):
            return found[1].decode()
        raise _bad_cursor_file(
            f"{self._display_path} holds something else than a cursor: name another file, or delete it to start over"
        )

    def save(self, cursor: str) -> None:
        """Replace what it holds, unless that is this cursor already. It is not synced until `close`.

        Raises CursorWriteError; then the file is as it was.
        """
        if cursor == self.cursor:
            return
        data = f"{cursor}\n".encode()
        try:
            descriptor = os.open(self._part_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                if self._mode is not None:
                    os.fchmod(descriptor, self._mode)
                while data:  # a limit may let a part through
                    data = data[os.write(descriptor, data) :]
                os.rename(self._part_path, self.path)
            except BaseException:
                os.close(descriptor)
                self._part_path.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._write_error(error) from None
        if self._saved_descriptor is not None:
            os.close(self._saved_descriptor)
        self.cursor, self._saved_descriptor = cursor, descriptor

    def close(self) -> None:
        """Sync what was saved, and let others have the file. Raises CursorWriteError if it cannot be synced."""
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
                for path in (self._part_path, self._lock_path):  # the first only if a signal broke off a `save`
                    with suppress(OSError):
                        path.unlink()
                os.close(lock)

    def _write_error(self, error: OSError) -> CursorWriteError:
        return CursorWriteError(f"cannot write {self._display_path}: {error.strerror}")


def _bad_cursor_file(text: str) -> typer.BadParameter:
    return options.bad("--cursor-file", text)
