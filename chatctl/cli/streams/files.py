"""Files that take their place whole or not at all, and the locks on them."""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

import typer

OUTPUT_PART_SUFFIX = ".part"  # of a file that is still being written; left behind by a process that was killed


class OutputFile:
    """A file written beside its place and moved there by `close`; a pipe or device is written directly.

    A failure to write is kept in `error`: what is sent is worth more. Then nothing takes the file's place.
    """

    def __init__(self, option: str, path: str) -> None:
        """Raises BadParameter, naming the option, for a path that cannot be written, and for one that is also stdin."""
        self.path = Path(path)
        self.error = ""
        try:
            status = self.path.stat() if self.path.exists() else None
            if path == "-":
                raise typer.BadParameter("- is no file: for stdout say --json", param_hint=f"'{option}'")
            for number, name in enumerate(("stdin", "stdout", "stderr")):
                # A terminal or /dev/null may well be both, and a pipe be named as /dev/stdout.
                same_file = status and os.path.samestat(status, os.fstat(number)) and not stat.S_ISCHR(status.st_mode)
                if same_file and (number == 0 or self.path.is_file()):
                    raise typer.BadParameter(f"{path} is also {name}: name another file", param_hint=f"'{option}'")
            if status and stat.S_ISDIR(status.st_mode):
                raise typer.BadParameter(f"{path} is a directory: name a file", param_hint=f"'{option}'")
            self._in_place = status is not None and not stat.S_ISREG(status.st_mode)
            if not self._in_place:
                self.path = self.path.resolve()  # the file that a link leads to is replaced, not the link
            self._part_path = self.path if self._in_place else self.path.with_name(self.path.name + OUTPUT_PART_SUFFIX)
            descriptor = os.open(self.path, os.O_WRONLY) if self._in_place else open_locked(self._part_path)
            if status and not self._in_place:
                os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        except BlockingIOError:
            raise typer.BadParameter(f"another chatctl is writing {path}", param_hint=f"'{option}'") from None
        except OSError as error:
            raise typer.BadParameter(f"cannot write {path}: {error.strerror}", param_hint=f"'{option}'") from None
        self._file = os.fdopen(descriptor, "wb")

    def write(self, data: bytes) -> None:
        """Write, unless it has failed before."""
        if not self.error:
            try:
                self._file.write(data)
            except OSError as error:
                self._record_error(error)

    def close(self) -> None:
        """Put the file in its place."""
        try:
            self._file.flush()
            if not self._in_place and not self.error:
                os.fsync(self._file.fileno())
                self._part_path.rename(self.path)
        except OSError as error:
            self._record_error(error)
        if self.error and not self._in_place:
            self._part_path.unlink(missing_ok=True)
        try:
            self._file.close()  # and with it the lock
        except OSError as error:
            self._record_error(error)

    def discard(self) -> None:
        """Leave its place as it is, unless it was closed."""
        if not self._file.closed:
            self.error = self.error or f"{self.path} is not written"
            self.close()

    def _record_error(self, error: OSError) -> None:
        self.error = self.error or f"cannot write {self.path}: {error.strerror}"


def open_locked(path: Path) -> int:
    """The file, empty and locked against others who want to write it, until it is closed or the process dies.

    Raises BlockingIOError if another has it, and other OSErrors where it cannot be written.
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
        os.close(descriptor)  # whoever had it has just moved it to its place, or removed it
