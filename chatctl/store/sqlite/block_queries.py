"""Find the blocks that a selection of messages lies in, in log order, through the cheapest index."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple

from chatctl.model.messages import Selection

FIRST_BLOCK_LIMIT, BLOCK_LIMIT_FACTOR = 16, 8  # blocks of the first query, and how many times as many each further one
MAX_SORTED_BLOCKS = 1000  # an input with more blocks is read through the index of its user
MAX_MERGED_INPUTS = 100  # more inputs of one id are filtered out of all blocks; SQLite merges at most 500 selections

_SELECT = "SELECT sequence, messages, bytes, room, user, time, number FROM block"
_RANGE = "sequence >= :low AND sequence <= :high"
_BLOCKS_AS_JSON = """
    SELECT json_group_array(json_array(sequence, messages, bytes, (SELECT name FROM room WHERE id = found.room),
                            (SELECT name FROM user WHERE id = found.user), time{number})) FROM found"""
# The index on (user, name) finds the inputs of each user. There are fewer users than inputs, most of which have random ids.
_INPUTS = """
    SELECT sender.id, user.id, user.messages FROM user CROSS JOIN sender ON sender.user = user.id AND sender.name = ?1
    LIMIT ?2"""
_COUNT_BLOCKS = "SELECT count(*) FROM (SELECT 1 FROM block WHERE sender = ?1 LIMIT ?2)"


class BlockSlice(NamedTuple):
    """A block, or the part of one that belongs to a page: first <= sequence <= last. `number` is 0 without an input id."""

    first: int
    last: int
    bytes: int
    room: str
    user: str
    time: int
    number: int = 0

    def clip(self, first: int, last: int) -> "BlockSlice":
        """Return the part with first <= sequence <= last."""
        number = self.number and self.number + first - self.first
        return self._replace(first=first, last=last, number=number)


class Condition(NamedTuple):
    """Matches the blocks whose `column` has one of the ids. Each id has the estimated cost of a read through its index."""

    column: str
    costs: dict[int, float]
    ids: str

    @property
    def cost(self) -> float:
        """The cost of a read through the index of the column."""
        return sum(self.costs.values()) if self.costs else inf


def find_blocks(db: sqlite3.Connection, selection: Selection, after: int, end: int, backwards: bool) -> Iterator[BlockSlice]:
    """Yield the blocks that may have selected messages with after < sequence <= end."""
    conditions = _conditions(db, selection)
    if conditions is None:
        return
    start = db.execute("SELECT max(sequence) FROM block WHERE sequence <= ?", (after + 1,)).fetchone()[0]
    select = _statement(conditions, "DESC" if backwards else "ASC", bool(selection.input_id))
    low, high, limit = start or 0, end, FIRST_BLOCK_LIMIT
    while True:
        parameters = {"low": low, "high": high, "limit": limit, "input_id": selection.input_id}
        (array,) = db.execute(select, parameters).fetchone()
        blocks = json.loads(array)
        for sequence, length, *rest in blocks:
            yield BlockSlice(sequence, sequence + length - 1, *rest)
        if len(blocks) < limit:
            return
        low, high = (low, blocks[-1][0] - 1) if backwards else (blocks[-1][0] + 1, high)
        limit *= BLOCK_LIMIT_FACTOR


def _conditions(db: sqlite3.Connection, selection: Selection) -> list[Condition] | None:
    """Return the conditions of a selection, or None if no block can match."""
    conditions: list[Condition] = []
    for column, names in (("room", selection.rooms), ("user", selection.users)):
        if names:
            costs = _message_counts(db, column, names)
            if not costs:
                return None
            conditions.append(_condition(column, costs))
    if selection.input_id:
        inputs = _input_conditions(db, selection.input_id)
        if not inputs:
            return None
        conditions += inputs
    return conditions


def _condition(column: str, costs: dict[int, float]) -> Condition:
    return Condition(column, costs, ",".join(map(str, costs)))


def _message_counts(db: sqlite3.Connection, table: str, names: Sequence[str]) -> dict[int, float]:
    """Return the ids of the names that the table has, with their numbers of messages."""
    select = f"SELECT id, messages FROM {table} WHERE name = ?"
    return dict(row for name in dict.fromkeys(names) if (row := db.execute(select, (name,)).fetchone()))


def _input_conditions(db: sqlite3.Connection, input_id: str) -> list[Condition]:
    """Return the conditions for the inputs with an id, or none if no input has it.

    The index of inputs is in the order of the numbers, so SQLite sorts all blocks of the input for every page. An input of
    many blocks is read through its user's index, which is in log order; it costs the other blocks of this user.
    """
    found = db.execute(_INPUTS, (input_id, MAX_MERGED_INPUTS + 1)).fetchall()
    if len(found) > MAX_MERGED_INPUTS:
        return [Condition("sender", {}, "SELECT id FROM sender WHERE name = :input_id")]
    blocks = {key: db.execute(_COUNT_BLOCKS, (key, MAX_SORTED_BLOCKS + 1)).fetchone()[0] for key, _, _ in found}
    inputs = _condition("sender", {key: count if count <= MAX_SORTED_BLOCKS else inf for key, count in blocks.items()})
    users = _condition("user", {user: messages for _, user, messages in found})
    return [inputs, users] if found else []


def _statement(conditions: Sequence[Condition], order: str, numbered: bool) -> str:
    """Return the statement for blocks as one JSON text.

    The condition with the lowest cost chooses the index. Each of its ids is a selection by itself, and SQLite merges them
    row by row: with IN it would sort all their blocks for every page. The + keeps SQLite from using another index.
    """
    ranked = sorted(conditions, key=lambda condition: condition.cost)
    leading = ranked[0] if ranked and ranked[0].cost < inf else None
    others = "".join(f" AND +{each.column} IN ({each.ids})" for each in ranked if each is not leading)
    if leading:
        table = " INDEXED BY block_by_number" if leading.column == "sender" else ""
        parts = [f"{_SELECT}{table} WHERE {_RANGE} AND {leading.column} = {key}{others}" for key in leading.costs]
    else:
        parts = [f"{_SELECT} WHERE {_RANGE}{others}"]
    as_json = _BLOCKS_AS_JSON.format(number=", number" if numbered else "")
    return f"WITH found AS ({' UNION ALL '.join(parts)} ORDER BY sequence {order} LIMIT :limit) {as_json}"
