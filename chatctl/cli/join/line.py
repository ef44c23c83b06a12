"""The lines that the full-screen `join` shows."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

LineKey = tuple[int, int]
"""The position of a line in its room: (sequence, 0) for a message, (sequence of the message before it, n) for a notice,
(2**63, number) for a text without a receipt."""

UNREAD_NOTICE = "new messages"
"""The text of the notice before the first unread message."""


class Line(NamedTuple):
    """A message, or a notice of `join` itself."""

    key: LineKey
    time: int  # microseconds since 1970
    user: str  # "" for a notice
    text: str
    state: Literal["stored", "pending", "rejected", "notice"] = "stored"
    mention: bool = False


class LineSource(Protocol):
    """The lines of a room or of a search, sorted by key. `len` and indexing take constant time."""

    @property
    def lines(self) -> Sequence[Line]:
        """All lines held, oldest first."""

    anchor: tuple[LineKey, int] | None
    """The scroll position: the key of the bottom line, and how many of its rows are below the edge. None: at the end,
    following new lines. Only the widget that shows the source sets it."""
