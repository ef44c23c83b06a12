"""The SQLite log on a failing disk."""

import asyncio
import shutil
import sqlite3
import threading

import pytest

from chatctl.errors import StoreFailed, StoreFull
from chatctl.store.sqlite.writer import CHECKPOINT_BYTES
from tests.support.logs import batch, opened_log


def failure(name):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    return error


@pytest.fixture
def url(tmp_path):
    return f"sqlite:{tmp_path}/store/chat.db"


async def test_nothing_is_retried_after_a_failed_sync(url):
    """Pending batches fail, too: after a failed fsync the next one may succeed although data is lost."""
    tried, begun, may_fail = [], threading.Event(), threading.Event()

    def commit(batches, time):
        begun.set()
        may_fail.wait()
        tried.append(batches)
        raise failure("SQLITE_IOERR_FSYNC")

    async with opened_log(url) as log:
        log._writer.commit = commit
        futures = [log.append(batch("a"))]
        begun.wait()
        futures.append(log.append(batch("b", number=2)))
        may_fail.set()
        log._committer.close()  # the event loop learns of nothing in between
        for future in futures:
            with pytest.raises(StoreFailed):
                await asyncio.wait_for(future, 10)
        with pytest.raises(StoreFailed):
            await asyncio.wait_for(log.append(batch("c", number=3)), 10)
        assert len(tried) == 1
        assert isinstance(log.failure.result(), StoreFailed)


@pytest.mark.parametrize("name", ["SQLITE_IOERR_WRITE", "SQLITE_CORRUPT", "SQLITE_READONLY_DBMOVED"])
async def test_every_append_gets_an_error_when_the_store_fails(url, tmp_path, name):
    def commit(batches, time):
        raise failure(name)

    async with opened_log(url) as log:
        log._writer.commit = commit
        shutil.rmtree(tmp_path / "store")  # so that an inspection of the files fails, too
        with pytest.raises(StoreFailed):
            await asyncio.wait_for(log.append(batch("a")), 10)
        with pytest.raises(StoreFailed):
            await asyncio.wait_for(log.append(batch("b")), 10)


async def test_every_append_gets_an_error_after_a_bug(url):
    def commit(batches, time):
        raise KeyError("a bug")

    async with opened_log(url) as log:
        log._writer.commit = commit
        with pytest.raises(StoreFailed):
            await asyncio.wait_for(log.append(batch("a")), 10)


async def test_a_full_disk_does_not_move_the_head(url):
    """Even if the totals cannot be read from the file afterwards."""

    async with opened_log(url) as log:
        await log.append(batch("a"))
        writer, real = log._writer, log._writer._db

        class Full:
            """A connection that fails from the commit on."""

            failing = False
            in_transaction = False

            def execute(self, sql, *arguments):
                if sql == "COMMIT":
                    real.execute("ROLLBACK")
                    self.failing = True
                if self.failing:
                    raise failure("SQLITE_FULL")
                return real.execute(sql, *arguments)

        writer._db = Full()
        with pytest.raises(StoreFull):
            await log.append(batch("b", number=2))
        assert log.head == 1
        writer._db = real
        (receipt,) = await log.append(batch("b", number=2))
        assert receipt.sequence == log.head
        stats = await log.stats(1, ())
        assert (stats.num_messages, stats.num_rooms) == (2, 1)


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_deleted_or_replaced_store_gives_no_receipts(url, tmp_path, replaced):
    path = tmp_path / "store/chat.db"

    async with opened_log(url) as log:
        await log.append(batch("a"))
        path.rename(path.with_name("elsewhere.db"))
        if replaced:
            path.touch()
        with pytest.raises(StoreFailed):
            await log.append(batch("b", number=2))
        assert isinstance(log.failure.result(), StoreFailed)


async def test_no_batch_overtakes_a_failed_one_of_its_input(url):
    """Not even a batch appended between the failure and the moment its caller can learn of it."""
    failed = threading.Event()

    async with opened_log(url) as log:
        real = log._writer.commit

        def commit(batches, time):
            log._writer.commit = real
            failed.set()
            raise failure("SQLITE_FULL")

        log._writer.commit = commit
        first = log.append(batch("first"))
        failed.wait()
        second, other = log.append(batch("second", number=2)), log.append(batch("third", user="bob"))
        for future in (first, second):
            with pytest.raises(StoreFull):
                await future
        assert (await other)[0].sequence == 1
        receipts = [await log.append(batch(text, number=number)) for number, text in ((1, "first"), (2, "second"))]
        assert [receipt.sequence for (receipt,) in receipts] == [2, 3]


async def test_a_failed_sync_of_a_checkpoint_ends_the_store(url):
    """SQLite's automatic checkpoints ignore the failure, and the next one succeeds."""

    async with opened_log(url) as log:
        await log.append(batch("a"))
        writer, real = log._writer, log._writer._db

        class Disk:
            in_transaction = False

            def execute(self, sql, *arguments):
                if "wal_checkpoint" in sql:
                    raise failure("SQLITE_IOERR_FSYNC")
                return real.execute(sql, *arguments)

        writer._db, writer._wal_bytes = Disk(), CHECKPOINT_BYTES
        with pytest.raises(StoreFailed):
            await log.append(batch("b", number=2))
        assert isinstance(log.failure.result(), StoreFailed)


async def test_the_write_ahead_log_stays_small(url, tmp_path):
    async with opened_log(url) as log:
        for number in range(1, 400_001, 1000):
            await log.append(batch(*["x" * 100] * 1000, number=number))
        assert (tmp_path / "store/chat.db-wal").stat().st_size < 3 * CHECKPOINT_BYTES
