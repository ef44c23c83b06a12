"""What goes on: how much is stored of late, how long that takes, and who is where. Kept in memory, and bounded."""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from chatctl.log import Receipt, Status

T = TypeVar("T")

SPANS, SPAN_SECONDS = 90, 10  # 15 minutes
MINUTES, ROOMS_A_MINUTE, BUSIEST = 15, 1000, 20
NOW_SECONDS = 5
COMMIT_SPANS = 6  # a minute of them
STEPS = 8  # of durations, between one and its double: each is within a tenth of the next


class RoomActivity(NamedTuple):
    """How many messages were stored in a room in the last 15 minutes."""

    room: str
    num_messages: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What was stored of late, see the contract: `messages` in each of the last 90 spans of 10 s. Durations are seconds."""

    messages_per_second: float
    messages: list[int]
    rooms: list[RoomActivity]
    followers: int
    senders: int
    commit_median: float | None
    commit_p99: float | None


class Spans(Generic[T]):
    """A value for each of the last spans of time. Time that has passed is made up for when one is asked for: no timer."""

    def __init__(self, count: int, seconds: float, make: Callable[[], T], clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._make = make
        self._clock = clock
        self._at = int(clock() / seconds)
        self._values = deque((make() for _ in range(count)), count)

    @property
    def now(self) -> T:
        """That of the span which is under way."""
        at = int(self._clock() / self._seconds)
        if at != self._at:
            for _ in range(min(at - self._at, len(self._values))):
                self._values.append(self._make())
            self._at = at
        return self._values[-1]

    @property
    def all(self) -> "deque[T]":
        """Those of all spans, oldest first; the last is under way."""
        _ = self.now
        return self._values


class Meter:
    """Counts what is stored. Costs some microseconds a run, whatever it holds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._seconds: Spans[Counter[str]] = Spans(NOW_SECONDS + 1, 1, Counter, clock)
        self._messages: Spans[Counter[str]] = Spans(SPANS, SPAN_SECONDS, Counter, clock)
        self._rooms: Spans[Counter[str]] = Spans(MINUTES, 60, Counter, clock)
        self._commits: Spans[Counter[int]] = Spans(COMMIT_SPANS, SPAN_SECONDS, Counter, clock)

    def watch(self, room: str, receipts: "asyncio.Future[list[Receipt]]") -> None:
        """Count what these receipts for a run in a room say once they have come."""
        start = self._clock()
        receipts.add_done_callback(lambda done: self._done(room, start, done))

    def _done(self, room: str, start: float, receipts: "asyncio.Future[list[Receipt]]") -> None:
        if receipts.cancelled() or receipts.exception():
            return
        if stored := sum(receipt.count for receipt in receipts.result() if receipt.status is Status.STORED):
            self.count(room, stored, self._clock() - start)

    def count(self, room: str, stored: int, seconds: float) -> None:
        """So many messages were stored in a room, which took so long."""
        self._seconds.now[""] += stored
        self._messages.now[""] += stored
        rooms = self._rooms.now
        if room in rooms or len(rooms) < ROOMS_A_MINUTE:
            rooms[room] += stored
        self._commits.now[round(math.log2(max(seconds * 1e6, 1)) * STEPS)] += 1

    def activity(self, followers: int, senders: int) -> Activity:
        """What was counted of late, and the streams that whoever asks has counted."""
        rooms, commits = _total(self._rooms), _total(self._commits)
        over = list(self._seconds.all)[:-1]
        return Activity(
            sum(second[""] for second in over) / len(over),
            [span[""] for span in self._messages.all],
            [RoomActivity(room, count) for room, count in rooms.most_common(BUSIEST)],
            followers,
            senders,
            _quantile(commits, 0.5),
            _quantile(commits, 0.99),
        )


def _total(spans: Spans[Counter[T]]) -> Counter[T]:
    total: Counter[T] = Counter()
    for span in spans.all:
        total.update(span)
    return total


def _quantile(commits: Counter[int], share: float) -> float | None:
    """How many seconds this share of the commits took at most."""
    left = share * commits.total()
    for step in sorted(commits):
        left -= commits[step]
        if left <= 0:
            return float(2 ** (step / STEPS)) / 1e6
    return None
