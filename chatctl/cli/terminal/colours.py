"""Colours of users and charts, readable on dark and on light backgrounds."""

import os
from functools import cache
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from rich.style import Style


def has_256_colours() -> bool:
    """Return whether the terminal has the colours of USER_COLOURS_256."""
    return "256" in os.environ.get("TERM", "") or "COLORTERM" in os.environ


CHART_COLOUR = "color(32)"  # reads well on dark and on light

# The 256 colours are the same in every theme; these have a contrast of at least 3.8 to black and to white.
# As many as in _COLOURS and in the same order, so that a user has the same hue in every command.
USER_COLOURS_256 = (160, 166, 130, 100, 28, 29, 30, 31, 27, 99, 134, 162)
USER_COLOURS_8 = (31, 32, 35, 36)  # for terminals with 8 colours

# Each for a dark and for a light background. All have the same contrast to their background: 7 to 1 on dark, and 4.8 to 1
# on light, where a higher contrast leaves no colour.
_COLOURS = (
    ("#e69694", "#ae1e19"),
    ("#de9e73", "#8f4514"),
    ("#d1a53d", "#745611"),
    ("#a3b62b", "#535e0d"),
    ("#53c22e", "#25670f"),
    ("#2ec278", "#0f673b"),
    ("#2dbeb4", "#0f6761"),
    ("#62b6da", "#126081"),
    ("#87ace3", "#1957b3"),
    ("#ada4ea", "#513be3"),
    ("#cf98e7", "#8f1bc0"),
    ("#e58fc8", "#aa1879"),
)

PROBE_STEP = 5  # neighbours in a palette look alike, so the next colour tried is five further; prime to both palette sizes


class UserColours:
    """The colours of the users in one view, given in the order in which the users appear.

    A user's colour does not change within a view. Users get different colours while the palette has free ones. The first
    choice is the hash of the name, so a user mostly has the same colour in every view and on every machine.
    At most one user for each colour is remembered; later users keep the colour of their hash.
    """

    def __init__(self, count: int = len(_COLOURS)) -> None:
        """`count` is the size of the palette."""
        self._count = count
        self._indices: dict[str, int] = {}  # by user; no two users have the same index

    def index(self, user: str) -> int:
        """Return the index of the user's colour in the palette."""
        index = self._indices.get(user)
        if index is not None:
            return index
        index = crc32(user.encode("utf-8", "surrogatepass")) % self._count
        if len(self._indices) < self._count:
            taken = self._indices.values()
            while index in taken:
                index = (index + PROBE_STEP) % self._count
            self._indices[user] = index
        return index

    def style(self, user: str, dark: bool) -> "Style":
        """Return the user's colour for a dark or a light theme of `join`."""
        return _theme_styles()[self.index(user)][dark]

    def style_256(self, user: str) -> str:
        """Return the user's colour among the 256 colours, as a Rich style."""
        return f"bold color({USER_COLOURS_256[self.index(user)]})"


@cache
def _theme_styles() -> "list[tuple[Style, Style]]":
    from rich.style import Style

    return [(Style(color=light), Style(color=dark)) for dark, light in _COLOURS]
