"""Compares the messages of one reader with the log."""

from array import array
from collections import deque
from typing import TYPE_CHECKING

from tests.faults.violations import ABSENT, ViolationKind

if TYPE_CHECKING:
    from tests.faults.checker import Checker

PAGE_MESSAGES = 1000  # the most that repeat after a SIGKILL


class ReaderCheck:
    """The messages of one reader, which reads some rooms, or all, from the log's beginning."""

    def __init__(self, checker: "Checker", name, rooms):
        self.name = name
        self.rooms = rooms
        self.last = 0  # the last sequence seen
        self._checker = checker
        self._checked_sequence = 0  # up to which violations are reported
        self._seen = array("q")  # since then, in three columns: sequences, keys of records and times
        self._keys = array("q")
        self._times = array("q")
        self._last_page = deque(maxlen=PAGE_MESSAGES)  # its last messages: sequence, key and time
        self._may_repeat = deque()  # the part of it that may repeat, and must once it has begun to
        self.repeated = 0

    def allow_repeat(self):
        """Allow one repeat: its cursor may be before the last page, which then repeats completely from there."""
        self._may_repeat = self._last_page.copy()

    def add(self, first, room, user, time, texts):
        """Add the reader's next messages: consecutive ones with one time."""
        for sequence, text in enumerate(texts, first):
            message = sequence, self._checker.identify(self.name, sequence, room, user, text), time
            if self._may_repeat and self._is_repeat(message):
                continue
            self.last = sequence
            self._last_page.append(message)
            for column, value in zip((self._seen, self._keys, self._times), message, strict=True):
                column.append(value)

    def _is_repeat(self, message):
        """Return whether this repeats a message from before the kill."""
        started = len(self._may_repeat) < len(self._last_page)
        while self._may_repeat[0] != message:
            if started or message[0] > self.last:
                if started:
                    self._add_violation(
                        ViolationKind.GAP, f"repeated sequence {message[0]}, but not {self._may_repeat[0][0]}"
                    )
                self._may_repeat.clear()
                return False
            self._may_repeat.popleft()
            if not self._may_repeat:
                return False  # nothing is left to repeat: it is doubled
        self._may_repeat.popleft()
        self.repeated += 1
        return True

    def check(self):
        """Compare the messages since the last check with the log."""
        expected = self._checker.stored(self._checked_sequence, self.rooms)
        if self._seen != expected:
            self._explain(set(expected))
        for sequence, key, time in zip(self._seen, self._keys, self._times, strict=True):
            stored = self._checker.key(sequence)
            if stored != ABSENT and (key, time) != (stored, self._checker.time(sequence)):
                names = f"{self._checker.describe(key)} of {time}, in the log {self._checker.describe(stored)}"
                self._add_violation(
                    ViolationKind.CHANGED, f"sequence {sequence} is {names} of {self._checker.time(sequence)}"
                )
        self._checked_sequence = self._checker.position
        for seen in (self._seen, self._keys, self._times):
            del seen[:]

    def _explain(self, expected):
        """Report messages that are missing, extra, or out of order."""
        seen, before = set(), self._checked_sequence
        for sequence in self._seen:
            if self._checker.key(sequence) == ABSENT:
                self._add_violation(ViolationKind.LOST, f"saw sequence {sequence}, which is not in the log")
            elif sequence in seen or sequence <= self._checked_sequence:
                self._add_violation(ViolationKind.DOUBLED, f"saw sequence {sequence} again")
            elif sequence not in expected:
                self._add_violation(
                    ViolationKind.CHANGED, f"saw sequence {sequence}, which is in none of the rooms {self.rooms}"
                )
            elif sequence < before:
                self._add_violation(ViolationKind.DISORDER, f"saw sequence {sequence} after {before}")
            seen.add(sequence)
            before = max(before, sequence)
        for sequence in sorted(expected - seen):
            self._add_violation(
                ViolationKind.GAP, f"did not see sequence {sequence} ({self._checker.describe(self._checker.key(sequence))})"
            )

    def _add_violation(self, kind, text):
        self._checker.add_violation(kind, f"{self.name}: {text}")
