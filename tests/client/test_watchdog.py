"""The watchdog for missing responses, with a clock that the test moves."""

import asyncio

import pytest

from chatctl.client.watchdog import ResponseWatchdog


class Clock:
    """Replaces an event loop, of which only timers are used. `pass_by` moves its time."""

    def __init__(self):
        self.now = 0.0
        self._timers = []

    def call_later(self, delay, callback):
        self._timers.append((self.now + delay, callback))
        return self  # the timer; no test here cancels it

    def pass_by(self, seconds):
        end = self.now + seconds
        while due := sorted((timer for timer in self._timers if timer[0] <= end + 1e-9), key=lambda timer: timer[0]):
            self._timers.remove(due[0])
            self.now, callback = due[0]
            callback()
        self.now = end


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    return clock


@pytest.fixture
def said(clock):
    """The times of the calls that a ResponseWatchdog makes."""
    return lambda seconds: Said(clock, seconds)


class Said:
    def __init__(self, clock, seconds):
        self.notices, self.gone = [], []
        self.watchdog = ResponseWatchdog(
            seconds, lambda: self.gone.append(clock.now), lambda: self.notices.append(clock.now)
        )  # fmt: skip


@pytest.mark.parametrize("seconds", [0, 0.5, 1, 3, 10, 30, 60, 3600])
def test_regular_responses_cause_no_notice_and_no_timeout(clock, said, seconds):
    told = said(seconds)
    for _ in range(1000):
        clock.pass_by(min(seconds or 1, 1) / 7)
        told.watchdog.reset(expecting=True)
    assert (told.notices, told.gone) == ([], [])


@pytest.mark.parametrize("seconds", [0, 3, 10, 30, 60, 3600])
def test_a_wait_of_over_two_seconds_is_notified_once(clock, said, seconds):
    told = said(seconds)
    clock.pass_by(1.1)
    for _ in range(2):
        told.watchdog.reset(expecting=True)
        began = clock.now
        clock.pass_by(2.9)
        assert began + 2 <= told.notices.pop() <= clock.now
        assert told.notices == []


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1, 3, 10, 30, 60, 3600])
def test_the_timeout_expires_once(clock, said, seconds):
    told = said(seconds)
    clock.pass_by(seconds * 0.33)
    told.watchdog.reset(expecting=True)
    clock.pass_by(seconds * 3)
    (gone,) = told.gone
    assert seconds * 0.33 + seconds * 0.94 <= gone <= seconds * 0.33 + seconds * 1.01
    assert told.watchdog.expired


def test_time_in_which_nothing_is_expected_does_not_count(clock, said):
    told = said(10)
    told.watchdog.reset(expecting=False)
    clock.pass_by(1000)
    told.watchdog.start()
    clock.pass_by(9)
    assert told.gone == []
    told.watchdog.start()  # the wait goes on
    clock.pass_by(1)
    assert len(told.gone) == 1
    assert len(told.notices) == 1


def test_without_a_timeout_it_never_expires(clock, said):
    told = said(0)
    clock.pass_by(10_000)
    assert told.gone == []


def test_after_a_timeout_it_measures_the_next_wait(clock, said):
    told = said(10)
    clock.pass_by(11)
    told.watchdog.reset(expecting=True)  # a late response
    clock.pass_by(5)
    assert 0 < told.watchdog.remaining <= 6
    clock.pass_by(6)
    assert told.watchdog.remaining <= 0
    assert len(told.notices) == len(told.gone) == 2
