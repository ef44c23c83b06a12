"""A clock that was ahead once: later messages get that time, and the server says so."""

import asyncio

import pytest

from chatctl.store.sqlite.log import SQLiteLog
from tests.support.logs import batch

DAY = 86_400_000_000
NOW = 1_800_000_000_000_000


@pytest.fixture
def clock(monkeypatch):
    clock = [NOW]
    monkeypatch.setattr("time.time_ns", lambda: clock[0] * 1000)
    return clock


async def append(log, number, expected_time):
    (receipt,) = await log.append(batch(f"{number}", number=number))
    assert receipt.time == expected_time


async def test_each_time_that_the_clock_is_set_back_it_is_told_once(tmp_path, clock, caplog):
    log = await SQLiteLog.open(f"{tmp_path}/chat.db")
    await append(log, 1, NOW)
    clock[0] += 3 * DAY
    await append(log, 2, NOW + 3 * DAY)
    assert (log.clock_lag, caplog.messages) == (0, [])
    clock[0] = NOW + 1
    await append(log, 3, NOW + 3 * DAY)
    assert log.clock_lag == 3 * DAY - 1
    assert [m for m in caplog.messages if "the clock is 2 days, 23:59:59 behind the newest message, of 2027-01-18T" in m]
    clock[0] += DAY  # time passes
    await append(log, 4, NOW + 3 * DAY)
    assert len(caplog.messages) == 1
    clock[0] -= 10_000_000  # set back again
    await append(log, 5, NOW + 3 * DAY)
    assert len(caplog.messages) == 2
    clock[0] = NOW + 3 * DAY + 1
    await append(log, 6, NOW + 3 * DAY + 1)
    assert (log.clock_lag, len(caplog.messages)) == (0, 2)
    await log.close()


async def test_it_is_told_at_the_start(tmp_path, clock, caplog):
    log = await SQLiteLog.open(f"{tmp_path}/chat.db")
    await append(log, 1, NOW)
    await log.close()
    clock[0] -= 900_000  # a synchronised clock may be set back a little
    log = await SQLiteLog.open(f"{tmp_path}/chat.db")
    assert (log.clock_lag, caplog.messages) == (0, [])
    await log.close()
    clock[0] = 1
    log = await SQLiteLog.open(f"{tmp_path}/chat.db")
    assert log.clock_lag == NOW - 1
    (warning,) = caplog.messages
    assert "new messages get that time until the clock reaches it" in warning
    await log.close()


async def test_a_time_that_has_no_date_does_not_prevent_the_start(tmp_path, clock, caplog):
    clock[0] = 2**60
    log = await SQLiteLog.open(f"{tmp_path}/chat.db")
    await append(log, 1, 2**60)
    await log.close()
    clock[0] = NOW
    log = await SQLiteLog.open(f"{tmp_path}/chat.db")
    assert f"of {2**60} µs since 1970" in caplog.text
    await asyncio.wait_for(append(log, 2, 2**60), 60)
    await log.close()
