"""The cursor file: it stores where a reader continues in its next run."""

import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

import typer

from chatctl.cli import options
from chatctl.cli.streams import places
from chatctl.errors import CursorMalformed, CursorWriteError, IncompatibleServer
from chatctl.model.cursor import parse_cursor

SYNCED_SUFFIX = ".chatctl-synced"  # of the last synced content, while a newer one is not synced yet
FILTER_LINE = re.compile(r"filter ([0-9a-f]{1,64})")
MAX_CURSOR_FILE_BYTES = 1024  # a cursor has about 20 bytes; a longer file is not a cursor file
SYNC_SECONDS = 1.0  # a sync takes as long as hundreds of saves
SHOWN_CHARACTERS = 80  # of an invalid cursor


class CursorFile:
    """A cursor in a file, replaced as a whole by every `save`. A process that dies leaves the old or the new cursor.

    Content that is renamed into place before it is synced may be lost in a power cut. So each SYNC_SECONDS one save is
    synced, and until the next one the synced file keeps a second name.

    One process at a time can use it. The lock is on a file beside it: every `save` replaces the cursor file itself, and
    a user may delete or replace it at any time to start over. Call `close` when done.
    """

    def __init__(self, path: str, filter_digest: str = "") -> None:
        """Lock and read the file. Raises BadParameter if it cannot be used: not a cursor, not writable, or in use.

        `filter_digest` identifies the filter of the reader, in hexadecimal. It is empty if every message matches.
        """
        self.cursor = ""
        """The content; empty before the file exists."""
        self.notice = ""
        """Why it is not the content of the file, or empty."""
        self._saved_descriptor: int | None = None  # of the file in place, if this process put it there
        self._old: os.stat_result | None = None
        self._display_path, self._filter_digest = path, filter_digest
        self._synced_at, self._has_synced = float("-inf"), False
        try:
            self._resolve_paths(path)
            self._lock: places.FileLock | None = places.FileLock(self.path)
            self._in_place = self._lock.in_place
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
        """Set the paths of the files. Raises BadParameter for a path that is not a regular file, and OSError."""
        if path in ("", "-"):
            raise _bad_cursor_file(f"invalid path {path!r}: use the path of a file")
        try:
            self._old = os.stat(path)
        except FileNotFoundError:
            pass
        else:
            if stat.S_ISDIR(self._old.st_mode):
                raise _bad_cursor_file(f"{path} is a directory: use the path of a file")
            if not stat.S_ISREG(self._old.st_mode):
                raise _bad_cursor_file(f"{path} is not a regular file and cannot be replaced: use another path")
        self.path = places.resolve_place(path)  # replaces the file that a link points to, not the link
        if self._old:
            places.check_owner(self.path, self._old)
        self._part_path = self.path.with_name(self.path.name + places.PART_SUFFIX)
        self._synced_path = self.path.with_name(self.path.name + SYNCED_SUFFIX)

    # --- reading

    def _read(self) -> str:
        try:
            content = _read_content(self.path, os.O_RDWR)  # a file without write permission is not replaced either
        except FileNotFoundError:
            self._synced_path.unlink(missing_ok=True)  # the user has deleted the file, to start over
            return ""
        if found := _parse(content):
            return self._checked(*found)
        with suppress(FileNotFoundError):
            if found := _parse(_read_content(self._synced_path, os.O_RDONLY)):
                self._has_synced = True
                problem = "does not hold a cursor" if content else "is empty"
                self.notice = f"{self._display_path} {problem}, as after a power cut: continuing after the cursor before it"
                return self._checked(*found)
        ways = "write the cursor of a message into it (--json shows it), or delete it to start over"
        if not content:
            raise _bad_cursor_file(f"{self._display_path} is empty: {ways}")
        raise _bad_cursor_file(f"{self._display_path} does not hold a cursor: use another file, {ways}")

    def _checked(self, cursor: str, filter_digest: str) -> str:
        """Return the cursor. Raises BadParameter if it was read with a filter, and now there is another one."""
        if filter_digest not in ("", self._filter_digest):
            raise _bad_cursor_file(
                f"{self._display_path} was written with other filters (--room, --user, --input-id, --grep), so messages "
                "would be missing: use the same filters or another file, or keep only its first line to continue from there"
            )
        return cursor

    # --- writing

    def save(self, cursor: str) -> None:
        """Replace the content, if the cursor is another one. The last save is synced to disk by `close`.

        Raises CursorWriteError, or IncompatibleServer for a text that is not a cursor; then the file is unchanged.
        """
        if cursor == self.cursor:
            return
        if not _is_cursor(cursor):
            raise IncompatibleServer(f"the server sent an invalid cursor: {cursor[:SHOWN_CHARACTERS]!r}")
        filter_line = f"filter {self._filter_digest}\n" if self._filter_digest else ""
        try:
            self._replace(f"{cursor}\n{filter_line}".encode())
        except OSError as error:
            raise self._write_error(error, f"to continue without repeated messages, write {cursor} to it") from None
        self.cursor = cursor

    def _replace(self, data: bytes) -> None:
        """Replace the content, by a rename if possible. Raises OSError."""
        now = time.monotonic()
        sync = now - self._synced_at >= SYNC_SECONDS or not (self._in_place or self._keep_synced())
        if not self._in_place:
            try:
                self._move_into_place(data, sync)
            except OSError as error:
                if error.errno not in places.IN_USE_ELSEWHERE or not self.path.is_file():
                    raise
                self._in_place = True
        if self._in_place:
            places.replace_content(self.path, (data,), sync)
        if sync:
            self._synced_at = now
            self._forget_synced()

    def _keep_synced(self) -> bool:
        """Give the synced file in place a second name, unless there is one. Returns whether there is one now."""
        if not self._has_synced:
            with suppress(OSError):
                os.link(self.path, self._synced_path, follow_symlinks=False)
                self._has_synced = True
        return self._has_synced

    def _forget_synced(self) -> None:
        with suppress(OSError):
            self._synced_path.unlink()
        self._has_synced = False

    def _move_into_place(self, data: bytes, sync: bool) -> None:
        """Write the part file and move it into place. Keeps its open descriptor. Raises OSError."""
        descriptor, _ = places.create_part(self.path, self._part_path.name)
        try:
            if self._old and not places.keep_owner(descriptor, self._old):
                raise PermissionError(1, "its owner cannot be kept")
            places.write_all(descriptor, data)
            if sync:
                os.fsync(descriptor)
            os.rename(self._part_path, self.path)
        except BaseException:
            os.close(descriptor)
            self._part_path.unlink(missing_ok=True)
            raise
        if self._saved_descriptor is not None:
            os.close(self._saved_descriptor)
        self._saved_descriptor = descriptor

    def close(self) -> None:
        """Sync the saved content to disk, and release the lock. Raises CursorWriteError if the sync fails."""
        saved, self._saved_descriptor = self._saved_descriptor, None
        lock, self._lock = self._lock, None
        try:
            if saved is not None:
                try:
                    os.fsync(saved)
                finally:
                    os.close(saved)
                places.sync_directory(self.path.parent)
                self._forget_synced()
        except OSError as error:
            raise self._write_error(error) from None
        finally:
            if lock is not None:
                with suppress(OSError):
                    self._part_path.unlink()  # it exists only if a signal interrupted a `save`
                lock.release()

    def _write_error(self, error: OSError, hint: str = "") -> CursorWriteError:
        return CursorWriteError(f"cannot write {self._display_path}: {error.strerror}", hint)


def _read_content(path: Path, access: int) -> bytes:
    """Return the beginning of a regular file. Raises OSError."""
    with open(os.open(path, access | places.OPEN_FLAGS), "rb") as file:
        return file.read(MAX_CURSOR_FILE_BYTES) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""


def _parse(content: bytes) -> tuple[str, str] | None:
    """Return the cursor and the digest of the filter, which may be empty, or None for anything else."""
    cursor, newline, rest = content.removesuffix(b"\n").decode("ascii", "replace").partition("\n")
    filter_line = FILTER_LINE.fullmatch(rest)
    if not _is_cursor(cursor) or (newline and not filter_line):
        return None
    return cursor, filter_line[1] if filter_line else ""


def _is_cursor(text: str) -> bool:
    try:
        parse_cursor(text)
    except CursorMalformed:
        return False
    return text.isascii() and text.isprintable() and " " not in text and len(text) < MAX_CURSOR_FILE_BYTES // 2


def _bad_cursor_file(text: str) -> typer.BadParameter:
    return options.bad("--cursor-file", text)
