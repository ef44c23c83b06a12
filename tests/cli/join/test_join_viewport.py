"""The viewport against a model: a list of all rows. Lines added above or below move nothing on the screen."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chatctl.cli.join.line import Line
from chatctl.cli.join.viewport import Viewport, bottom_index


class Room:
    anchor = None

    def __init__(self):
        self.lines = []


def height(line):
    return 1 + line.key[0] * 7 % 5


class Scrolling(RuleBasedStateMachine):
    """A room with lines of 1 to 5 rows, and the number of rows below the screen (None: it follows new lines)."""

    def __init__(self):
        super().__init__()
        self.room, self.rows, self.below = Room(), 6, None
        self.first, self.last = 1000, 999

    def look(self, scroll=None):
        window = Viewport(self.room, lambda index: height(self.room.lines[index]), self.rows)
        shown = window.visible_rows() if scroll is None else window.scroll(scroll)
        every = [(line.key, row) for line in self.room.lines for row in range(height(line))]
        start = sum(height(line) for line in self.room.lines[: shown.top]) + shown.skipped_rows
        return every, every[start : start + self.rows], shown

    def total(self):
        return sum(height(line) for line in self.room.lines)

    @rule(count=st.integers(1, 9))
    def newer(self, count):
        fresh = [Line((self.last + n, 0), 0, "u", "t") for n in range(1, count + 1)]
        self.room.lines += fresh
        self.last += count
        if self.below is not None:
            self.below += sum(map(height, fresh))

    @rule(count=st.integers(1, 9))
    def older(self, count):
        self.first -= count
        self.room.lines[:0] = [Line((self.first + n, 0), 0, "u", "t") for n in range(count)]

    @precondition(lambda self: self.room.lines)
    @rule(count=st.integers(1, 9))
    def trimmed(self, count):
        count = min(count, len(self.room.lines) - 1)
        del self.room.lines[:count]
        self.first += count
        if self.below is not None:
            self.below = max(min(self.below, self.total() - self.rows), 0) or None

    @precondition(lambda self: self.room.lines)
    @rule(rows=st.integers(-20, 20))
    def scrolled(self, rows):
        self.look(rows)
        self.below = max(min((self.below or 0) + rows, self.total() - self.rows), 0) or None

    @precondition(lambda self: self.room.lines)
    @rule(rows=st.integers(1, 12))
    def resized(self, rows):
        self.rows = rows
        if self.below is not None:
            self.below = max(min(self.below, self.total() - rows), 0) or None

    @precondition(lambda self: self.room.lines)
    @invariant()
    def shows_what_it_should(self):
        every, screen, shown = self.look()
        end = len(every) - (self.below or 0)
        assert screen == every[max(end - self.rows, 0) : end]
        assert (self.room.anchor is None) == (self.below is None)
        assert shown.bottom == bottom_index(self.room) == [line.key for line in self.room.lines].index(screen[-1][0])


TestScrolling = Scrolling.TestCase
TestScrolling.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)


def test_a_dropped_bottom_line_is_replaced_by_the_one_before():
    room = Room()
    room.lines = [Line((n, 0), 0, "u", "t") for n in range(1, 30)]
    room.anchor = (20, 0), 0
    del room.lines[19]
    window = Viewport(room, lambda _: 1, 5)
    assert room.lines[window.visible_rows().bottom].key == (19, 0)
    assert room.anchor == ((19, 0), 0)


def test_a_line_with_fewer_rows_than_before_stays_on_the_screen():
    room = Room()
    room.lines = [Line((n, 0), 0, "u", "t") for n in range(1, 30)]
    room.anchor = (20, 0), 8
    shown = Viewport(room, lambda _: 3, 5).visible_rows()
    assert room.anchor == ((20, 0), 2)
    assert shown == (17, 19, 2)  # its one row, three rows of the line before, one of the line before that
