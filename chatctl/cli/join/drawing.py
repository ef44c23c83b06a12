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

from chatctl.cli.formats import visible_name
from chatctl.cli.join import palette
from chatctl.cli.join.lines import UNREAD, Line
from chatctl.cli.join.wrapping import Wrapped

AGAIN = 5 * 60 * 1_000_000  # microseconds after which a user's name is repeated
MARKS = {"pending": "…", "rejected": "✗"}  # in the place of the time, which only what is stored has


class Columns(NamedTuple):
    """How wide the parts of a row are: mark 1, time 0 or 5, user, text; one blank between them, two before the text."""

    time: int
    user: int
    text: int

    @classmethod
    def of(cls, width: int) -> "Columns":
        """What suits so many columns. Below 32, the time is left out."""
        time = 5 if width >= 32 else 0
        user = min(max(width // 8, 4), 16)
        return cls(time, user, max(width - (time + 1 if time else 0) - user - 3, 2))

    @property
    def all(self) -> int:
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


def day(time: int) -> int:
    """Which day it is, in local time."""
    return _moment(time // 60_000_000).toordinal()


@lru_cache(1024)
def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60)


def named(line: Line, before: Line | None) -> bool:
    """Whether a line is to say whose it is, after the line before."""
    return before is None or before.user != line.user or line.time - before.time >= AGAIN


def timed(line: Line, before: Line | None) -> bool:
    """Whether a line is to say when it was, after the line before."""
    return (
        before is None or named(line, before) or line.state in MARKS or line.time // 60_000_000 != before.time // 60_000_000
    )


def date(time: int, columns: Columns, styles: Styles) -> Strip:
    """The row above the first line of a day."""
    moment = _moment(time // 60_000_000)
    return _rule(f"{moment:%A}, {moment.day} {moment:%B %Y}", columns, styles.base + styles.faint)


def _rule(words: str, columns: Columns, style: Style) -> Strip:
    return Strip([Segment(set_cell_size(f"── {words} " + "─" * columns.all, columns.all), style)], columns.all)


def row(
    line: Line, wrapped: Wrapped, number: int, heads: tuple[bool, bool], columns: Columns, styles: Styles, needle: str
) -> Strip:
    """One row of a line. `heads`: whether it shows the time and the user."""
    if line.state == "notice" and line.text == UNREAD:
        return _rule(UNREAD, columns, styles.base + styles.mark)
    base = styles.base + styles.mention if line.mention else styles.base
    start, end = wrapped.row(number)
    segments = [
        Segment("▌" if line.mention else " ", base + styles.mark),
        *([Segment(_time(line, heads[0]), base + _time_style(line, styles))] if columns.time else ()),
        Segment(f"{_name(line.user, columns.user) if heads[1] else ' ' * columns.user}  ", base + _user_style(line, styles)),
        *_text(wrapped.text, start, end, needle, base + _text_style(line, styles), styles.needle),
    ]
    strip = Strip(segments).adjust_cell_length(columns.all, base)
    # Where a terminal takes characters for narrower, blanks reach the end of its line all the same, or what was there before
    # would stay. There is nothing to the right, and Textual has the terminal not wrap.
    certain = line.user.isascii() and wrapped.text[start:end].isascii()
    return strip if certain else Strip([*strip, Segment(" " * columns.all, base)], columns.all)


def _time(line: Line, head: bool) -> str:
    if not head:
        return " " * 6
    if line.state in MARKS:
        return f"{MARKS[line.state]:>5} "
    return f"{_moment(line.time // 60_000_000):%H:%M} "


def _time_style(line: Line, styles: Styles) -> Style:
    return styles.rejected if line.state == "rejected" else styles.faint


def _user_style(line: Line, styles: Styles) -> Style:
    return palette.of_user(line.user, styles.dark) if line.user else styles.notice


def _text_style(line: Line, styles: Styles) -> Style:
    return {"pending": styles.faint, "rejected": styles.rejected, "notice": styles.notice}.get(line.state, Style.null())


@lru_cache(1024)
def _name(user: str, width: int) -> str:
    """A name in its column. Of a long one both ends are shown: it is there that names differ."""
    name = visible_name(user) if user else "·"
    size = cell_len(name)
    if size <= width:
        return " " * (width - size) + name
    tail = (width - 1) // 2
    ending = name[len(name) - tail :]
    while cell_len(ending) > tail:
        ending = ending[1:]
    return set_cell_size(name, width - 1 - cell_len(ending)) + "…" + ending


def _text(text: str, start: int, end: int, needle: str, style: Style, found: Style) -> Iterator[Segment]:
    """A row of text, in which the needle is highlighted also where it goes on in the next row."""
    at = start
    if needle:
        reach = len(needle) - 1
        for match in _pattern(needle).finditer(text, max(start - reach, 0), end + reach):
            first, last = max(match.start(), at), min(match.end(), end)
            if first < last:
                yield Segment(text[at:first], style)
                yield Segment(text[first:last], style + found)
                at = last
    yield Segment(text[at:end], style)


@lru_cache(8)
def _pattern(needle: str) -> re.Pattern[str]:
    return re.compile(re.escape(needle), re.IGNORECASE)
