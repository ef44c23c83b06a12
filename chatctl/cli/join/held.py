"""Lines that are held of a room or of a search in it: in log order, each once, bounded. Knows no screen and no network."""

from bisect import bisect_left
from collections.abc import Iterable

from chatctl.cli.join.lines import Line

KEPT_LINES, KEPT_CHARACTERS = 2_000, 2 * 1024 * 1024  # while the newest are looked at
MOST_LINES, MOST_CHARACTERS = 20_000, 16 * 1024 * 1024  # while somebody has scrolled up
SLACK = 5 / 4  # so that a line more does not each time mean a line less
PENDING = 2**63  # instead of a sequence: behind every message


class Held:
    """What is held: all messages there are from the oldest held on, and notices among them; a Source to draw.

    What is put in more than once is there once, in whatever order it comes.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.anchor: tuple[tuple[int, int], int] | None = None
        self.begins = False
        """Whether there is nothing older than what is held."""
        self.loading = False
        """Whether older ones are on their way."""
        self.loaded = False
        """Whether older ones were ever loaded."""
        self.tried = False
        """Whether older ones were asked for on this stream."""
        self._dropped = 0  # the sequence up to which nothing is held any more
        self._pending = 0  # how many lines at the end are
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether there is no place for older ones."""
        return len(self.lines) >= MOST_LINES or self._size >= MOST_CHARACTERS

    @property
    def oldest(self) -> int:
        """The sequence of the oldest message held; 0 if there is none."""
        return next((line.key[0] for line in self.lines if line.state == "stored"), 0)

    def tell(self, text: str, time: int) -> None:
        """Put a notice behind what is held."""
        self.merge([Line(self.behind(), time, "", text, "notice")])
        self._trim()

    def rest(self) -> None:
        """Nobody looks at it: go to the newest, and hold no more than what is read there."""
        self.anchor = None
        self._trim()

    def behind(self) -> tuple[int, int]:
        """A key behind all that is held, but for what is pending."""
        count = self._settled_count
        sequence, place = self.lines[count - 1].key if count else (self._dropped, 0)
        return sequence, place + 1

    def come(self, lines: list[Line]) -> None:
        """Put in messages that are new, each at its place; those that were dropped already stay away."""
        self.merge([line for line in lines if line.key[0] > self._dropped])
        self._trim()

    def older(self, lines: list[Line], begins: bool, before: int = 0) -> None:
        """Put in messages that were loaded as those before a sequence (0: the newest); `begins`: there are none before them.

        If what stood at that sequence was dropped meanwhile there would be a gap behind them: then they stay away.
        """
        if lines and self._dropped >= (before or lines[-1].key[0] + 1):
            return
        self.loaded = True
        self.begins = self.begins or begins
        if lines:
            self._dropped = min(self._dropped, lines[0].key[0] - 1)
        self.merge(lines)

    def merge(self, lines: list[Line]) -> None:
        """Put in settled lines, sorted by key, each at its place unless it is there."""
        count = self._settled_count
        if not lines:
            return
        if not count or lines[0].key > self.lines[count - 1].key:
            at = count
        elif lines[-1].key < self.lines[0].key:
            at = 0
        else:
            known = {line.key for line in self._settled}
            lines = [line for line in lines if line.key not in known]
            self.lines[:count] = sorted([*self._settled, *lines], key=_key)
            self._size += _size(lines)
            return
        self.lines[at:at] = lines
        self._size += _size(lines)

    def pend(self, line: Line) -> None:
        """Put a line that is not settled behind all others."""
        self.lines.append(line)
        self._pending += 1
        self._size += _size([line])

    def drop(self, key: tuple[int, int]) -> Line | None:
        """Take out a line, if it is held; it comes back."""
        at = bisect_left(self.lines, key, key=_key)
        if at == len(self.lines) or self.lines[at].key != key:
            return None
        line = self.lines.pop(at)
        self._size -= _size([line])
        self._pending -= key[0] == PENDING
        return line

    @property
    def _settled_count(self) -> int:
        return len(self.lines) - self._pending

    @property
    def _settled(self) -> list[Line]:
        return self.lines[: self._settled_count]

    def _trim(self) -> None:
        """Drop the oldest: down to little while the newest are looked at, else only what is beyond all bounds."""
        lines, size = (KEPT_LINES, KEPT_CHARACTERS) if self.anchor is None else (MOST_LINES, MOST_CHARACTERS)
        if len(self.lines) <= lines * SLACK and self._size <= size * SLACK:
            return
        count, left = min(max(0, len(self.lines) - lines), self._settled_count), self._size
        left -= _size(self.lines[:count])
        while left > size and count < self._settled_count - 1:
            left -= _size([self.lines[count]])
            count += 1
        if count:
            self._dropped = max(self._dropped, self.lines[count - 1].key[0])
            self.begins = False
            del self.lines[:count]
            self._size = left


def _key(line: Line) -> tuple[int, int]:
    return line.key


def _size(lines: Iterable[Line]) -> int:
    return sum(len(line.text) for line in lines)
