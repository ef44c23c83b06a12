"""Stored messages: runs, pages and queries.

Times are whole microseconds since 1970 in UTC.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Run(NamedTuple):
    """Consecutive messages of one room and user, stored at one time: texts[i] has `sequence` + i.

    With an input id in the query, the record of texts[i] has `number` + i. Otherwise `number` is 0.
    """

    sequence: int
    room: str
    user: str
    time: int
    texts: list[str]
    number: int = 0

    def slice(self, start: int, end: int) -> "Run":
        """Return the run of texts[start:end]."""
        number = self.number and self.number + start
        return self._replace(sequence=self.sequence + start, texts=self.texts[start:end], number=number)


class Page(NamedTuple):
    """Messages in log order. It has every matching message up to the sequence `position`, inclusive."""

    runs: list[Run]
    position: int


class Message(NamedTuple):
    """A single message."""

    sequence: int
    room: str
    user: str
    text: str


class LookupResult(NamedTuple):
    """Messages by sequence. It has every requested message up to the sequence `position`, inclusive."""

    messages: dict[int, Message]
    position: int


class Selection(NamedTuple):
    """The conditions that a store evaluates. A message matches if it meets all; an empty one matches every message."""

    rooms: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    input_id: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A request for messages, see GetMessagesRequest in the contract. 0, None and empty values are no condition."""

    rooms: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    contains: str = ""
    after: str = ""
    before: str = ""
    last: int = 0
    limit: int = 0
    follow: bool = False
    input_id: str = ""
    also_contains: tuple[str, ...] = ()

    @property
    def needles(self) -> tuple[str, ...]:
        """The casefolded texts that a message must contain; what another one contains is left out."""
        found = {text.casefold() for text in (self.contains, *self.also_contains)} - {""}
        return tuple(sorted(text for text in found if not any(text in other for other in found - {text})))


class HistoryPage(NamedTuple):
    """Messages in log order, and the cursor after the page.

    The cursor of a message is `cursor_text(cursor_prefix, sequence)`. If `live`, everything stored so far has been read.
    """

    runs: list[Run]
    cursor: str
    cursor_prefix: str
    live: bool
