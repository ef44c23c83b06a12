"""Deduplication: find the stored records of an input by their numbers and compare texts. All with SELECT only.

A stored record never changes, so an answer stays true during later writes.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch, RejectReason

# Joins texts for one comparison. If no text of the batches contains the separator, equal joined texts have equal parts.
SEPARATORS = ("\n", "\0")

_BLOCKS = """SELECT json_group_array(json_array(sequence, messages, room, number, time)) FROM (
    SELECT * FROM block WHERE sender = ?1 AND number < ?3 AND number >=
    coalesce((SELECT max(number) FROM block WHERE sender = ?1 AND number <= ?2), ?2) ORDER BY number)"""
# SQLite walks the rows in the order of their key. ORDER BY would copy each of them first, which takes half as long again.
# If the order were another one, the joined texts would differ, and the batches would be compared text by text.
_RANGE = "SELECT group_concat(text, ?3) FROM message WHERE sequence BETWEEN ?1 AND ?2"
_RANGES = """SELECT group_concat(text, ?2) FROM json_each(?1) AS range CROSS JOIN message
    ON sequence BETWEEN json_extract(range.value, '$[0]') AND json_extract(range.value, '$[1]')"""


class StoredRange(NamedTuple):
    """A block, or a part of one: stored records of one input, with consecutive sequences and numbers."""

    sequence: int
    messages: int
    room: int
    number: int
    time: int

    @property
    def end(self) -> int:
        """The number after the last record."""
        return self.number + self.messages

    def clip(self, start: int, end: int) -> "StoredRange":
        """Return the part with start <= number < end."""
        start, end = max(start, self.number), min(end, self.end)
        return self._replace(sequence=self.sequence + start - self.number, messages=end - start, number=start)


def contiguous_groups(batches: Sequence[RecordBatch]) -> list[list[int]]:
    """Group the indexes of batches whose records continue each other."""
    found: list[list[int]] = []
    last_group: dict[tuple[str, str, str], list[int]] = {}
    for index, batch in enumerate(batches):
        group = last_group.get(batch[:3])
        if group and batches[group[-1]].number + len(batches[group[-1]].texts) == batch.number:
            group.append(index)
        else:
            last_group[batch[:3]] = group = [index]
            found.append(group)
    return found


def find_stored(db: sqlite3.Connection, input_key: int, start: int, end: int) -> list[StoredRange]:
    """Return the stored records of an input with start <= number < end, in the order of the numbers."""
    (array,) = db.execute(_BLOCKS, (input_key, start, end)).fetchone()
    blocks = (StoredRange(*block) for block in json.loads(array))
    return [block.clip(start, end) for block in blocks if block.end > start]


def find_duplicates(
    db: sqlite3.Connection, input_key: int, room: int, batches: Sequence[RecordBatch]
) -> list[list[Receipt]] | None:
    """Return the receipts of batches that continue each other if every record is a duplicate, else None.

    Also None if one query for blocks and one for texts cannot decide it. There are no more queries for more batches: beside
    a busy thread a query costs more than its rows.
    """
    texts = [text for batch in batches for text in batch.texts]
    start = batches[0].number
    stored_ranges = find_stored(db, input_key, start, start + len(texts))
    if sum(part.messages for part in stored_ranges) != len(texts) or any(part.room != room for part in stored_ranges):
        return None
    for separator in SEPARATORS:
        joined = separator.join(texts)
        if joined.count(separator) == len(texts) - 1:
            return (
                _duplicate_receipts(stored_ranges, batches)
                if _joined_texts(db, stored_ranges, separator) == joined
                else None
            )
    return None


def _joined_texts(db: sqlite3.Connection, stored_ranges: Sequence[StoredRange], separator: str) -> str:
    """Return the stored texts, joined."""
    ranges: list[list[int]] = []
    for part in stored_ranges:
        if ranges and ranges[-1][1] == part.sequence - 1:
            ranges[-1][1] += part.messages
        else:
            ranges.append([part.sequence, part.sequence + part.messages - 1])
    found = (_RANGE, (*ranges[0], separator)) if len(ranges) == 1 else (_RANGES, (json.dumps(ranges), separator))
    (joined,) = db.execute(*found).fetchone()
    return str(joined)


def _duplicate_receipts(stored_ranges: Sequence[StoredRange], batches: Sequence[RecordBatch]) -> list[list[Receipt]]:
    """Return the receipts of batches whose records are all stored."""
    receipts, at = [], 0
    for batch in batches:
        end = batch.number + len(batch.texts)
        batch_receipts = [_duplicate_receipt(stored_ranges[at].clip(batch.number, end))]
        while stored_ranges[at].end < end:
            at += 1
            batch_receipts.append(_duplicate_receipt(stored_ranges[at].clip(batch.number, end)))
        at += stored_ranges[at].end == end
        receipts.append(batch_receipts)
    return receipts


def split_at_stored(
    db: sqlite3.Connection, batch: RecordBatch, input_key: int
) -> Iterator[tuple[RecordBatch, StoredRange | None]]:
    """Split a batch where stored records of its input begin and end. Yields each part with the stored records."""
    at, end = batch.number, batch.number + len(batch.texts)
    for stored_range in find_stored(db, input_key, at, end):
        if at < stored_range.number:
            yield _slice_batch(batch, at, stored_range.number), None
        yield _slice_batch(batch, stored_range.number, stored_range.end), stored_range
        at = stored_range.end
    if at < end:
        yield _slice_batch(batch, at, end), None


def compare_texts(db: sqlite3.Connection, batch: RecordBatch, stored_range: StoredRange) -> list[Receipt]:
    """Return duplicates for texts that are stored in the same room, and conflicts for the others."""
    (room,) = db.execute("SELECT name FROM room WHERE id = ?", (stored_range.room,)).fetchone()
    if room != batch.room:
        return [_conflict_receipt(batch, 0, f"in room {room[:40]!r}, not {batch.room[:40]!r}", len(batch.texts))]
    (array,) = db.execute(
        "SELECT json_group_array(text) FROM (SELECT text FROM message WHERE sequence BETWEEN ? AND ? ORDER BY sequence)",
        (stored_range.sequence, stored_range.sequence + stored_range.messages - 1),
    ).fetchone()
    texts = json.loads(array)
    if texts == list(batch.texts):
        return [_duplicate_receipt(stored_range)]
    return [
        Receipt(batch.number + i, 1, ReceiptStatus.DUPLICATE, stored_range.sequence + i, stored_range.time)
        if stored_text == text
        else _conflict_receipt(batch, i, f"with the text {stored_text[:20]!r}, not {text[:20]!r}")
        for i, (stored_text, text) in enumerate(zip(texts, batch.texts, strict=True))
    ]


def _duplicate_receipt(stored_range: StoredRange) -> Receipt:
    return Receipt(
        stored_range.number, stored_range.messages, ReceiptStatus.DUPLICATE, stored_range.sequence, stored_range.time
    )


def _slice_batch(batch: RecordBatch, start: int, end: int) -> RecordBatch:
    """Return the batch's records with start <= number < end."""
    texts = batch.texts[start - batch.number : end - batch.number]
    size = batch.size if len(texts) == len(batch.texts) else sum(len(text.encode()) for text in texts)
    return batch._replace(number=start, texts=texts, size=size)


def _conflict_receipt(batch: RecordBatch, offset: int, difference: str, count: int = 1) -> Receipt:
    first = batch.number + offset
    numbers = f"number {first}" if count == 1 else f"numbers {first} to {first + count - 1}"
    stored = f"input id {batch.input_id[:40]!r} already has {numbers} {difference}"
    error = f"{stored}: use another --input-id for another input"
    return Receipt(first, count, ReceiptStatus.REJECTED, reason=RejectReason.CONFLICT, error=error)
