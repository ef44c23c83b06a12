"""Open a store's file if it is undamaged, a store of chatctl and not in use by another server."""

import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from chatctl.errors import StoreOpenError
from chatctl.store.sqlite import disk_space, file_access, schema

logger = logging.getLogger(__name__)

OTHER_FILE, RESTORE = "name another file with --store", "restore it from a copy"  # hints

MAX_CHECK_SECONDS = 2.0  # for the search for damage when the file is opened; 1 GB takes about as long

_unclosed: list[sqlite3.Connection] = []


def keep_open(connections: Iterable[sqlite3.Connection]) -> None:
    """Keep the connections of a damaged or failed store open until the process ends.

    Closing the last one would move the write-ahead log into the file and delete it. It may be needed to restore the store.
    """
    _unclosed.extend(connections)


class _UnusableStore(StoreOpenError):
    """The file is damaged or others may have written to it: its write-ahead log must not be moved into it."""


class StoreFile:
    """A store's file, locked for this process. Close it after its connections."""

    def __init__(self, path: str, new_log_id: Callable[[], str], allow_shared: bool = False) -> None:
        """Open the file, or create it and its directories. Raises StoreOpenError.

        Files that other users could have made or can write to are refused, unless `allow_shared` is true.
        """
        self._new_log_id = new_log_id
        self._allow_shared = allow_shared
        self.path = file_access.resolve_path(path, allow_shared)
        try:
            if self.path.is_dir():
                raise self._open_error("it is a directory", "name a file in it")
            if self.path.exists() and not self.path.is_file():
                raise self._open_error("it is not a regular file", OTHER_FILE)
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shared = file_access.check_access(self.path, allow_shared)
            self._check_header()  # before the lock, so that no lock file is created beside a file of another program
            self._lock = file_access.acquire_lock(self.path, allow_shared)
        except OSError as error:
            raise self._open_error(error.strerror) from error
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise
        file_access.warn_of_others(self.path, shared, allow_shared)

    def _open_error(self, reason: str | None, hint: str = "") -> StoreOpenError:
        return file_access.open_error(self.path, reason, hint)

    def _prepare(self) -> None:
        """Check the file, or create it."""
        try:
            if self._check_header():
                self._sync_wal()
            else:
                self._create()
            connection = self.connect()
            try:
                self._check_contents(connection)
                self._check_access_again()
            except (StoreOpenError, sqlite3.DatabaseError) as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, _UnusableStore) or _is_damage(error):
                    keep_open([connection])
                else:
                    connection.close()
                raise
            connection.close()
            self._opened_id = self._file_id()
        except OSError as error:
            raise self._open_error(error.strerror) from error
        except sqlite3.Error as error:
            raise self._translate_error(error) from error

    def _check_access_again(self) -> None:
        """Check the files that SQLite has opened: another user may have made one of them just before."""
        try:
            file_access.check_access(self.path, self._allow_shared)
        except StoreOpenError as error:
            raise _UnusableStore(error.message, error.hint) from error

    def _translate_error(self, error: sqlite3.Error) -> StoreOpenError:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            return self._open_error("it is not writable", "make the file and its directory writable")
        if _is_damage(error):
            return self._open_error(f"it is damaged or not a store of chatctl ({error})", RESTORE)
        if disk_space.is_full(error, self.path):
            return self._open_error("its disk or the quota of this user is full", "free some space")
        if name == "SQLITE_BUSY":
            return self._open_error("another program has locked it", "close it there")
        return self._open_error(str(error))

    def _check_header(self) -> bool:
        """Return whether the file exists. Raises StoreOpenError for a foreign one, before SQLite writes beside it."""
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        with open(self.path, "rb") as file:
            header = file.read(100)
        if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
            raise self._open_error("it is not a store of chatctl", OTHER_FILE)
        if int.from_bytes(header[68:72], "big") != schema.APPLICATION_ID:
            raise self._open_error("it is an SQLite file of another program", OTHER_FILE)
        if self.path.stat().st_nlink > 1:
            # Each name has its own lock and write-ahead log, so two names would be two stores in one file.
            raise self._open_error("it has another name (a hard link)", "remove one of the two, or copy the file")
        if not os.access(self.path, os.W_OK):
            raise self._open_error("it is not writable", "make the file writable")
        return True

    def connect(self) -> sqlite3.Connection:
        """Open a connection in autocommit mode, for one thread at a time; the caller closes it."""
        # mode=rw: SQLite does not create a deleted file again.
        url = f"{self.path.as_uri()}?mode=rw"
        connection = sqlite3.connect(url, uri=True, isolation_level=None, check_same_thread=False, timeout=5)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # it ignores a failed sync, so the writer does the checkpoints
        return connection

    def _file_id(self) -> tuple[int, int] | None:
        """Return what identifies the file at the path, or None if there is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def is_same_file(self) -> bool:
        """Return whether the file at the path is still the one that was opened."""
        return self._file_id() == self._opened_id

    def _create(self) -> None:
        """Create the file under a temporary name and rename it, so that no process opens an incomplete one."""
        wal = Path(f"{self.path}-wal")
        if wal.exists() and wal.stat().st_size:
            # SQLite would replay it into the new file.
            raise self._open_error(
                f"the file is missing or empty, but {wal} is not",
                f"restore the store from a copy, or remove {wal.name} to start a new log",
            )
        new = Path(f"{self.path}-new")
        new.unlink(missing_ok=True)
        # Only the server's user may read the messages. SQLite gives the files beside it the same mode.
        mode = stat.S_IMODE(self.path.stat().st_mode) if self.path.exists() else 0o600
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode))
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            # Without a journal in a file: SQLite would follow a link that has its name.
            connection.execute("PRAGMA journal_mode = MEMORY").fetchone()
            schema.create(connection, self._new_log_id())
        finally:
            connection.close()
        _fsync(new)
        new.rename(self.path)
        _fsync(self.path.parent)  # so that the new name survives a power failure, too

    def _sync_wal(self) -> None:
        """Sync what a killed server may have written without a sync: its records will be answered as duplicates."""
        wal = Path(f"{self.path}-wal")
        if wal.exists():
            _fsync(wal)  # never the file itself: closing it would release SQLite's locks
            _fsync(wal.parent)

    def _check_contents(self, connection: sqlite3.Connection) -> None:
        """Migrate an older schema. Raises StoreOpenError for a newer schema, and for damage found in MAX_CHECK_SECONDS."""
        version, latest = schema.file_version(connection), schema.latest_version()
        if not schema.FIRST_VERSION <= version <= latest:
            raise self._open_error(
                f"it has schema {version}, this version of chatctl supports up to {latest}",
                "use the version that wrote it, or a newer one",
            )
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise self._open_error("its file system does not support shared memory", "move it to a local disk")
        if damage := _find_damage(connection):
            raise self._damaged_error(damage)
        connection.execute("BEGIN IMMEDIATE")  # a read-only file or a full disk fails here and not at the first message
        if version < latest:
            schema.migrate(connection)
        if not _totals_match(connection):
            raise self._damaged_error("its totals and its messages differ")  # the caller rolls the migration back
        connection.execute("COMMIT")
        if version < latest:
            message = "migrated the store %s from schema %d to %d: older versions of chatctl cannot open it any more"
            logger.warning(message, self.path, version, latest)

    def _damaged_error(self, damage: str) -> StoreOpenError:
        return _UnusableStore(f"cannot open the store {self.path}: it is damaged ({damage})", RESTORE)

    def close(self) -> None:
        """Release the lock. Further calls do nothing."""
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
    """Return the damage that SQLite's check finds within MAX_CHECK_SECONDS, or an empty string."""
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
    """Return whether the totals, the last block and the last message agree."""
    head, messages = connection.execute("SELECT head, messages FROM log").fetchone()
    last = connection.execute("SELECT sequence + messages - 1 FROM block ORDER BY sequence DESC LIMIT 1").fetchone()
    (last_sequence,) = connection.execute("SELECT max(sequence) FROM message").fetchone()
    if last is None:  # an empty log may have any head: its messages were removed
        return bool(messages == 0 and last_sequence is None)
    return bool(head == last[0] == last_sequence and messages <= head)
