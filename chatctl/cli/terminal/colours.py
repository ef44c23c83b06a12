"""Colours of users and of charts, for dark and light backgrounds."""

import os
from functools import cache
from typing import TYPE_CHECKING, TextIO
from zlib import crc32

from chatctl.cli.terminal.screen import is_dumb

if TYPE_CHECKING:
    from rich.style import Style


def colours_enabled(stream: TextIO) -> bool:
    """Return whether to write colours to the stream: it is a terminal with colours, and NO_COLOR is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and not is_dumb()


def has_256_colours() -> bool:
    """Return whether the terminal has the colours of USER_COLOURS_256."""
    return "256" in os.environ.get("TERM", "") or "COLORTERM" in os.environ


def colour_index(user: str, count: int) -> int:
    """Return the index of a user's colour among `count`, the same on every machine."""
    return crc32(user.encode("utf-8", "surrogatepass")) % count


CHART_COLOUR = "color(32)"  # readable on dark and light backgrounds


# Of the 256 colours, which no theme changes, those with a contrast of at least 3.8 to black and to white. There are as
# many as `join` has, in the same order. Terminals without them get four of the 8 basic colours.
USER_COLOURS_256 = (160, 166, 130, 100, 28, 29, 30, 31, 27, 99, 134, 162)
USER_COLOURS_8 = (31, 32, 35, 36)


# Each for a dark and for a light background. The contrast is the same for all: 7 to 1 on dark, 4.8 to 1 on light, where
# a higher contrast leaves no colour.
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


@cache
def _styles() -> "list[tuple[Style, Style]]":
    from rich.style import Style

    return [(Style(color=light), Style(color=dark)) for dark, light in _COLOURS]


def user_style(user: str, dark: bool) -> "Style":
    """Return the style of a user's name in `join`."""
    return _styles()[colour_index(user, len(_COLOURS))][dark]
