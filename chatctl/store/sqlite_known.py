"""What is stored already: finding a sender's records by their numbers and comparing texts, all with SELECT only.

A record that was stored never changes, so what is said here of one holds whatever is being written.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chatctl.log import Draft, Reason, Receipt, Status

# Between texts that are compared as one. If the drafts' texts hold none of them, equal wholes have equal parts.
SEPARATORS = ("\n", "\0")

_BLOCKS = """SELECT json_group_array(json_array(sequence, messages, room, number, time)) FROM (
    SELECT * FROM block WHERE sender = ?1 AND number < ?3 AND number >=
    coalesce((SELECT max(number) FROM block WHERE sender = ?1 AND number <= ?2), ?2) ORDER BY number)"""
# Rows are walked in the order of their key. ORDER BY would copy each of them first, which takes half as long again; and
# an order that is another one after all only takes the texts for different, to be looked at more closely.
_RANGE = "SELECT group_concat(text, ?3) FROM message WHERE sequence BETWEEN ?1 AND ?2"
_RANGES = """SELECT group_concat(text, ?2) FROM json_each(?1) AS range CROSS JOIN message
    ON sequence BETWEEN json_extract(range.value, '$[0]') AND json_extract(range.value, '$[1]')"""


class Known(NamedTuple):
    """A block, or a part of one: stored records of one sender, with consecutive sequences and numbers."""

    sequence: int
    messages: int
    room: int
    number: int
    time: int

    @property
    def end(self) -> int:
        """The number after its last."""
        return self.number + self.messages

    def cut(self, start: int, end: int) -> "Known":
        """The part of it with start <= number < end."""
        start, end = max(start, self.number), min(end, self.end)
        return self._replace(sequence=self.sequence + start - self.number, messages=end - start, number=start)


def stretches(drafts: Sequence[Draft]) -> list[list[int]]:
    """The drafts by their places, those together that go on from each other."""
    found: list[list[int]] = []
    last: dict[tuple[str, str, str], list[int]] = {}
    for place, draft in enumerate(drafts):
        stretch = last.get(draft[:3])
        if stretch and drafts[stretch[-1]].number + len(drafts[stretch[-1]].texts) == draft.number:
            stretch.append(place)
        else:
            last[draft[:3]] = stretch = [place]
            found.append(stretch)
    return found


def find(db: sqlite3.Connection, sender: int, start: int, end: int) -> list[Known]:
    """What is stored of the sender with start <= number < end, in order of the numbers."""
    (array,) = db.execute(_BLOCKS, (sender, start, end)).fetchone()
    blocks = (Known(*block) for block in json.loads(array))
    return [block.cut(start, end) for block in blocks if block.end > start]


def duplicates(db: sqlite3.Connection, sender: int, room: int, drafts: Sequence[Draft]) -> list[list[Receipt]] | None:
    """The receipts of drafts that go on from each other, if every record of them is a duplicate; else None.

    Also None where that would take a closer look. One look at the blocks and one at the texts, however many drafts: beside
    a busy thread each costs more than its rows.
    """
    texts = [text for draft in drafts for text in draft.texts]
    start = drafts[0].number
    known = find(db, sender, start, start + len(texts))
    if sum(part.messages for part in known) != len(texts) or any(part.room != room for part in known):
        return None
    for separator in SEPARATORS:
        joined = separator.join(texts)
        if joined.count(separator) == len(texts) - 1:
            return _receipts(known, drafts) if _joined(db, known, separator) == joined else None
    return None


def _joined(db: sqlite3.Connection, known: Sequence[Known], separator: str) -> str:
    """The texts of all of them as one."""
    ranges: list[list[int]] = []
    for part in known:
        if ranges and ranges[-1][1] == part.sequence - 1:
            ranges[-1][1] += part.messages
        else:
            ranges.append([part.sequence, part.sequence + part.messages - 1])
    found = (_RANGE, (*ranges[0], separator)) if len(ranges) == 1 else (_RANGES, (json.dumps(ranges), separator))
    (joined,) = db.execute(*found).fetchone()
    return str(joined)


def _receipts(known: Sequence[Known], drafts: Sequence[Draft]) -> list[list[Receipt]]:
    """Those of drafts that are known to the last record."""
    receipts, at = [], 0
    for draft in drafts:
        end = draft.number + len(draft.texts)
        mine = [_duplicate(known[at].cut(draft.number, end))]
        while known[at].end < end:
            at += 1
            mine.append(_duplicate(known[at].cut(draft.number, end)))
        at += known[at].end == end
        receipts.append(mine)
    return receipts


def parts(db: sqlite3.Connection, draft: Draft, sender: int) -> Iterator[tuple[Draft, Known | None]]:
    """The draft cut where stored records of its sender begin and end, each part with those that have its numbers."""
    at, end = draft.number, draft.number + len(draft.texts)
    for known in find(db, sender, at, end):
        if at < known.number:
            yield _cut(draft, at, known.number), None
        yield _cut(draft, known.number, known.end), known
        at = known.end
    if at < end:
        yield _cut(draft, at, end), None


def compare(db: sqlite3.Connection, draft: Draft, known: Known) -> list[Receipt]:
    """Duplicates where the same texts are known in the same room, conflicts where not."""
    (room,) = db.execute("SELECT name FROM room WHERE id = ?", (known.room,)).fetchone()
    if room != draft.room:
        return [_conflict(draft, 0, f"in room {room[:40]!r}, not {draft.room[:40]!r}", len(draft.texts))]
    (array,) = db.execute(
        "SELECT json_group_array(text) FROM (SELECT text FROM message WHERE sequence BETWEEN ? AND ? ORDER BY sequence)",
        (known.sequence, known.sequence + known.messages - 1),
    ).fetchone()
    texts = json.loads(array)
    if texts == list(draft.texts):
        return [_duplicate(known)]
    return [
        Receipt(draft.number + i, 1, Status.DUPLICATE, known.sequence + i, known.time)
        if stored == text
        else _conflict(draft, i, f"with the text {stored[:20]!r}, not {text[:20]!r}")
        for i, (stored, text) in enumerate(zip(texts, draft.texts, strict=True))
    ]


def _duplicate(known: Known) -> Receipt:
    return Receipt(known.number, known.messages, Status.DUPLICATE, known.sequence, known.time)


def _cut(draft: Draft, start: int, end: int) -> Draft:
    """The draft's records with start <= number < end."""
    texts = draft.texts[start - draft.number : end - draft.number]
    size = draft.size if len(texts) == len(draft.texts) else sum(len(text.encode()) for text in texts)
    return draft._replace(number=start, texts=texts, size=size)


def _conflict(draft: Draft, at: int, how: str, count: int = 1) -> Receipt:
    error = f"this number of sender {draft.sender[:40]!r} was stored before {how}: use another --sender for another input"
    return Receipt(draft.number + at, count, Status.REJECTED, reason=Reason.CONFLICT, error=error)
