"""The scroll position in a list of lines. It is relative to the bottom line, so added lines move nothing on the screen."""

from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from chatctl.cli.join.line import LineSource

Position = tuple[int, int]
"""The index of the bottom line, and how many of its rows are below the edge."""

_key = attrgetter("key")


def bottom_index(source: LineSource) -> int:
    """Return the index of the bottom line. If that line was dropped, it is the one before, or -1 if none is left."""
    if source.anchor is None:
        return len(source.lines) - 1
    return bisect_right(source.lines, source.anchor[0], key=_key) - 1


class VisibleRows(NamedTuple):
    """The lines on the screen, from `top` to `bottom`, without the first `skipped_rows` rows. They may leave rows empty."""

    top: int
    bottom: int
    skipped_rows: int


class Viewport:
    """A screen of `rows` rows over a source with lines, valid until they change. `height` returns the rows of a line."""

    def __init__(self, source: LineSource, height: Callable[[int], int], rows: int) -> None:
        self._source, self._row_count, self._rows = source, height, rows

    def scroll(self, rows: int) -> VisibleRows:
        """Scroll up by a number of rows, or down if it is negative, as far as there are lines."""
        self._set_anchor(
            self._position_above(self._position(), rows) if rows > 0 else self._position_below(self._position(), -rows)
        )
        return self.visible_rows()

    def visible_rows(self) -> VisibleRows:
        """Return the lines on the screen. Unless it follows new lines, lines from below fill rows that would be empty."""
        position = self._position()
        top, rows = self._find_top(position)
        if self._source.anchor is not None:
            if rows < self._rows:
                position = self._position_below(position, self._rows - rows)
                top, rows = self._find_top(position)
            self._set_anchor(position)
        return VisibleRows(top, position[0], max(rows - self._rows, 0))

    def _position(self) -> Position:
        index = bottom_index(self._source)
        if self._source.anchor is None:
            return index, 0
        if index < 0:
            return 0, self._row_count(0) - 1
        key, below = self._source.anchor
        # A line may have fewer rows now, because the screen became wider.
        return index, min(below, self._row_count(index) - 1) if self._source.lines[index].key == key else 0

    def _set_anchor(self, position: Position) -> None:
        index, below = position
        at_end = position == (len(self._source.lines) - 1, 0)
        self._source.anchor = None if at_end else (self._source.lines[index].key, below)

    def _position_above(self, position: Position, rows: int) -> Position:
        index, below = position
        below += rows
        while below >= (height := self._row_count(index)):
            if index == 0:
                return 0, height - 1
            below -= height
            index -= 1
        return index, below

    def _position_below(self, position: Position, rows: int) -> Position:
        index, below = position
        below -= rows
        while below < 0:
            if index == len(self._source.lines) - 1:
                return index, 0
            index += 1
            below += self._row_count(index)
        return index, below

    def _find_top(self, position: Position) -> tuple[int, int]:
        """Return the line at the upper edge, and the number of rows from its first one to the bottom."""
        top, below = position
        rows = self._row_count(top) - below
        while rows < self._rows and top > 0:
            top -= 1
            rows += self._row_count(top)
        return top, rows
