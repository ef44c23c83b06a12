"""Reading: pages and figures. Each call gets a connection of its own thread.

Whole pages come as one JSON text made by SQLite: the sqlite3 module hands the GIL over at every row, which beside a busy
event loop costs 300 µs a row.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from math import inf
from typing import Any, NamedTuple

from chatctl.model.messages import LookupResult, Message, Page, Run
from chatctl.model.stats import LogStats, NameStats

RESULT_BYTES = 128 * 1024  # pages of more than this are no faster
FIRST_BLOCK_LIMIT, BLOCK_LIMIT_FACTOR = 16, 8  # blocks asked for first, and how many times as many each further time
FIRST_SIZE_LIMIT, SIZE_LIMIT_FACTOR = 16, 8  # the same, of texts whose bytes are counted
MAX_SHORT_CHARS, NO_CHAR_LIMIT = 1000, 2**31  # of a text: some hundred short ones fit any page

_BLOCK_SELECT = "SELECT sequence, messages, bytes, room, user, time FROM block WHERE sequence >= :low AND sequence <= :high"
_BLOCKS_AS_JSON = """SELECT json_group_array(json_array(sequence, messages, bytes, (SELECT name FROM room WHERE id = found.room),
                                   (SELECT name FROM user WHERE id = found.user), time)) FROM found"""
# Columns of messages that may lie far apart; texts longer than ?2 characters are left out.
_LOOKUP = """SELECT json_group_array(value), json_group_array(room), json_group_array(user),
                    json_group_array(iif(length(text) <= ?2, text, NULL))
             FROM json_each(?1)
             CROSS JOIN block ON block.sequence = (SELECT max(sequence) FROM block WHERE sequence <= value)
             CROSS JOIN message ON message.sequence = value"""
_TEXT_SIZES = """SELECT json_group_array((SELECT length(CAST(text AS BLOB)) FROM message WHERE sequence = value))
            FROM json_each(?1)"""


class BlockSlice(NamedTuple):
    """A block, or the part of one that belongs to a page: first <= sequence <= last."""

    first: int
    last: int
    bytes: int
    room: str
    user: str
    time: int


def read(
    db: sqlite3.Connection, rooms: Sequence[str], users: Sequence[str], after: int, end: int, count: int, backwards: bool
) -> Page:
    """Read a page, as `MessageLog.read` does."""
    slices, full = _fill_page(_blocks(db, rooms, users, after, end, backwards), after, end, count, backwards)
    if backwards:
        slices.reverse()
    position = after if backwards else end
    if full:
        position = slices[0].first - 1 if backwards else slices[-1].last
    texts, at = _texts(db, slices), 0
    if len(texts) > 1 and sum(map(len, texts)) > 2 * RESULT_BYTES:  # the long ones stand together
        return read(db, rooms, users, after, end, len(texts) // 2, backwards)
    runs = []
    for block_slice in slices:
        start, at = at, at + block_slice.last - block_slice.first + 1
        runs.append(Run(block_slice.first, block_slice.room, block_slice.user, block_slice.time, texts[start:at]))
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
    """The names of those ids."""
    select = f"SELECT name FROM {table} WHERE id = ?"
    return {key: db.execute(select, (key,)).fetchone()[0] for key in set(ids)}


def _count_fitting(db: sqlite3.Connection, sequences: Sequence[int]) -> int:
    """How many of the messages, at least one, a page has room for."""
    at, size, step = 0, 0, FIRST_SIZE_LIMIT
    while at < len(sequences):  # some at a time, as weighing a text means reading it
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
    """What fits into a page of `count` messages, and whether that fills it."""
    slices: list[BlockSlice] = []
    size = 0
    for block in blocks:
        first, last = max(block.first, after + 1), min(block.last, end)
        if first > last:
            continue
        messages = last - first + 1
        slice_bytes = block.bytes * messages // (block.last - block.first + 1)  # about: texts differ
        if slices and size + slice_bytes > RESULT_BYTES:
            return slices, True
        fits = min(count, max(1, messages * RESULT_BYTES // max(1, slice_bytes)))
        if messages > fits:
            first, last = (last - fits + 1, last) if backwards else (first, first + fits - 1)
        slices.append(block._replace(first=first, last=last))
        size += slice_bytes
        count -= last - first + 1
        if messages > fits or count == 0:
            return slices, True
    return slices, False


def _blocks(
    db: sqlite3.Connection, rooms: Sequence[str], users: Sequence[str], after: int, end: int, backwards: bool
) -> Iterator[BlockSlice]:
    """The blocks of these rooms and users that may have messages with after < sequence <= end."""
    start = db.execute("SELECT max(sequence) FROM block WHERE sequence <= ?", (after + 1,)).fetchone()[0]
    room_ids, user_ids = _ids_with_counts(db, "room", rooms), _ids_with_counts(db, "user", users)
    if (rooms and not room_ids) or (users and not user_ids):
        return
    select = _block_statement(room_ids, user_ids, "DESC" if backwards else "ASC")
    low, high, limit = start or 0, end, FIRST_BLOCK_LIMIT
    while True:
        (array,) = db.execute(select, {"low": low, "high": high, "limit": limit}).fetchone()
        blocks = json.loads(array)
        for sequence, length, *rest in blocks:
            yield BlockSlice(sequence, sequence + length - 1, *rest)
        if len(blocks) < limit:
            return
        low, high = (low, blocks[-1][0] - 1) if backwards else (blocks[-1][0] + 1, high)
        limit *= BLOCK_LIMIT_FACTOR


def _block_statement(rooms: dict[int, int], users: dict[int, int], order: str) -> str:
    """The statement for a JSON text of blocks.

    With several rooms (or users) each is asked for by itself, through its index, and SQLite merges them row by row: with IN
    it would sort all their blocks for every page. Of rooms and users those with fewer messages choose the index.
    """
    ranked = sorted((("room", rooms), ("user", users)), key=lambda named: sum(named[1].values()) or inf)
    (column, keys), (other, also_keys) = ranked
    also = f" AND +{other} IN ({','.join(map(str, also_keys))})" if also_keys else ""  # the + keeps this one's index out
    merged = " UNION ALL ".join(f"{_BLOCK_SELECT} AND {column} = {key}{also}" for key in keys) or _BLOCK_SELECT
    return f"WITH found AS ({merged} ORDER BY sequence {order} LIMIT :limit) {_BLOCKS_AS_JSON}"


def _ids_with_counts(db: sqlite3.Connection, table: str, names: Sequence[str]) -> dict[int, int]:
    """The ids of those names that the table knows, and how many messages each has."""
    select = f"SELECT id, messages FROM {table} WHERE name = ?"
    return dict(row for name in dict.fromkeys(names) if (row := db.execute(select, (name,)).fetchone()))


def _texts(db: sqlite3.Connection, slices: list[BlockSlice]) -> list[str]:
    """The texts of all spans, in order."""
    ranges: list[list[int]] = []
    for block_slice in slices:
        if ranges and ranges[-1][1] == block_slice.first - 1:
            ranges[-1][1] = block_slice.last
        else:
            ranges.append([block_slice.first, block_slice.last])
    if len(ranges) == 1:
        # Rows are walked in the order of their key; ORDER BY would copy each of them first.
        rows = "SELECT text FROM message WHERE sequence BETWEEN ?1 AND ?2"
        return _text_array(db, rows, ranges[0])
    rows = """SELECT text FROM json_each(?1) CROSS JOIN message
              ON sequence BETWEEN json_extract(value, '$[0]') AND json_extract(value, '$[1]')"""
    return _text_array(db, rows, [json.dumps(ranges)]) if ranges else []


def _text_array(db: sqlite3.Connection, rows: str, parameters: Sequence[Any]) -> list[str]:
    (array,) = db.execute(f"SELECT json_group_array(text) FROM ({rows})", parameters).fetchone()
    texts: list[str] = json.loads(array)
    return texts


def sequence_at(db: sqlite3.Connection, time: int) -> int:
    """See `MessageLog.sequence_at`. Times never decrease along the log, so halving finds it without an index."""
    (head,) = db.execute("SELECT head FROM log").fetchone()
    low, high = 1, head + 1
    while low < high:
        middle = (low + high) // 2
        row = db.execute(
            "SELECT sequence, messages, time FROM block WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1", (middle,)
        ).fetchone()
        if row[2] >= time:
            high = row[0]
        else:
            low = row[0] + row[1]
    return low


def stats(db: sqlite3.Connection, top: int, rooms: Sequence[str]) -> LogStats:
    """See `MessageLog.stats`: a row of totals, and the ends of two indexes."""
    db.execute("BEGIN")  # one moment for all figures
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
