"""Lines that are held of a room or of a search in it: in log order, each once, bounded. Knows no screen and no network."""

from bisect import bisect_left
from collections.abc import Iterable

from chatctl.cli.join.line import Line

MAX_LINES_AT_END, MAX_CHARS_AT_END = 2_000, 2 * 1024 * 1024  # while the newest are looked at
MAX_LINES_SCROLLED, MAX_CHARS_SCROLLED = 20_000, 16 * 1024 * 1024  # while somebody has scrolled up
TRIM_SLACK = 5 / 4  # so that a line more does not each time mean a line less
PENDING_SEQUENCE = 2**63  # instead of a sequence: behind every message


class Scrollback:
    """What is held: all messages there are from the oldest held on, and notices among them; a Source to draw.

    What is put in more than once is there once, in whatever order it comes.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.anchor: tuple[tuple[int, int], int] | None = None
        self.at_start = False
        """Whether there is nothing older than what is held."""
        self.loading = False
        """Whether older ones are on their way."""
        self.loaded = False
        """Whether older ones were ever loaded."""
        self.load_requested = False
        """Whether older ones were asked for on this stream."""
        self._trimmed_sequence = 0  # the sequence up to which nothing is held any more
        self._pending_count = 0  # how many lines at the end are
        self._char_count = 0

    @property
    def full(self) -> bool:
        """Whether there is no place for older ones."""
        return len(self.lines) >= MAX_LINES_SCROLLED or self._char_count >= MAX_CHARS_SCROLLED

    @property
    def oldest_sequence(self) -> int:
        """The sequence of the oldest message held; 0 if there is none."""
        return next((line.key[0] for line in self.lines if line.state == "stored"), 0)

    def add_notice(self, text: str, time: int) -> None:
        """Put a notice behind what is held."""
        self.insert([Line(self.next_key(), time, "", text, "notice")])
        self._drop_oldest()

    def trim(self) -> None:
        """Nobody looks at it: go to the newest, and hold no more than what is read there."""
        self.anchor = None
        self._drop_oldest()

    def next_key(self) -> tuple[int, int]:
        """A key behind all that is held, but for what is pending."""
        count = self._placed_count
        sequence, offset = self.lines[count - 1].key if count else (self._trimmed_sequence, 0)
        return sequence, offset + 1

    def add(self, lines: list[Line]) -> None:
        """Put in messages that are new, each at its place; those that were dropped already stay away."""
        self.insert([line for line in lines if line.key[0] > self._trimmed_sequence])
        self._drop_oldest()

    def prepend(self, lines: list[Line], at_start: bool, before: int = 0) -> None:
        """Put in messages that were loaded as those before a sequence (0: the newest); `at_start`: there are none before them.

        If what stood at that sequence was dropped meanwhile there would be a gap behind them: then they stay away.
        """
        if lines and self._trimmed_sequence >= (before or lines[-1].key[0] + 1):
            return
        self.loaded = True
        self.at_start = self.at_start or at_start
        if lines:
            self._trimmed_sequence = min(self._trimmed_sequence, lines[0].key[0] - 1)
        self.insert(lines)

    def insert(self, lines: list[Line]) -> None:
        """Put in settled lines, sorted by key, each at its place unless it is there."""
        count = self._placed_count
        if not lines:
            return
        if not count or lines[0].key > self.lines[count - 1].key:
            index = count
        elif lines[-1].key < self.lines[0].key:
            index = 0
        else:
            known_keys = {line.key for line in self._placed_lines}
            lines = [line for line in lines if line.key not in known_keys]
            self.lines[:count] = sorted([*self._placed_lines, *lines], key=_key)
            self._char_count += _count_chars(lines)
            return
        self.lines[index:index] = lines
        self._char_count += _count_chars(lines)

    def append_pending(self, line: Line) -> None:
        """Put a line that is not settled behind all others."""
        self.lines.append(line)
        self._pending_count += 1
        self._char_count += _count_chars([line])

    def remove(self, key: tuple[int, int]) -> Line | None:
        """Take out a line, if it is held; it comes back."""
        index = bisect_left(self.lines, key, key=_key)
        if index == len(self.lines) or self.lines[index].key != key:
            return None
        line = self.lines.pop(index)
        self._char_count -= _count_chars([line])
        self._pending_count -= key[0] == PENDING_SEQUENCE
        return line

    @property
    def _placed_count(self) -> int:
        return len(self.lines) - self._pending_count

    @property
    def _placed_lines(self) -> list[Line]:
        return self.lines[: self._placed_count]

    def _drop_oldest(self) -> None:
        """Drop the oldest: down to little while the newest are looked at, else only what is beyond all bounds."""
        lines, size = (
            (MAX_LINES_AT_END, MAX_CHARS_AT_END) if self.anchor is None else (MAX_LINES_SCROLLED, MAX_CHARS_SCROLLED)
        )
        if len(self.lines) <= lines * TRIM_SLACK and self._char_count <= size * TRIM_SLACK:
            return
        count, remaining_chars = min(max(0, len(self.lines) - lines), self._placed_count), self._char_count
        remaining_chars -= _count_chars(self.lines[:count])
        while remaining_chars > size and count < self._placed_count - 1:
            remaining_chars -= _count_chars([self.lines[count]])
            count += 1
        if count:
            self._trimmed_sequence = max(self._trimmed_sequence, self.lines[count - 1].key[0])
            self.at_start = False
            del self.lines[:count]
            self._char_count = remaining_chars


def _key(line: Line) -> tuple[int, int]:
    return line.key


def _count_chars(lines: Iterable[Line]) -> int:
    return sum(len(line.text) for line in lines)
