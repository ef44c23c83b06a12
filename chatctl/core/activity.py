"""What goes on: how much is stored of late, how long that takes, and who is where. Kept in memory, and bounded."""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from chatctl.model.records import Receipt, ReceiptStatus
from chatctl.model.stats import Activity, RoomActivity

T = TypeVar("T")

NUM_INTERVALS, INTERVAL_SECONDS = 90, 10  # 15 minutes
ROOM_MINUTES, MAX_ROOMS_PER_MINUTE, MAX_ACTIVE_ROOMS = 15, 1000, 20
RATE_SECONDS = 5
COMMIT_INTERVALS = 6  # a minute of them
BUCKETS_PER_DOUBLING = 8  # of durations, between one and its double: each is within a tenth of the next


class RollingWindow(Generic[T]):
    """A value for each of the last spans of time. Time that has passed is made up for when one is asked for: no timer."""

    def __init__(self, count: int, seconds: float, factory: Callable[[], T], clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._factory = factory
        self._clock = clock
        self._current_index = int(clock() / seconds)
        self._values = deque((factory() for _ in range(count)), count)

    @property
    def current(self) -> T:
        """That of the span which is under way."""
        index = int(self._clock() / self._seconds)
        if index != self._current_index:
            for _ in range(min(index - self._current_index, len(self._values))):
                self._values.append(self._factory())
            self._current_index = index
        return self._values[-1]

    @property
    def values(self) -> "deque[T]":
        """Those of all spans, oldest first; the last is under way."""
        _ = self.current
        return self._values


class ActivityMeter:
    """Counts what is stored. Costs some microseconds a run, whatever it holds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._per_second: RollingWindow[Counter[str]] = RollingWindow(RATE_SECONDS + 1, 1, Counter, clock)
        self._per_interval: RollingWindow[Counter[str]] = RollingWindow(NUM_INTERVALS, INTERVAL_SECONDS, Counter, clock)
        self._per_room: RollingWindow[Counter[str]] = RollingWindow(ROOM_MINUTES, 60, Counter, clock)
        self._commit_histogram: RollingWindow[Counter[int]] = RollingWindow(
            COMMIT_INTERVALS, INTERVAL_SECONDS, Counter, clock
        )

    def track(self, room: str, receipts: "asyncio.Future[list[Receipt]]") -> None:
        """Count what these receipts for a run in a room say once they have come."""
        start = self._clock()
        receipts.add_done_callback(lambda done: self._on_receipts(room, start, done))

    def _on_receipts(self, room: str, start: float, receipts: "asyncio.Future[list[Receipt]]") -> None:
        if receipts.cancelled() or receipts.exception():
            return
        if stored := sum(receipt.count for receipt in receipts.result() if receipt.status is ReceiptStatus.STORED):
            self.add(room, stored, self._clock() - start)

    def add(self, room: str, num_messages: int, seconds: float) -> None:
        """So many messages were stored in a room, which took so long."""
        self._per_second.current[""] += num_messages
        self._per_interval.current[""] += num_messages
        rooms = self._per_room.current
        if room in rooms or len(rooms) < MAX_ROOMS_PER_MINUTE:
            rooms[room] += num_messages
        self._commit_histogram.current[round(math.log2(max(seconds * 1e6, 1)) * BUCKETS_PER_DOUBLING)] += 1

    def activity(self, followers: int, senders: int) -> Activity:
        """What was counted of late, and the streams that whoever asks has counted."""
        rooms, commits = _sum_counters(self._per_room), _sum_counters(self._commit_histogram)
        complete = list(self._per_second.values)[:-1]
        return Activity(
            sum(second[""] for second in complete) / len(complete),
            [interval[""] for interval in self._per_interval.values],
            [RoomActivity(room, count) for room, count in rooms.most_common(MAX_ACTIVE_ROOMS)],
            followers,
            senders,
            _quantile(commits, 0.5),
            _quantile(commits, 0.99),
        )


def _sum_counters(window: RollingWindow[Counter[T]]) -> Counter[T]:
    total: Counter[T] = Counter()
    for interval in window.values:
        total.update(interval)
    return total


def _quantile(histogram: Counter[int], quantile: float) -> float | None:
    """How many seconds this share of the commits took at most."""
    remaining = quantile * histogram.total()
    for bucket in sorted(histogram):
        remaining -= histogram[bucket]
        if remaining <= 0:
            return float(2 ** (bucket / BUCKETS_PER_DOUBLING)) / 1e6
    return None
