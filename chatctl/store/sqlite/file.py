"""Opening a store's file, only if it is whole, ours and nobody else's."""

import fcntl
import logging
import os
import sqlite3
import stat
import time
from pathlib import Path

from chatctl.errors import StoreOpenError
from chatctl.store.sqlite import disk_space, schema

logger = logging.getLogger(__name__)

MAX_CHECK_SECONDS = 2.0  # how long opening may look for damage; a 1 GB file takes about as long


_unclosed: list[sqlite3.Connection] = []
"""Connections to damaged stores, open until the process ends: closing the last one would move the write-ahead log into the
file and delete it, and whoever restores the file from a copy needs it."""


class _DamagedStore(StoreOpenError):
    """The file is not whole."""


class StoreFile:
    """A file of ours, locked for this process. `connect` as often as needed, then `close`."""

    def __init__(self, path: str) -> None:
        """Open the file, made with its directories if it does not exist. Raises StoreOpenError."""
        try:
            self.path = Path(path).expanduser().resolve()
        except RuntimeError as error:  # links in a circle, or no such home
            raise StoreOpenError(f"the store {path} cannot be opened: {error}") from error
        try:
            if self.path.is_symlink():
                raise StoreOpenError(f"the store {self.path} cannot be opened: its links lead in a circle")
            if self.path.is_dir():
                raise StoreOpenError(f"the store {self.path} is a directory: name a file in it")
            if self.path.exists() and not self.path.is_file():
                raise StoreOpenError(f"the store {self.path} is no regular file: name another with --store")
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_header()  # before the lock, so that no lock file is left beside what is no store
            self._lock = self._acquire_lock()
        except OSError as error:
            raise StoreOpenError(f"the store {self.path} cannot be opened: {error.strerror}") from error
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _acquire_lock(self) -> int:
        """A lock beside the file that dies with the process; a lock on the file itself would upset SQLite's own."""
        lock = os.open(f"{self.path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise StoreOpenError(
                f"the store {self.path} is in use by another server: stop that one, or name another file with --store"
            ) from error
        return lock

    def _prepare(self) -> None:
        """Check the file, or make it."""
        try:
            if self._check_header():
                self._sync_wal()
            else:
                self._create()
            connection = self.connect()
            try:
                self._check_contents(connection)
            except (StoreOpenError, sqlite3.DatabaseError) as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, _DamagedStore) or _is_damage(error):
                    _unclosed.append(connection)
                else:
                    connection.close()
                raise
            connection.close()
            self._opened_id = self._file_id()
        except OSError as error:
            raise StoreOpenError(f"the store {self.path} cannot be opened: {error.strerror}") from error
        except sqlite3.Error as error:
            raise StoreOpenError(self._open_error_message(error)) from error

    def _open_error_message(self, error: sqlite3.Error) -> str:
        """What a SQLite error means for somebody who wants to open this file."""
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            return f"the store {self.path} cannot be written: make the file and its directory writable"
        if _is_damage(error):
            return f"the store {self.path} is damaged or no store of chatctl ({error}): restore it from a copy"
        if disk_space.is_full(error, self.path):
            return f"the store {self.path} cannot be opened: its disk is full, or may hold no more for this user"
        if name == "SQLITE_BUSY":
            return f"the store {self.path} is locked by another program: close it there"
        return f"the store {self.path} cannot be opened: {error}"

    def _check_header(self) -> bool:
        """Whether there is a file. Refuses what is no SQLite file, or not ours, before SQLite writes anything beside it."""
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        with open(self.path, "rb") as file:
            header = file.read(100)
        if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
            raise StoreOpenError(f"{self.path} is no store of chatctl: name another file with --store")
        if int.from_bytes(header[68:72], "big") != schema.APPLICATION_ID:
            raise StoreOpenError(f"{self.path} is a SQLite file of another program: name another file with --store")
        if self.path.stat().st_nlink > 1:
            # The lock and the write-ahead log are beside a name, so two names would be two stores in one file.
            raise StoreOpenError(
                f"the store {self.path} has another name (a hard link): remove one of the two, or copy the file"
            )
        if not os.access(self.path, os.W_OK):
            raise StoreOpenError(f"the store {self.path} cannot be written: make the file writable")
        return True

    def connect(self) -> sqlite3.Connection:
        """A connection for any one thread at a time, in autocommit; the caller closes it."""
        # mode=rw: a file that is gone is not made again.
        url = f"{self.path.as_uri()}?mode=rw"
        connection = sqlite3.connect(url, uri=True, isolation_level=None, check_same_thread=False, timeout=5)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # it ignores a sync that fails: the writer does it
        return connection

    def _file_id(self) -> tuple[int, int] | None:
        """What is at the path now, if anything is."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def is_same_file(self) -> bool:
        """Whether the file that was opened is still at its path, and not deleted or replaced."""
        return self._file_id() == self._opened_id

    def _create(self) -> None:
        """Make the file under another name first, so that nobody ever opens half of it."""
        wal = Path(f"{self.path}-wal")
        if wal.exists() and wal.stat().st_size:
            # SQLite would play it into the new file.
            raise StoreOpenError(
                f"the store {self.path} is gone or empty, but {wal} is not: restore the store from a copy, "
                f"or remove {wal.name} to begin a new log"
            )
        new = Path(f"{self.path}-new")
        new.unlink(missing_ok=True)
        # What people say is for the server's user alone; SQLite gives the files beside it the same mode.
        new.touch(mode=stat.S_IMODE(self.path.stat().st_mode) if self.path.exists() else 0o600)
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            schema.create(connection)
        finally:
            connection.close()
        new.rename(self.path)
        _fsync(self.path.parent)  # so that the file's name, too, survives a power cut

    def _sync_wal(self) -> None:
        """Sync what a killed server may have written and not synced: its records are to be answered as stored before."""
        wal = Path(f"{self.path}-wal")
        if wal.exists():
            _fsync(wal)  # never the file itself: closing it would drop locks of SQLite's
            _fsync(wal.parent)

    def _check_contents(self, connection: sqlite3.Connection) -> None:
        """Refuse a newer schema, and damage as far as it can be found in a moment; lead an older schema up."""
        version, latest = schema.file_version(connection), schema.latest_version()
        if not schema.FIRST_VERSION <= version <= latest:
            raise StoreOpenError(
                f"the store {self.path} has schema {version}, this chatctl knows {latest}: "
                "use the chatctl that wrote it, or a newer one"
            )
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreOpenError(f"the store {self.path} is on a file system without shared memory: put it on a local disk")
        if damage := _find_damage(connection):
            raise self._damaged_error(damage)
        connection.execute("BEGIN IMMEDIATE")  # a read-only file or full disk shows here and not at the first message
        if version < latest:
            schema.migrate(connection)
        if not _totals_match(connection):
            raise self._damaged_error("its totals and its messages differ")  # and closing the connection undoes the upgrade
        connection.execute("COMMIT")
        if version < latest:
            logger.warning(
                "the store %s now has schema %d: a chatctl that knows only %d refuses it", self.path, latest, version
            )

    def _damaged_error(self, damage: str) -> StoreOpenError:
        return _DamagedStore(f"the store {self.path} is damaged ({damage}): restore it from a copy")

    def close(self) -> None:
        """Let others have the file; a second time it does nothing."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def _fsync(path: Path) -> None:
    """Sync a file or directory to disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_damage(error: Exception) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT"))


def _find_damage(connection: sqlite3.Connection) -> str:
    """What SQLite's own check finds within MAX_CHECK_SECONDS; empty if nothing, or if it did not get to the end."""
    deadline = time.monotonic() + MAX_CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname == "SQLITE_INTERRUPT":
            return ""
        raise
    finally:
        connection.set_progress_handler(None, 0)
    return "" if found == "ok" else str(found)


def _totals_match(connection: sqlite3.Connection) -> bool:
    """Whether the totals, the last block and the last message agree."""
    head, messages = connection.execute("SELECT head, messages FROM log").fetchone()
    last = connection.execute("SELECT sequence + messages - 1 FROM block ORDER BY sequence DESC LIMIT 1").fetchone()
    (last_sequence,) = connection.execute("SELECT max(sequence) FROM message").fetchone()
    return bool(head == (last[0] if last else 0) == (last_sequence or 0) and messages <= head)
