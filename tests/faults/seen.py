"""What one reader sees, compared with the log."""

from array import array
from collections import deque
from typing import TYPE_CHECKING

from kinds import ABSENT, Kind

if TYPE_CHECKING:
    from checker import Checker

PAGE_MESSAGES = 1000  # at most so many come again after a SIGKILL


class Reader:
    """What one reader sees. It reads some rooms, or everything, from the beginning on."""

    def __init__(self, checker: "Checker", name, rooms):
        self.name = name
        self.rooms = rooms
        self.last = 0  # the sequence seen last
        self._checker = checker
        self._checked = 0  # up to where all is well, or was told
        self._seen = array("q")  # since then: sequences, keys of records and times
        self._keys = array("q")
        self._times = array("q")
        self._newest = deque(maxlen=PAGE_MESSAGES)  # what it saw last: sequence, key and time
        self._again = deque()  # what of it may come again, or has to, once it has begun to
        self.repeated = 0

    def was_killed(self):
        """It begins anew from a cursor that may stand before the page it saw last: that may come again, whole from there."""
        self._again = self._newest.copy()

    def see(self, first, room, user, time, texts):
        """Consecutive messages, stored at one time; the reader's next ones."""
        for sequence, text in enumerate(texts, first):
            saw = sequence, self._checker.recognise(self.name, sequence, room, user, text), time
            if self._again and self._comes_again(saw):
                continue
            self.last = sequence
            self._newest.append(saw)
            for column, value in zip((self._seen, self._keys, self._times), saw, strict=True):
                column.append(value)

    def _comes_again(self, saw):
        """Whether this is what it saw before it was killed."""
        began = len(self._again) < len(self._newest)
        while self._again[0] != saw:
            if began or saw[0] > self.last:
                if began:
                    self._fault(Kind.GAP, f"came to sequence {saw[0]}, and not again to {self._again[0][0]}")
                self._again.clear()
                return False
            self._again.popleft()
            if not self._again:
                return False  # and so it is doubled
        self._again.popleft()
        self.repeated += 1
        return True

    def check(self):
        """See `Checker.check`."""
        expected = self._checker.stored(self._checked, self.rooms)
        if self._seen != expected:
            self._explain(set(expected))
        for sequence, key, time in zip(self._seen, self._keys, self._times, strict=True):
            stored = self._checker.key(sequence)
            if stored != ABSENT and (key, time) != (stored, self._checker.time(sequence)):
                names = f"{self._checker.name(key)} of {time}, in the log {self._checker.name(stored)}"
                self._fault(Kind.CHANGED, f"sequence {sequence} is {names} of {self._checker.time(sequence)}")
        self._checked = self._checker.position
        for seen in (self._seen, self._keys, self._times):
            del seen[:]

    def _explain(self, expected):
        """Name what is missing, too much, or not in its place."""
        seen, before = set(), self._checked
        for sequence in self._seen:
            if self._checker.key(sequence) == ABSENT:
                self._fault(Kind.LOST, f"saw sequence {sequence}, which is not in the log")
            elif sequence in seen or sequence <= self._checked:
                self._fault(Kind.DOUBLED, f"saw sequence {sequence} again")
            elif sequence not in expected:
                self._fault(Kind.CHANGED, f"saw sequence {sequence}, which is in none of the rooms {self.rooms}")
            elif sequence < before:
                self._fault(Kind.DISORDER, f"saw sequence {sequence} after {before}")
            seen.add(sequence)
            before = max(before, sequence)
        for sequence in sorted(expected - seen):
            self._fault(Kind.GAP, f"did not see sequence {sequence} ({self._checker.name(self._checker.key(sequence))})")

    def _fault(self, kind, what):
        self._checker.fault(kind, f"{self.name}: {what}")
