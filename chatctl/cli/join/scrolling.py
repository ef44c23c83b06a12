"""Where the screen is in a room, counted from the bottom: what comes above or below it moves nothing on it."""

from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from chatctl.cli.join.lines import Source

Place = tuple[int, int]
"""Which line is the bottom one, and how many of its rows are below the edge."""

_key = attrgetter("key")


def bottom(source: Source) -> int:
    """Which line is at the bottom of the screen; that of one that is gone is the one before (-1: all before are gone)."""
    if source.anchor is None:
        return len(source.lines) - 1
    return bisect_right(source.lines, source.anchor[0], key=_key) - 1


class Shown(NamedTuple):
    """What is on a screen: the lines from `top` to `bottom`, without the first `skip` rows. It may be less than a screen."""

    top: int
    bottom: int
    skip: int


class Window:
    """A screen of `rows` on a source that has lines; `height` gives the rows of one. Good until the lines change."""

    def __init__(self, source: Source, height: Callable[[int], int], rows: int) -> None:
        self._source, self._height, self._rows = source, height, rows

    def scroll(self, rows: int) -> Shown:
        """Move so many rows towards the oldest (less than 0: the newest), as far as there are lines."""
        self._keep(self._up(self._place(), rows) if rows > 0 else self._down(self._place(), -rows))
        return self.look()

    def look(self) -> Shown:
        """What is on the screen. Unless it follows what comes, no row above stays empty that a line below can fill."""
        place = self._place()
        top, rows = self._above(place)
        if self._source.anchor is not None:
            if rows < self._rows:
                place = self._down(place, self._rows - rows)
                top, rows = self._above(place)
            self._keep(place)
        return Shown(top, place[0], max(rows - self._rows, 0))

    def _place(self) -> Place:
        index = bottom(self._source)
        if self._source.anchor is None:
            return index, 0
        if index < 0:
            return 0, self._height(0) - 1
        key, below = self._source.anchor
        # In a narrower window a line has more rows than it had, in a wider one less.
        return index, min(below, self._height(index) - 1) if self._source.lines[index].key == key else 0

    def _keep(self, place: Place) -> None:
        index, below = place
        at_end = place == (len(self._source.lines) - 1, 0)
        self._source.anchor = None if at_end else (self._source.lines[index].key, below)

    def _up(self, place: Place, rows: int) -> Place:
        index, below = place
        below += rows
        while below >= (height := self._height(index)):
            if index == 0:
                return 0, height - 1
            below -= height
            index -= 1
        return index, below

    def _down(self, place: Place, rows: int) -> Place:
        index, below = place
        below -= rows
        while below < 0:
            if index == len(self._source.lines) - 1:
                return index, 0
            index += 1
            below += self._height(index)
        return index, below

    def _above(self, place: Place) -> tuple[int, int]:
        """The line at the upper edge, and how many rows there are from its first one to the bottom."""
        top, below = place
        rows = self._height(top) - below
        while rows < self._rows and top > 0:
            top -= 1
            rows += self._height(top)
        return top, rows
