"""What is stored, and the seam to the stores that keep it.

Times are whole microseconds since 1970 in UTC, sizes are bytes of UTF-8.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Run(NamedTuple):
    """Consecutive messages of one room and user, stored at one time: texts[i] has `sequence` + i."""

    sequence: int
    room: str
    user: str
    time: int
    texts: list[str]


class Page(NamedTuple):
    """Some messages in log order, and the sequence up to which (inclusive) everything that matches is in them."""

    runs: list[Run]
    position: int


class Message(NamedTuple):
    """One message by itself."""

    sequence: int
    room: str
    user: str
    text: str


class LookupResult(NamedTuple):
    """Messages by sequence, and the sequence up to which (inclusive) all that were asked for are in them."""

    messages: dict[int, Message]
    position: int


@dataclass(frozen=True, slots=True)
class Query:
    """Which messages to read; see GetMessagesRequest in the contract. 0, None and empty are no condition."""

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


class HistoryPage(NamedTuple):
    """Messages in log order, and the cursor to read on from.

    The cursor of any message is `cursor_prefix` and its sequence in decimal. `live`: everything stored so far has been read.
    """

    runs: list[Run]
    cursor: str
    cursor_prefix: str
    live: bool
