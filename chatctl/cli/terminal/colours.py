"""Colours of users, for dark themes and for light ones."""

import os
from functools import cache
from typing import TYPE_CHECKING, TextIO
from zlib import crc32

from chatctl.cli.terminal.screen import DUMB_TERMINALS

if TYPE_CHECKING:
    from rich.style import Style


def colours_enabled(stream: TextIO) -> bool:
    """Whether to write colours to it: a terminal is looking, and nobody wants it otherwise."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in DUMB_TERMINALS


def colour_index(user: str, count: int) -> int:
    """Which of so many colours is a user's: always the same, here and on every machine."""
    return crc32(user.encode("utf-8", "surrogatepass")) % count


CHART_COLOUR = "color(32)"  # reads well on dark and on light


# Of the 256 colours, which no theme changes, those with a contrast of 3.8 or more both to black and to white; else of the 8.
# As many and in the same order as those of `join`.
USER_COLOURS_256 = (160, 166, 130, 100, 28, 29, 30, 31, 27, 99, 134, 162)
USER_COLOURS_8 = (31, 32, 35, 36)


# Each in the dark and in the light. All contrast alike with their background: 7 to 1 in the dark, 4.8 to 1 in the light,
# where what contrasts more has no colour left.
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
    """The colour of a user, which is the same everywhere."""
    return _styles()[colour_index(user, len(_COLOURS))][dark]
