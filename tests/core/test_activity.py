"""The activity of the last minutes: rates, rooms and latencies."""

import asyncio

import pytest

from chatctl.core.activity import MAX_ACTIVE_ROOMS, MAX_ROOMS_PER_MINUTE, NUM_INTERVALS, ActivityMeter
from chatctl.model.records import Receipt, ReceiptStatus
from chatctl.model.stats import RoomActivity


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def meter(clock):
    return ActivityMeter(clock)


def activity(meter):
    return meter.activity(0, 0)


def test_an_idle_server_has_no_activity(meter):
    idle = meter.activity(3, 2)
    assert idle.messages == [0] * NUM_INTERVALS
    assert (idle.messages_per_second, idle.rooms, idle.commit_median) == (0, [], None)
    assert (idle.followers, idle.senders) == (3, 2)


def test_messages_count_in_their_interval_for_fifteen_minutes(meter, clock):
    meter.add("lobby", 5, 0.001)
    clock.now += 10
    meter.add("lobby", 7, 0.001)
    assert activity(meter).messages[-2:] == [5, 7]
    clock.now += 10 * (NUM_INTERVALS - 2)
    assert activity(meter).messages == [5, 7] + [0] * (NUM_INTERVALS - 2)
    clock.now += 10
    assert activity(meter).messages == [7] + [0] * (NUM_INTERVALS - 1)
    clock.now += 1e9
    assert activity(meter).messages == [0] * NUM_INTERVALS
    assert activity(meter).rooms == []


def test_the_rate_covers_the_last_five_complete_seconds(meter, clock):
    for _ in range(5):
        meter.add("lobby", 10, 0.001)
        clock.now += 1
    assert activity(meter).messages_per_second == 10
    meter.add("lobby", 1000, 0.001)  # in the current second
    assert activity(meter).messages_per_second == 10
    clock.now += 6
    assert activity(meter).messages_per_second == 0


def test_the_most_active_rooms_come_first_and_are_bounded(meter, clock):
    for n in range(3 * MAX_ACTIVE_ROOMS):
        meter.add(f"room {n}", n + 1, 0.001)
    assert activity(meter).rooms[0] == RoomActivity(f"room {3 * MAX_ACTIVE_ROOMS - 1}", 3 * MAX_ACTIVE_ROOMS)
    assert len(activity(meter).rooms) == MAX_ACTIVE_ROOMS
    clock.now += 60
    for n in range(MAX_ROOMS_PER_MINUTE):
        meter.add(f"other {n}", 1, 0.001)
    meter.add("one too many", 1_000_000, 0.001)
    meter.add("other 5", 999, 0.001)
    assert activity(meter).rooms[0] == RoomActivity("other 5", 1000)


def test_commit_latencies_are_exact_to_10_percent(meter, clock):
    for _ in range(98):
        meter.add("lobby", 1, 0.004)
    meter.add("lobby", 1, 0.25)
    meter.add("lobby", 1, 0.25)
    assert activity(meter).commit_median == pytest.approx(0.004, rel=0.1)
    assert activity(meter).commit_p99 == pytest.approx(0.25, rel=0.1)
    clock.now += 70
    assert activity(meter).commit_median is None


async def test_only_stored_messages_count(meter, clock):
    futures = [asyncio.get_running_loop().create_future() for _ in range(4)]
    for future in futures:
        meter.track("lobby", future)
    clock.now += 0.5
    futures[0].set_result(
        [
            Receipt(1, 3, ReceiptStatus.STORED),
            Receipt(4, 2, ReceiptStatus.DUPLICATE),
            Receipt(6, 1, ReceiptStatus.STORED),
        ]
    )
    futures[1].set_result([Receipt(1, 3, ReceiptStatus.REJECTED)])
    futures[2].set_exception(OSError())
    futures[3].cancel()
    await asyncio.sleep(0)
    assert activity(meter).messages[-1] == 4
    assert activity(meter).commit_p99 == pytest.approx(0.5, rel=0.1)
