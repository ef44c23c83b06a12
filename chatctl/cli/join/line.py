"""What the room shows: lines, and whatever has them in order."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

LineKey = tuple[int, int]
"""Where a line is in its room: (sequence, 0) for a message, (sequence of the message before it, n) for a notice,
(2**62, number) for a message without a receipt."""


UNREAD_NOTICE = "new messages"
"""The text of the notice before what nobody has looked at."""


class Line(NamedTuple):
    """A message as the room shows it, or a notice of the room itself."""

    key: LineKey
    time: int  # microseconds since 1970
    user: str  # "" for a notice
    text: str
    state: Literal["stored", "pending", "rejected", "notice"] = "stored"
    mention: bool = False


class LineSource(Protocol):
    """What can be shown: a room, or what a search found. `lines` rise by key; len and indexing of them are cheap."""

    @property
    def lines(self) -> Sequence[Line]:
        """All the lines held, oldest first."""

    anchor: tuple[LineKey, int] | None
    """The scroll position: the key of the bottom line, and how many of its rows are below the edge. None: at the end,
    following what comes. Only the widget that shows the source sets it."""
