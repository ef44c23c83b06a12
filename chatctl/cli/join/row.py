"""How a row of the room looks: a mark, the time, the user, and a row of text."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from chatctl.cli.join.line import UNREAD_NOTICE, Line
from chatctl.cli.join.line_wrap import WrappedText
from chatctl.cli.terminal import colours
from chatctl.cli.terminal.escape import escape_name

USER_REPEAT_MICROSECONDS = 5 * 60 * 1_000_000  # microseconds after which a user's name is repeated
MARKS = {"pending": "…", "rejected": "✗"}  # in the place of the time, which only what is stored has


class Columns(NamedTuple):
    """How wide the parts of a row are: mark 1, time 0 or 5, user, text; one blank between them, two before the text."""

    time: int
    user: int
    text: int

    @classmethod
    def for_width(cls, width: int) -> "Columns":
        """What suits so many columns. Below 32, the time is left out."""
        time = 5 if width >= 32 else 0
        user = min(max(width // 8, 4), 16)
        return cls(time, user, max(width - (time + 1 if time else 0) - user - 3, 2))

    @property
    def total(self) -> int:
        """The width of a row."""
        return sum(self) + 3 + bool(self.time)


class Styles(NamedTuple):
    """How the parts look in a theme."""

    base: Style
    faint: Style  # the time, a date, what is pending
    notice: Style
    rejected: Style
    mention: Style  # the background of a line
    mark: Style  # of a mention
    needle: Style  # what a search has found
    dark: bool


def day_number(time: int) -> int:
    """Which day it is, in local time."""
    return _local_time(time // 60_000_000).toordinal()


@lru_cache(1024)
def _local_time(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60)


def shows_user(line: Line, previous: Line | None) -> bool:
    """Whether a line is to say whose it is, after the line before."""
    return previous is None or previous.user != line.user or line.time - previous.time >= USER_REPEAT_MICROSECONDS


def shows_time(line: Line, previous: Line | None) -> bool:
    """Whether a line is to say when it was, after the line before."""
    return (
        previous is None
        or shows_user(line, previous)
        or line.state in MARKS
        or line.time // 60_000_000 != previous.time // 60_000_000
    )


def date_row(time: int, columns: Columns, styles: Styles) -> Strip:
    """The row above the first line of a day."""
    local_time = _local_time(time // 60_000_000)
    return _rule_row(f"{local_time:%A}, {local_time.day} {local_time:%B %Y}", columns, styles.base + styles.faint)


def _rule_row(label: str, columns: Columns, style: Style) -> Strip:
    return Strip([Segment(set_cell_size(f"── {label} " + "─" * columns.total, columns.total), style)], columns.total)


def text_row(
    line: Line, wrapped: WrappedText, number: int, heads: tuple[bool, bool], columns: Columns, styles: Styles, needle: str
) -> Strip:
    """One row of a line. `heads`: whether it shows the time and the user."""
    if line.state == "notice" and line.text == UNREAD_NOTICE:
        return _rule_row(UNREAD_NOTICE, columns, styles.base + styles.mark)
    base = styles.base + styles.mention if line.mention else styles.base
    start, end = wrapped.row_range(number)
    segments = [
        Segment("▌" if line.mention else " ", base + styles.mark),
        *([Segment(_time_text(line, heads[0]), base + _time_style(line, styles))] if columns.time else ()),
        Segment(
            f"{_user_text(line.user, columns.user) if heads[1] else ' ' * columns.user}  ", base + _user_style(line, styles)
        ),
        *_text_segments(wrapped.text, start, end, needle, base + _text_style(line, styles), styles.needle),
    ]
    strip = Strip(segments).adjust_cell_length(columns.total, base)
    # Where a terminal takes characters for narrower, blanks reach the end of its line all the same, or what was there before
    # would stay. There is nothing to the right, and Textual has the terminal not wrap.
    is_ascii = line.user.isascii() and wrapped.text[start:end].isascii()
    return strip if is_ascii else Strip([*strip, Segment(" " * columns.total, base)], columns.total)


def _time_text(line: Line, shown: bool) -> str:
    if not shown:
        return " " * 6
    if line.state in MARKS:
        return f"{MARKS[line.state]:>5} "
    return f"{_local_time(line.time // 60_000_000):%H:%M} "


def _time_style(line: Line, styles: Styles) -> Style:
    return styles.rejected if line.state == "rejected" else styles.faint


def _user_style(line: Line, styles: Styles) -> Style:
    return colours.user_style(line.user, styles.dark) if line.user else styles.notice


def _text_style(line: Line, styles: Styles) -> Style:
    return {"pending": styles.faint, "rejected": styles.rejected, "notice": styles.notice}.get(line.state, Style.null())


@lru_cache(1024)
def _user_text(user: str, width: int) -> str:
    """A name in its column. Of a long one both ends are shown: it is there that names differ."""
    name = escape_name(user) if user else "·"
    size = cell_len(name)
    if size <= width:
        return " " * (width - size) + name
    tail = (width - 1) // 2
    ending = name[len(name) - tail :]
    while cell_len(ending) > tail:
        ending = ending[1:]
    return set_cell_size(name, width - 1 - cell_len(ending)) + "…" + ending


def _text_segments(text: str, start: int, end: int, needle: str, style: Style, highlight: Style) -> Iterator[Segment]:
    """A row of text, in which the needle is highlighted also where it goes on in the next row."""
    position = start
    if needle:
        overlap = len(needle) - 1
        for match in _pattern(needle).finditer(text, max(start - overlap, 0), end + overlap):
            first, last = max(match.start(), position), min(match.end(), end)
            if first < last:
                yield Segment(text[position:first], style)
                yield Segment(text[first:last], style + highlight)
                position = last
    yield Segment(text[position:end], style)


@lru_cache(8)
def _pattern(needle: str) -> re.Pattern[str]:
    return re.compile(re.escape(needle), re.IGNORECASE)
