"""The lines held of a room or of a search: in log order, each once, bounded. Knows no screen and no network."""

from bisect import bisect_left
from collections.abc import Iterable

from chatctl.cli.join.line import Line

MAX_LINES_AT_END, MAX_CHARS_AT_END = 2_000, 2 * 1024 * 1024  # while the newest line is shown
MAX_LINES_SCROLLED, MAX_CHARS_SCROLLED = 20_000, 16 * 1024 * 1024  # while the user has scrolled up
TRIM_SLACK = 5 / 4  # lines are dropped only above this factor, so not for each new line
PENDING_SEQUENCE = 2**63  # in place of a sequence: after every message
LAST_OFFSET = 2**31  # in a key: after every notice that follows a message, and before the next message


class Scrollback:
    """All messages from the oldest held one on, and the notices among them; a LineSource.

    Lines may be added in any order. A line that is added again is kept once.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.anchor: tuple[tuple[int, int], int] | None = None
        self.at_start = False
        """True if no older messages exist."""
        self.loading = False
        """True while older messages are being loaded."""
        self.loaded = False
        """True if older messages were ever loaded."""
        self.load_requested = False
        """True if older messages were requested on this stream."""
        self.head = -1
        """Messages up to this sequence were stored before now, loaded or not. -1: unknown."""
        self.position_dropped = False
        """True if the line at the scroll position was dropped, until the screen has said so."""
        self._trimmed_sequence = 0  # messages up to this sequence were dropped
        self._pending_count = 0  # of the lines at the end
        self._char_count = 0

    @property
    def full(self) -> bool:
        """True if the bounds leave no room for older lines."""
        return len(self.lines) >= MAX_LINES_SCROLLED or self._char_count >= MAX_CHARS_SCROLLED

    @property
    def oldest_sequence(self) -> int:
        """The sequence of the oldest message held, or 0."""
        return next((line.key[0] for line in self.lines if line.state == "stored"), 0)

    def add_notice(self, text: str, time: int) -> None:
        """Add a notice after the last message."""
        self.insert([Line(self.next_key(), time, "", text, "notice")])
        self._drop_oldest()

    def trim(self) -> None:
        """Scroll to the newest line, and keep only the lines for that position."""
        self.anchor = None
        self.position_dropped = False
        self._drop_oldest()

    def next_key(self) -> tuple[int, int]:
        """Return a key after all lines except the pending ones, and after all messages that can still be loaded."""
        count = self._placed_count
        sequence, offset = self.lines[count - 1].key if count else (self._trimmed_sequence, 0)
        return (self.head, 1) if self.head > sequence else (sequence, offset + 1)

    def set_head(self, sequence: int) -> None:
        """Note that the messages up to this sequence exist. Notices from before the first call move behind them."""
        if self.head < 0 < sequence:
            keys = {line.key: (sequence, line.key[1]) for line in self._placed_lines if not line.key[0]}
            moved = [line._replace(key=keys[line.key]) for line in self.lines[: len(keys)]]
            count = bisect_left(self.lines, (sequence, 1), lo=len(keys), hi=self._placed_count, key=_key)
            self.lines[:count] = [*self.lines[len(keys) : count], *moved]
            if self.anchor and self.anchor[0] in keys:
                self.anchor = keys[self.anchor[0]], self.anchor[1]
        self.head = max(self.head, sequence)

    def add(self, lines: list[Line]) -> None:
        """Insert new messages in order, except those that were dropped before."""
        self.insert([line for line in lines if line.key[0] > self._trimmed_sequence])
        self._drop_oldest()

    def prepend(self, lines: list[Line], at_start: bool, before: int = 0) -> None:
        """Insert messages that were loaded as the ones before a sequence (0: the newest ones).

        `at_start`: no messages precede them. They are ignored if the message at that sequence was dropped in the
        meantime, because a gap would follow them.
        """
        if lines and self._trimmed_sequence >= (before or lines[-1].key[0] + 1):
            return
        self.loaded = True
        self.at_start = self.at_start or at_start
        if lines:
            self._trimmed_sequence = min(self._trimmed_sequence, lines[0].key[0] - 1)
        self.insert(lines)

    def insert(self, lines: list[Line]) -> None:
        """Insert lines that are not pending, sorted by key; known ones are ignored."""
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
        """Append a line that has no sequence yet."""
        self.lines.append(line)
        self._pending_count += 1
        self._char_count += _count_chars([line])

    def remove(self, key: tuple[int, int]) -> Line | None:
        """Remove and return a line, or return None if it is not held."""
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
        """Drop the oldest lines above the bound, which is lower while the newest line is shown."""
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
            if self.anchor and self.anchor[0] <= self.lines[count - 1].key:
                self.position_dropped = True
            del self.lines[:count]
            self._char_count = remaining_chars


def _key(line: Line) -> tuple[int, int]:
    return line.key


def _count_chars(lines: Iterable[Line]) -> int:
    return sum(len(line.text) for line in lines)
