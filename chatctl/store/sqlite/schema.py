"""The tables of a store's file: how they are created, and the migrations from those of an older chatctl.

A block is a committed run: consecutive messages of one room, user and input, with consecutive sequences and numbers, stored
at one time. One row holds what its messages share, so a message costs a row of two columns and no index entry. The stored
records of an input are found through its blocks.
"""

import sqlite3

APPLICATION_ID = 0x63686174  # "chat", in the header of our files (https://www.sqlite.org/pragma.html#pragma_application_id)
# A commit writes at least ten pages: a lone message is 17 % faster than with 16 KiB, bulk 10 % slower.
DB_PAGE_BYTES = 8 * 1024
FIRST_VERSION = 1

MIGRATIONS: tuple[tuple[str, ...], ...] = ()
"""The statements from each version of the schema to the next: the first from FIRST_VERSION, the last to that of SCHEMA.

When you change SCHEMA, append a migration: files of every earlier version must stay readable.
"""

SCHEMA = """
CREATE TABLE log (              -- one row: the log and its totals
    id TEXT NOT NULL,
    head INTEGER NOT NULL,      -- the newest sequence
    last_time INTEGER NOT NULL, -- microseconds since 1970, as all times here
    messages INTEGER NOT NULL, bytes INTEGER NOT NULL, rooms INTEGER NOT NULL, users INTEGER NOT NULL
);
CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, messages INTEGER NOT NULL, last_time INTEGER NOT NULL);
CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, messages INTEGER NOT NULL, last_time INTEGER NOT NULL);
CREATE TABLE sender (id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES user, name TEXT NOT NULL, UNIQUE (user, name));
CREATE TABLE message (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE block (
    sequence INTEGER PRIMARY KEY, -- of its first message; the others follow
    messages INTEGER NOT NULL, bytes INTEGER NOT NULL,
    room INTEGER NOT NULL REFERENCES room, user INTEGER NOT NULL REFERENCES user,
    sender INTEGER NOT NULL REFERENCES sender, number INTEGER NOT NULL, -- of its first record
    time INTEGER NOT NULL
);
CREATE INDEX room_by_messages ON room (messages);
CREATE INDEX user_by_messages ON user (messages);
CREATE INDEX block_by_room ON block (room);
CREATE INDEX block_by_user ON block (user);
CREATE INDEX block_by_number ON block (sender, number);
CREATE VIEW messages AS         -- for people: plain rows, oldest first
    SELECT message.sequence, strftime('%Y-%m-%dT%H:%M:%fZ', block.time / 1e6, 'unixepoch') AS time,
           room.name AS room, user.name AS user, message.text,
           sender.name AS sender, block.number + message.sequence - block.sequence AS number
    FROM block CROSS JOIN message ON message.sequence BETWEEN block.sequence AND block.sequence + block.messages - 1
    JOIN room ON room.id = block.room JOIN user ON user.id = block.user JOIN sender ON sender.id = block.sender
    ORDER BY block.sequence, message.sequence;
"""


def latest_version() -> int:
    """Return the version of SCHEMA."""
    return FIRST_VERSION + len(MIGRATIONS)


def create(connection: sqlite3.Connection, log_id: str) -> None:
    """Create the tables of a new log in an empty file. Raises sqlite3.Error."""
    connection.execute(f"PRAGMA page_size = {DB_PAGE_BYTES}")
    connection.executescript(
        f"BEGIN;{SCHEMA};PRAGMA application_id = {APPLICATION_ID};PRAGMA user_version = {latest_version()}"
    )
    connection.execute("INSERT INTO log VALUES (?, 0, 0, 0, 0, 0, 0)", (log_id,))
    connection.execute("COMMIT")


def file_version(connection: sqlite3.Connection) -> int:
    """Return the version of the file's tables."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate older tables to the latest version, in the caller's transaction. Raises sqlite3.Error."""
    for statements in MIGRATIONS[file_version(connection) - FIRST_VERSION :]:
        for statement in statements:
            connection.execute(statement).fetchall()
    connection.execute(f"PRAGMA user_version = {latest_version()}")
