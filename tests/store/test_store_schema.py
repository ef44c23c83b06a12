"""Migrations of the files of an older chatctl: complete, or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatctl.model.records import ReceiptStatus
from chatctl.model.stats import NameStats
from chatctl.store.sqlite import schema
from tests.support.logs import batch, receipt_rows, run_on_log, texts
from tests.support.small_disk import fill_disk, mounted_tmpfs
from tests.support.stores import filled_store, open_error, run_killed

FIRST, SECOND = 1_700_000_000_000_000, 1_700_000_001_000_000  # when the messages of the frozen file were stored
TO_NEXT = ("ALTER TABLE log ADD COLUMN note TEXT", "UPDATE log SET note = 'two'")
TO_NEXT_BUT_ONE = ("UPDATE log SET note = note || ', three'", "CREATE INDEX message_by_text ON message (text)")
NEWEST = schema.latest_version()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def add_migrations(monkeypatch):
    """Add migrations; without arguments, remove them again."""

    def add(*steps):
        monkeypatch.setattr(schema, "MIGRATIONS", known + steps)

    known = schema.MIGRATIONS
    return add


def frozen(path, version=1):
    """Create a file as the chatctl of that version did."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript((Path(__file__).parent / f"schemas/{version}.sql").read_text())
    return path


def asked(path, sql):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def tables(path):
    """Return the version, and the columns of all tables and indexes."""
    columns = "SELECT m.type, m.name, c.name, c.type FROM sqlite_master m, pragma_table_xinfo(m.name) c ORDER BY 1, 2, 3"
    indexed = "SELECT m.tbl_name, m.name, c.name FROM sqlite_master m, pragma_index_info(m.name) c ORDER BY m.name, c.seqno"
    return asked(path, "PRAGMA user_version"), asked(path, columns), asked(path, indexed)


async def check_frozen(log):
    """Check that everything of the frozen file is readable and a duplicate."""
    assert await texts(log) == ["hello", "world", "räu"]
    assert (log.id, log.head) == ("0123456789ab", 3)
    again = receipt_rows(await log.append(batch("hello", "world")))
    assert again == [(1, ReceiptStatus.DUPLICATE, 1, FIRST), (2, ReceiptStatus.DUPLICATE, 2, FIRST)]
    assert receipt_rows(await log.append(batch("räu", number=7, room="den", user="bob", input_id="other")))[0][1:3] == (2, 3)
    assert receipt_rows(await log.append(batch("other")))[0][1] is ReceiptStatus.REJECTED
    stats = await log.stats(1, ("den",))
    assert (stats.num_messages, stats.num_rooms, stats.num_users, stats.stored_bytes) == (3, 2, 2, 14)
    assert stats.rooms == [NameStats("den", 1, SECOND)]


async def go_on(log):
    await check_frozen(log)
    (receipt,) = await log.append(batch("new", number=3))
    return receipt.status, receipt.sequence


@pytest.mark.parametrize("version", range(schema.FIRST_VERSION, NEWEST + 1))
def test_a_file_of_each_version_is_migrated_to_the_latest(path, version):
    """When you change the schema, append a migration, and add a frozen file of the new version here."""
    frozen(path, version)
    assert run_on_log(f"sqlite:{path}", go_on) == [(ReceiptStatus.STORED, 4)]
    assert tables(path) == tables(filled_store(path.with_name("new.db")))


def test_migrations_run_in_order_and_once_and_older_versions_reject_the_file(path, add_migrations, caplog):
    filled_store(path)
    add_migrations(TO_NEXT, TO_NEXT_BUT_ONE)
    assert run_on_log(f"sqlite:{path}", texts, texts) == [["hello", "world"]] * 2
    assert asked(path, "SELECT note FROM log") == [("two, three",)]
    assert asked(path, "PRAGMA user_version") == [(NEWEST + 2,)]
    assert [record.getMessage().count(f" to {NEWEST + 2}:") for record in caplog.records] == [1]
    add_migrations(TO_NEXT)
    assert f"supports up to {NEWEST + 1}" in open_error(path)


def test_a_partly_migrated_file_continues_from_its_version(path, add_migrations):
    frozen(path)
    add_migrations(TO_NEXT)
    run_on_log(f"sqlite:{path}", texts)
    add_migrations(TO_NEXT, TO_NEXT_BUT_ONE)
    assert run_on_log(f"sqlite:{path}", go_on) == [(ReceiptStatus.STORED, 4)]
    assert asked(path, "SELECT note FROM log") == [("two, three",)]


def test_a_failed_migration_leaves_the_old_version_complete(path, add_migrations):
    before = tables(filled_store(path))
    add_migrations(TO_NEXT, ("UPDATE message SET text = 'gone'", "CREATE INDEX log ON nothing (x)"))
    assert "cannot open" in open_error(path)
    assert tables(path) == before
    add_migrations()
    assert run_on_log(f"sqlite:{path}", texts) == [["hello", "world"]]


def test_damage_found_after_the_migration_leaves_the_old_version_unchanged(path, add_migrations):
    filled_store(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE log SET head = 1")
        db.commit()
    before = tables(path)
    add_migrations(TO_NEXT)
    assert "damaged" in open_error(path)
    assert tables(path) == before


def test_a_full_disk_during_a_migration_leaves_the_old_version_complete(tmp_path, add_migrations):
    with mounted_tmpfs(tmp_path / "disk", "size=16m") as disk:
        path = filled_store(disk / "chat.db", 2)
        before, stored = tables(path), run_on_log(f"sqlite:{path}", texts)
        ballast = fill_disk(disk)
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - 256 * 1024)  # enough for the start of the migration
        add_migrations((*TO_NEXT, "CREATE TABLE copied AS SELECT * FROM message"))
        assert "full" in open_error(path)
        ballast.unlink()
        assert tables(path) == before
        assert run_on_log(f"sqlite:{path}", texts) == stored
        assert asked(path, "SELECT note FROM log") == [("two",)]


KILLED_AT = """
connect = StoreFile.connect

def with_end(file):
    connection = connect(file)
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection

StoreFile.connect = with_end
statements = ["CREATE TABLE copied AS SELECT * FROM message", *{step}]
statements.insert({place}, "SELECT die()")
schema.MIGRATIONS += (tuple(statements),)
"""


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_server_killed_during_a_migration_leaves_the_old_version_complete(path, add_migrations, place):
    before = tables(filled_store(path, 4))
    stored = run_on_log(f"sqlite:{path}", texts)
    run_killed(path, setup=KILLED_AT.format(place=place, step=TO_NEXT))
    written = path.with_name("chat.db-wal").stat().st_size
    assert place == 0 or written > 1024 * 1024  # the migration had begun
    assert tables(path) == before
    assert run_on_log(f"sqlite:{path}", texts) == stored
    add_migrations(TO_NEXT)
    assert run_on_log(f"sqlite:{path}", texts) == stored
    assert asked(path, "SELECT note FROM log") == [("two",)]


def test_a_server_killed_right_after_a_migration_leaves_the_new_version(path, add_migrations):
    frozen(path)
    run_killed(path, "await log.append(batch('new', number=3))", f"schema.MIGRATIONS += ({TO_NEXT!r},)")
    add_migrations(TO_NEXT)
    assert run_on_log(f"sqlite:{path}", texts) == [["hello", "world", "räu", "new"]]
    assert asked(path, "PRAGMA user_version") == [(NEWEST + 1,)]
