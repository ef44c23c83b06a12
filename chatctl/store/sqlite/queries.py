"""Read pages, single messages and statistics. Each call gets the connection of its thread.

SQLite returns a whole page as one JSON text. The sqlite3 module releases the GIL at every row, which costs 300 µs a row
beside a busy event loop.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from chatctl.model.messages import LookupResult, Message, Page, Run, Selection
from chatctl.model.stats import LogStats, NameStats
from chatctl.store.sqlite.block_queries import BlockSlice, find_blocks

RESULT_BYTES = 128 * 1024  # larger pages are not faster
FIRST_SIZE_LIMIT, SIZE_LIMIT_FACTOR = (
    16,
    8,
)  # texts whose bytes are counted first, and how many times as many each further time
MAX_SHORT_CHARS, NO_CHAR_LIMIT = 1000, 2**31  # of a text: some hundred short ones fit into any page

# Columns of messages that may lie far apart; texts longer than ?2 characters are left out.
_LOOKUP = """SELECT json_group_array(value), json_group_array(room), json_group_array(user),
                    json_group_array(iif(length(text) <= ?2, text, NULL))
             FROM json_each(?1)
             CROSS JOIN block ON block.sequence = (SELECT max(sequence) FROM block WHERE sequence <= value)
             CROSS JOIN message ON message.sequence = value"""
_TEXT_SIZES = """SELECT json_group_array((SELECT length(CAST(text AS BLOB)) FROM message WHERE sequence = value))
            FROM json_each(?1)"""


def read(db: sqlite3.Connection, selection: Selection, after: int, end: int, count: int, backwards: bool) -> Page:
    """Read a page, as `MessageLog.read` does."""
    slices, full = _fill_page(find_blocks(db, selection, after, end, backwards), after, end, count, backwards)
    if backwards:
        slices.reverse()
    position = after if backwards else end
    if full:
        position = slices[0].first - 1 if backwards else slices[-1].last
    texts, at = _texts(db, slices), 0
    if len(texts) > 1 and sum(map(len, texts)) > 2 * RESULT_BYTES:  # long texts are next to each other
        return read(db, selection, after, end, len(texts) // 2, backwards)
    runs = []
    for first, last, _, room, user, time, number in slices:
        start, at = at, at + last - first + 1
        runs.append(Run(first, room, user, time, texts[start:at], number))
    return Page(runs, position)


def lookup(db: sqlite3.Connection, sequences: Sequence[int]) -> LookupResult:
    """Look up messages by sequence, as `MessageLog.lookup` does."""
    columns = _lookup_columns(db, sequences, MAX_SHORT_CHARS)
    if None in columns[-1]:
        sequences = sequences[: _count_fitting(db, sequences)]
        columns = _lookup_columns(db, sequences, NO_CHAR_LIMIT)
    found, room_ids, user_ids, texts = columns
    rooms, users = _names(db, "room", room_ids), _names(db, "user", user_ids)
    each = zip(found, room_ids, user_ids, texts, strict=True)
    messages = {sequence: Message(sequence, rooms[room], users[user], text) for sequence, room, user, text in each}
    return LookupResult(messages, sequences[-1])


def _lookup_columns(db: sqlite3.Connection, sequences: Sequence[int], characters: int) -> list[list[Any]]:
    row = db.execute(_LOOKUP, (json.dumps(sequences), characters)).fetchone()
    return [json.loads(column) for column in row]


def _names(db: sqlite3.Connection, table: str, ids: Sequence[int]) -> dict[int, str]:
    """Return the names of the ids."""
    select = f"SELECT name FROM {table} WHERE id = ?"
    return {key: db.execute(select, (key,)).fetchone()[0] for key in set(ids)}


def _count_fitting(db: sqlite3.Connection, sequences: Sequence[int]) -> int:
    """Return how many of the messages fit into a page; at least one."""
    at, size, step = 0, 0, FIRST_SIZE_LIMIT
    while at < len(sequences):  # some at a time, because SQLite reads a text to count its bytes
        (array,) = db.execute(_TEXT_SIZES, (json.dumps(sequences[at : at + step]),)).fetchone()
        for text_bytes in json.loads(array):
            size += text_bytes or 0
            if at and size > RESULT_BYTES:
                return at
            at += 1
        step *= SIZE_LIMIT_FACTOR
    return at


def _fill_page(
    blocks: Iterator[BlockSlice], after: int, end: int, count: int, backwards: bool
) -> tuple[list[BlockSlice], bool]:
    """Return the slices that fit into a page of `count` messages, and whether the page is full."""
    slices: list[BlockSlice] = []
    size = 0
    for block in blocks:
        first, last = max(block.first, after + 1), min(block.last, end)
        if first > last:
            continue
        messages, block_messages = last - first + 1, block.last - block.first + 1
        slice_bytes = block.bytes * messages // block_messages  # an estimate: the texts differ
        if slices and size + slice_bytes > RESULT_BYTES:
            return slices, True
        fits = min(count, max(1, messages * RESULT_BYTES // max(1, slice_bytes)))
        if messages > fits:
            first, last = (last - fits + 1, last) if backwards else (first, first + fits - 1)
        slices.append(block if block_messages == messages <= fits else block.clip(first, last))
        size += slice_bytes
        count -= last - first + 1
        if messages > fits or count == 0:
            return slices, True
    return slices, False


def _texts(db: sqlite3.Connection, slices: list[BlockSlice]) -> list[str]:
    """Return the texts of all slices, in order."""
    ranges: list[list[int]] = []
    for block_slice in slices:
        if ranges and ranges[-1][1] == block_slice.first - 1:
            ranges[-1][1] = block_slice.last
        else:
            ranges.append([block_slice.first, block_slice.last])
    if len(ranges) == 1:
        # SQLite walks the rows in the order of their key. ORDER BY would copy each of them first.
        rows = "SELECT text FROM message WHERE sequence BETWEEN ?1 AND ?2"
        return _text_array(db, rows, ranges[0])
    rows = """SELECT text FROM json_each(?1) CROSS JOIN message
              ON sequence BETWEEN json_extract(value, '$[0]') AND json_extract(value, '$[1]')"""
    return _text_array(db, rows, [json.dumps(ranges)]) if ranges else []


def _text_array(db: sqlite3.Connection, rows: str, parameters: Sequence[Any]) -> list[str]:
    (array,) = db.execute(f"SELECT json_group_array(text) FROM ({rows})", parameters).fetchone()
    texts: list[str] = json.loads(array)
    return texts


def first_sequence(db: sqlite3.Connection) -> int:
    """Return the sequence of the first message that is stored; head + 1 if the log is empty."""
    first, head = db.execute("SELECT (SELECT min(sequence) FROM block), head FROM log").fetchone()
    return int(head + 1 if first is None else first)


def sequence_at(db: sqlite3.Connection, time: int) -> int:
    """Find a time, as `MessageLog.sequence_at` does, by a binary search: times never decrease along the log."""
    (head,) = db.execute("SELECT head FROM log").fetchone()
    low, high = first_sequence(db), head + 1
    while low < high:
        middle = (low + high) // 2
        sequence, messages, block_time = db.execute(
            "SELECT sequence, messages, time FROM block WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1", (middle,)
        ).fetchone()
        if block_time >= time:
            high = sequence
        else:
            low = max(middle + 1, sequence + messages)
    return low


def stats(db: sqlite3.Connection, top: int, rooms: Sequence[str]) -> LogStats:
    """Read statistics, as `MessageLog.stats` does: the row of totals, and the ends of two indexes."""
    db.execute("BEGIN")  # all figures are of one moment
    try:
        totals = db.execute("SELECT messages, rooms, users, bytes FROM log").fetchone()
        ranked = "SELECT name, messages, last_time FROM {} ORDER BY messages DESC LIMIT ?"
        if rooms:
            named = f"SELECT name, messages, last_time FROM room WHERE name IN ({','.join('?' * len(rooms))})"
            room_rows = db.execute(f"{named} ORDER BY messages DESC, name", tuple(rooms)).fetchall()
        else:
            room_rows = db.execute(ranked.format("room"), (top,)).fetchall()
        user_rows = db.execute(ranked.format("user"), (top,)).fetchall()
    finally:
        db.execute("COMMIT")
    messages, num_rooms, num_users, size = totals
    return LogStats(
        messages, num_rooms, num_users, size, [NameStats(*row) for row in room_rows], [NameStats(*row) for row in user_rows]
    )
