"""Where the screen is in a room, counted from the bottom: what comes above or below it moves nothing on it."""

from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from chatctl.cli.join.line import LineSource

Position = tuple[int, int]
"""Which line is the bottom one, and how many of its rows are below the edge."""

_key = attrgetter("key")


def bottom_index(source: LineSource) -> int:
    """Which line is at the bottom of the screen; that of one that is gone is the one before (-1: all before are gone)."""
    if source.anchor is None:
        return len(source.lines) - 1
    return bisect_right(source.lines, source.anchor[0], key=_key) - 1


class VisibleRows(NamedTuple):
    """What is on a screen: the lines from `top` to `bottom_index`, without the first `skipped_rows` rows. It may be less than a screen."""

    top: int
    bottom: int
    skipped_rows: int


class Viewport:
    """A screen of `rows` on a source that has lines; `height` gives the rows of one. Good until the lines change."""

    def __init__(self, source: LineSource, height: Callable[[int], int], rows: int) -> None:
        self._source, self._row_count, self._rows = source, height, rows

    def scroll(self, rows: int) -> VisibleRows:
        """Move so many rows towards the oldest (less than 0: the newest), as far as there are lines."""
        self._set_anchor(
            self._position_above(self._position(), rows) if rows > 0 else self._position_below(self._position(), -rows)
        )
        return self.visible_rows()

    def visible_rows(self) -> VisibleRows:
        """What is on the screen. Unless it follows what comes, no row above stays empty that a line below can fill."""
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
        # In a narrower window a line has more rows than it had, in a wider one less.
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
        """The line at the upper edge, and how many rows there are from its first one to the bottom."""
        top, below = position
        rows = self._row_count(top) - below
        while rows < self._rows and top > 0:
            top -= 1
            rows += self._row_count(top)
        return top, rows
