"""Activity: rates and latencies of the last minutes, in bounded memory."""

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
COMMIT_INTERVALS = 6  # one minute
BUCKETS_PER_DOUBLING = 8  # of the histogram of durations: neighbours differ by less than 10 %


class RollingWindow(Generic[T]):
    """A value for each of the last intervals. It catches up with the time when it is used, so it needs no timer."""

    def __init__(self, count: int, seconds: float, factory: Callable[[], T], clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._factory = factory
        self._clock = clock
        self._current_index = int(clock() / seconds)
        self._values = deque((factory() for _ in range(count)), count)

    @property
    def current(self) -> T:
        """The value of the current interval."""
        index = int(self._clock() / self._seconds)
        if index != self._current_index:
            for _ in range(min(index - self._current_index, len(self._values))):
                self._values.append(self._factory())
            self._current_index = index
        return self._values[-1]

    @property
    def values(self) -> "deque[T]":
        """The values of all intervals, oldest first; the last one is current."""
        _ = self.current
        return self._values


class ActivityMeter:
    """Counts stored messages. Costs a few microseconds a batch of any size."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Use a monotonic clock, in seconds."""
        self._clock = clock
        self._per_second: RollingWindow[Counter[str]] = RollingWindow(RATE_SECONDS + 1, 1, Counter, clock)
        self._per_interval: RollingWindow[Counter[str]] = RollingWindow(NUM_INTERVALS, INTERVAL_SECONDS, Counter, clock)
        self._per_room: RollingWindow[Counter[str]] = RollingWindow(ROOM_MINUTES, 60, Counter, clock)
        self._commit_histogram: RollingWindow[Counter[int]] = RollingWindow(
            COMMIT_INTERVALS, INTERVAL_SECONDS, Counter, clock
        )

    def track(self, room: str, receipts: "asyncio.Future[list[Receipt]]") -> None:
        """Count the messages of a batch when its receipts arrive."""
        start = self._clock()
        receipts.add_done_callback(lambda done: self._on_receipts(room, start, done))

    def _on_receipts(self, room: str, start: float, receipts: "asyncio.Future[list[Receipt]]") -> None:
        if receipts.cancelled() or receipts.exception():
            return
        if stored := sum(receipt.count for receipt in receipts.result() if receipt.status is ReceiptStatus.STORED):
            self.add(room, stored, self._clock() - start)

    def add(self, room: str, num_messages: int, seconds: float) -> None:
        """Count messages stored in a room, and the seconds it took."""
        self._per_second.current[""] += num_messages
        self._per_interval.current[""] += num_messages
        rooms = self._per_room.current
        if room in rooms or len(rooms) < MAX_ROOMS_PER_MINUTE:
            rooms[room] += num_messages
        self._commit_histogram.current[round(math.log2(max(seconds * 1e6, 1)) * BUCKETS_PER_DOUBLING)] += 1

    def activity(self, followers: int, senders: int) -> Activity:
        """Return the activity, with the numbers of streams that the caller has counted."""
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
    """Return the quantile in seconds, or None without commits."""
    remaining = quantile * histogram.total()
    for bucket in sorted(histogram):
        remaining -= histogram[bucket]
        if remaining <= 0:
            return float(2 ** (bucket / BUCKETS_PER_DOUBLING)) / 1e6
    return None
