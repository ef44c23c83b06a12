"""The parameters of the SQLite log that a replicated store uses: the clock and the id of a new log."""

import sqlite3
from contextlib import closing

from chatctl.model.messages import Selection
from chatctl.store.sqlite.log import SQLiteLog
from tests.support.logs import batch, opened_log, texts


async def test_the_clock_and_the_id_of_a_new_log_are_parameters(tmp_path):
    times = iter([1000, 2000, 1500])
    log = await SQLiteLog.open(f"{tmp_path}/chat.db", clock=lambda: next(times), new_log_id=lambda: "the-log")
    stored = [(await log.append(batch("x", number=number)))[0].time for number in (1, 2, 3)]
    await log.close()
    assert (log.id, stored) == ("the-log", [1000, 2000, 2000])
    log = await SQLiteLog.open(f"{tmp_path}/chat.db", new_log_id=lambda: "another")
    assert log.id == "the-log"
    await log.close()


async def test_a_time_is_found_beside_a_gap_between_the_sequences(tmp_path):
    path = tmp_path / "chat.db"
    log = await SQLiteLog.open(str(path), clock=iter(range(10, 100, 10)).__next__)
    for room in ("a", "b", "a", "b"):
        await log.append(batch("one", "two", "three", number=log.head + 1, room=room))
    await log.close()
    with closing(sqlite3.connect(path)) as db, db:  # as if the second commit had been removed
        db.execute("DELETE FROM message WHERE sequence BETWEEN 4 AND 6")
        db.execute("DELETE FROM block WHERE sequence = 4")
    async with opened_log(f"sqlite:{path}") as log:
        assert [await log.sequence_at(time) for time in (0, 10, 11, 20, 30, 31, 40, 41)] == [1, 1, 7, 7, 7, 10, 10, 13]
        assert len(await texts(log)) == 9
        assert [run.sequence for run in (await log.read(Selection(), 3, 8, 1000)).runs] == [7]
