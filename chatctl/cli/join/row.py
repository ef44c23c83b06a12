"""Draw one row of a room: a mark, the time, the user and a row of text."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from chatctl.cli.join.line import UNREAD_NOTICE, Line
from chatctl.cli.join.line_wrap import WrappedText
from chatctl.cli.terminal.escape import escape_name
from chatctl.cli.terminal.wrap import terminal_cells

USER_REPEAT_MICROSECONDS = 5 * 60 * 1_000_000  # the user's name is repeated after this time
MARKS = {"pending": "…", "rejected": "✗"}  # instead of the time, which only a stored message has


class Columns(NamedTuple):
    """The widths of the parts: mark 1, time 0 or 5, user, text. One blank separates them, two blanks precede the text."""

    time: int
    user: int
    text: int

    @classmethod
    def for_width(cls, width: int) -> "Columns":
        """Return the widths for a row of `width` columns. Below 32 the time is left out."""
        time = 5 if width >= 32 else 0
        user = min(max(width // 8, 4), 16)
        return cls(time, user, max(width - (time + 1 if time else 0) - user - 3, 2))

    @property
    def total(self) -> int:
        """The width of a row."""
        return sum(self) + 3 + bool(self.time)


class Styles(NamedTuple):
    """The styles of the parts in a theme."""

    base: Style
    faint: Style  # the time, a date, a pending text
    notice: Style
    rejected: Style
    mention: Style  # the background of a line
    mark: Style  # of a mention
    needle: Style  # a match of the search
    user: Callable[[str], Style]
    """Returns the style of a user's name."""


def day_number(time: int) -> int:
    """Return the number of the day, in local time."""
    return _local_time(time // 60_000_000).toordinal()


@lru_cache(1024)
def _local_time(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60)


def shows_user(line: Line, previous: Line | None) -> bool:
    """Return whether a line shows its user."""
    return previous is None or previous.user != line.user or line.time - previous.time >= USER_REPEAT_MICROSECONDS


def shows_time(line: Line, previous: Line | None) -> bool:
    """Return whether a line shows its time."""
    return (
        previous is None
        or shows_user(line, previous)
        or line.state in MARKS
        or line.time // 60_000_000 != previous.time // 60_000_000
    )


def date_row(time: int, columns: Columns, styles: Styles) -> Strip:
    """Draw the row above the first line of a day."""
    local_time = _local_time(time // 60_000_000)
    return _rule_row(f"{local_time:%A}, {local_time.day} {local_time:%B %Y}", columns, styles.base + styles.faint)


def _rule_row(label: str, columns: Columns, style: Style) -> Strip:
    return Strip([Segment(set_cell_size(f"── {label} " + "─" * columns.total, columns.total), style)], columns.total)


def text_row(
    line: Line, wrapped: WrappedText, number: int, heads: tuple[bool, bool], columns: Columns, styles: Styles, needle: str
) -> Strip:
    """Draw one row of a line. `heads`: whether it shows the time and the user."""
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
    # A terminal may draw some characters narrower than they are measured. More blanks then overwrite the rest of its line.
    # Surplus blanks do no harm: the row ends at the right edge, and Textual turns the terminal's wrapping off.
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
    return styles.user(line.user) if line.user else styles.notice


def _text_style(line: Line, styles: Styles) -> Style:
    return {"pending": styles.faint, "rejected": styles.rejected, "notice": styles.notice}.get(line.state, Style.null())


@lru_cache(1024)
def _user_text(user: str, width: int) -> str:
    """Return a name, right-aligned in its column. A long name keeps both ends, which is where names differ."""
    name = escape_name(user) if user else "·"
    size = terminal_cells(name)
    if size <= width:
        return " " * (width - size) + name
    tail = (width - 1) // 2
    ending = name[len(name) - tail :]
    while terminal_cells(ending) > tail:
        ending = ending[1:]
    beginning = name
    while terminal_cells(beginning) > width - 1 - terminal_cells(ending):
        beginning = beginning[:-1]
    return beginning + " " * (width - 1 - terminal_cells(beginning + ending)) + "…" + ending


def _text_segments(text: str, start: int, end: int, needle: str, style: Style, highlight: Style) -> Iterator[Segment]:
    """Yield a row of text with the needle highlighted, also where it continues in the next row."""
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
