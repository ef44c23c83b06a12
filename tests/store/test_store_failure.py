"""What the SQLite log does when the disk under it fails."""

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


async def test_after_a_failed_sync_nothing_is_tried_again(url):
    """Not even what stood in line already: after a failed fsync the next one may succeed although data is lost."""
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
async def test_nobody_is_left_waiting_when_the_store_fails(url, tmp_path, name):
    def commit(batches, time):
        raise failure(name)

    async with opened_log(url) as log:
        log._writer.commit = commit
        shutil.rmtree(tmp_path / "store")  # so that whatever the log looks at to find out more is gone, too
        with pytest.raises(StoreFailed):
            await asyncio.wait_for(log.append(batch("a")), 10)
        with pytest.raises(StoreFailed):
            await asyncio.wait_for(log.append(batch("b")), 10)


async def test_a_fault_of_ours_leaves_nobody_waiting(url):
    def commit(batches, time):
        raise KeyError("a bug")

    async with opened_log(url) as log:
        log._writer.commit = commit
        with pytest.raises(StoreFailed):
            await asyncio.wait_for(log.append(batch("a")), 10)


async def test_what_fails_for_lack_of_space_leaves_the_head_where_it_was(url):
    """Also when the file cannot even be asked for its totals right after."""

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
async def test_a_store_whose_file_is_gone_gives_no_receipts(url, tmp_path, replaced):
    path = tmp_path / "store/chat.db"

    async with opened_log(url) as log:
        await log.append(batch("a"))
        path.rename(path.with_name("elsewhere.db"))
        if replaced:
            path.touch()
        with pytest.raises(StoreFailed):
            await log.append(batch("b", number=2))
        assert isinstance(log.failure.result(), StoreFailed)


async def test_nothing_overtakes_a_failed_draft_of_its_sender(url):
    """Not even what is appended between the failure and the moment its sender can hear of it."""
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


async def test_a_sync_that_fails_while_the_log_is_moved_into_the_file_ends_the_store(url):
    """SQLite's own checkpoints ignore it, and the next one would find nothing to complain about."""

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
