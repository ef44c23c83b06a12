"""A full disk: messages are rejected until there is space, readers continue, and stored messages stay."""

import asyncio
import errno
import resource
import sqlite3
import subprocess
from contextlib import contextmanager

import pytest

from chatctl.errors import StoreFailed, StoreFull
from chatctl.model.records import ReceiptStatus
from chatctl.store.sqlite import disk_space
from tests.support.logs import batch, messages, opened_log, receipt_rows, texts
from tests.support.small_disk import fill_disk, mounted_tmpfs
from tests.support.stores import filled_store, open_error, run_killed

MEGABYTE = 1024 * 1024


def failure(name):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    return error


def bulk(number):
    return batch(*["x" * 1000] * 500, number=number)


async def outcome(receipts):
    """Return the receipts, or the error."""
    return (await asyncio.gather(receipts, return_exceptions=True))[0]


def resize(disk, megabytes):
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", disk], check=True)


async def send_until_full(log, number):
    """Append records from a number until the disk is full. Returns the first number that failed."""
    while not isinstance(error := await outcome(log.append(bulk(number))), StoreFull):
        number += 500
    assert "space" in str(error)
    return number


async def check(log, stored):
    """Check that every record with a receipt can be read and is a duplicate."""
    assert log.head == stored
    assert (await log.stats(1, ())).num_messages == stored == len(await messages(log))
    for number in range(1, stored, 500):
        (receipt,) = await log.append(bulk(number))
        assert receipt.status is ReceiptStatus.DUPLICATE
    assert not log.failure.done()


async def test_a_full_disk_rejects_messages_until_there_is_space(tmp_path):
    with mounted_tmpfs(tmp_path / "disk", "size=8m") as disk:
        async with opened_log(f"sqlite:{disk}/chat.db") as log:
            before = receipt_rows(await log.append(batch("before")))
            ballast = fill_disk(disk)
            large = batch(*["y" * 60_000] * 10, number=2)
            futures = [log.append(large), log.append(batch("z" * 60_000, input_id="other"))]
            for future in futures:
                with pytest.raises(StoreFull, match="space"):
                    await future
            assert await texts(log) == ["before"]
            assert (await log.stats(1, ())).num_messages == 1
            ballast.unlink()
            assert {line[1] for line in receipt_rows(await log.append(large))} == {ReceiptStatus.STORED}
            again = receipt_rows(await log.append(batch("before")))
            assert again[0][1:] == (ReceiptStatus.DUPLICATE, *before[0][2:])
            assert not log.failure.done()
            assert len(await messages(log)) == 11
        async with opened_log(f"sqlite:{disk}/chat.db") as log:
            assert len(await messages(log)) == 11


def test_a_new_store_on_a_full_disk_is_rejected(tmp_path):
    with mounted_tmpfs(tmp_path / "disk", "size=64k") as disk:
        assert "full" in open_error(disk / "chat.db")


async def test_a_store_that_fills_its_disk_repeatedly_continues_each_time_there_is_space(tmp_path):
    """Even without space to move the write-ahead log into the file: the first disk is too small for it."""
    with mounted_tmpfs(tmp_path / "disk", "size=24m") as disk:
        async with opened_log(f"sqlite:{disk}/chat.db") as log:
            number = 1
            for megabytes in (48, 96, 128):
                before, number = number, await send_until_full(log, number)
                assert number > before
                await check(log, number - 1)
                assert await send_until_full(log, number) == number
                resize(disk, megabytes)
            await log.append(batch("last", number=number))
        async with opened_log(f"sqlite:{disk}/chat.db") as log:
            assert len(await messages(log)) == number


async def test_a_killed_server_restarts_on_a_full_disk_and_its_messages_can_be_read(tmp_path):
    with mounted_tmpfs(tmp_path / "disk", "size=8m") as disk:
        path = await asyncio.to_thread(filled_store, disk / "chat.db")
        run_killed(path, "await log.append(batch('kept', number=3))")
        ballast = fill_disk(disk)
        async with opened_log(f"sqlite:{path}") as log:
            assert await texts(log) == ["hello", "world", "kept"]
            assert receipt_rows(await log.append(batch("kept", number=3)))[0][1] is ReceiptStatus.DUPLICATE
            with pytest.raises(StoreFull):
                await log.append(batch("y" * 60_000, number=4))
            ballast.unlink()
            await log.append(batch("y" * 60_000, number=4))
            assert len(await texts(log)) == 4


@contextmanager
def file_size_limit(size):
    """Limit the size of files, as `ulimit -f` does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_limit_of_file_sizes_is_like_a_full_disk(tmp_path):
    """SQLite reports it as an I/O error."""
    async with opened_log(f"sqlite:{tmp_path}/chat.db") as log:
        with file_size_limit(4 * MEGABYTE):
            number = await send_until_full(log, 1)
            await check(log, number - 1)
        (receipt,) = await log.append(bulk(number))
        assert receipt.status is ReceiptStatus.STORED
        await check(log, number + 499)
        head = log.head
    async with opened_log(f"sqlite:{tmp_path}/chat.db") as log:
        assert len(await messages(log)) == head > 500


@pytest.mark.parametrize(("number", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)])
def test_a_failed_write_means_a_full_disk_only_if_another_file_cannot_grow_either(tmp_path, monkeypatch, number, full):
    """SQLite has no separate error for an exhausted quota."""
    path = filled_store(tmp_path / "chat.db")
    for name in ("SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"):
        assert not disk_space.is_full(failure(name), path)

    def temporary(**_):
        raise OSError(number, "no")

    monkeypatch.setattr("tempfile.TemporaryFile", temporary)
    assert disk_space.is_full(failure("SQLITE_IOERR_WRITE"), path) is full
    for name in ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC", "SQLITE_CORRUPT"):
        assert not disk_space.is_full(failure(name), path)


async def test_a_failed_sync_ends_the_store_even_on_a_full_disk(tmp_path):
    with mounted_tmpfs(tmp_path / "disk", "size=8m") as disk:
        async with opened_log(f"sqlite:{disk}/chat.db") as log:

            def commit(batches, time):
                raise failure("SQLITE_IOERR_FSYNC")

            log._writer.commit = commit
            fill_disk(disk)
            with pytest.raises(StoreFailed):
                await log.append(batch("a"))
            assert log.failure.done()
