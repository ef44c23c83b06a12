"""Times as users write them, and what they mean."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatctl.config.moments import is_always_past, parse_time
from chatctl.config.values import parse_duration
from chatctl.errors import InvalidValue

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000


def micros(text):
    """Return the microseconds since 1970 of an RFC 3339 time."""
    return round(datetime.fromisoformat(text).timestamp()) * SECOND


@pytest.fixture
def zone(monkeypatch):
    """Return a function that sets the local time zone."""

    def set_zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


NOW = 1_800_000_000 * SECOND

TIMES = {
    "10m": NOW - 600 * SECOND,
    "1d3h": NOW - 97_200 * SECOND,
    "0s": NOW,
    "99999d": 0,  # before every stored message
    "1700000000": 1_700_000_000 * SECOND,
    "1700000000.123456": 1_700_000_000_123_456,
    "10": 10 * SECOND,
    "2026-01-31T08:00:00Z": 1_769_846_400 * SECOND,
    "2026-01-31T08:00:00.000001Z": 1_769_846_400 * SECOND + 1,
    "2026-01-31T10:00:00+02:00": 1_769_846_400 * SECOND,
    "2026-01-31 08:00:00Z": 1_769_846_400 * SECOND,
    "1970-01-01T00:00:00Z": 0,
    "now": NOW,
    "Now": NOW,
    "-10m": NOW - 600 * SECOND,
    "+10m": NOW + 600 * SECOND,
    "10m ago": NOW - 600 * SECOND,
    "2 hours ago": NOW - 2 * HOUR,
    "1h 30min ago": NOW - 5400 * SECOND,
    "+1 week": NOW + 7 * DAY,
    "1w": NOW - 7 * DAY,
    "@1700000000": 1_700_000_000 * SECOND,
    "2026-01-31 08:00 UTC": 1_769_846_400 * SECOND,
}


@pytest.mark.parametrize("text", TIMES)
def test_a_time_has_several_forms(text):
    assert parse_time(text, NOW) == TIMES[text]


def test_a_time_without_a_zone_is_local():
    local = datetime(2026, 1, 31, 8).astimezone()
    assert parse_time("2026-01-31T08:00:00", NOW) == int(local.timestamp()) * SECOND


@pytest.mark.parametrize(
    "text",
    ["", " ", "now ago", "-5", "24:00", "14:60", "fri", "yesterday 25:00", "today now", "10  m", "-10m ago", "today Z",
     "1969-12-31T23:59:59Z", "2026-02-30", "2026-01-31T25:00:00Z", "1.2.3s", "1e9", "utc", "1M", "10 M"],
)  # fmt: skip
def test_the_error_of_an_invalid_time_shows_valid_ones(text):
    with pytest.raises(InvalidValue, match=r"10m.*2026-01-31T08:00:00Z"):
        parse_time(text, NOW)


# Saturday 2026-11-28, 20:00 in UTC: 21:00 in Berlin, and already Sunday 09:00 in Auckland.
EVENING = micros("2026-11-28T20:00:00Z")
LOCAL = {
    ("Europe/Berlin", "today"): "2026-11-28T00:00:00+01:00",
    ("Europe/Berlin", "Yesterday"): "2026-11-27T00:00:00+01:00",
    ("Europe/Berlin", "tomorrow"): "2026-11-29T00:00:00+01:00",
    ("Europe/Berlin", "14:00"): "2026-11-28T14:00:00+01:00",
    ("Europe/Berlin", "9:05"): "2026-11-28T09:05:00+01:00",
    ("Europe/Berlin", "23:59:59"): "2026-11-28T23:59:59+01:00",
    ("Europe/Berlin", "yesterday 8:30"): "2026-11-27T08:30:00+01:00",
    ("Europe/Berlin", "2026-11-27 14:00"): "2026-11-27T14:00:00+01:00",
    ("Europe/Berlin", "2026-07-01"): "2026-07-01T00:00:00+02:00",
    ("Europe/Berlin", "20260701"): "2026-07-01T00:00:00+02:00",
    ("Europe/Berlin", "14:00 UTC"): "2026-11-28T14:00:00+00:00",
    ("Pacific/Auckland", "today"): "2026-11-29T00:00:00+13:00",
    ("Pacific/Auckland", "today UTC"): "2026-11-28T00:00:00+00:00",
    ("Pacific/Auckland", "yesterday"): "2026-11-28T00:00:00+13:00",
    ("UTC", "today"): "2026-11-28T00:00:00+00:00",
}


@pytest.mark.parametrize(("name", "text"), LOCAL)
def test_days_and_times_of_day_are_those_of_the_local_zone(zone, name, text):
    zone(name)
    assert parse_time(text, EVENING) == micros(LOCAL[name, text])


@pytest.mark.parametrize(
    ("name", "text", "since", "until"),
    [("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"),  # twice
     ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25T03:00:00+01:00", "2026-10-25T03:00:00+01:00"),
     ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T03:30:00+02:00", "2026-03-29T03:30:00+02:00"),  # skipped
     ("Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00+03:00", "2026-04-24T01:00:00+03:00"),  # midnight is skipped
     ("America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00", "2026-11-01T00:00:00-05:00")],  # midnight comes twice
)  # fmt: skip
def test_a_range_includes_all_that_a_change_of_the_clocks_makes_ambiguous(zone, name, text, since, until):
    zone(name)
    assert parse_time(text, EVENING) == micros(since)
    assert parse_time(text, EVENING, latest=True) == micros(until)


def test_yesterday_is_a_calendar_day_and_a_day_ago_is_24_hours(zone):
    zone("Europe/Berlin")
    noon = micros("2026-10-25T12:00:00+01:00")  # of the day with 25 hours
    assert parse_time("yesterday 12:00", noon) == noon - 25 * HOUR
    assert parse_time("1d", noon) == noon - 24 * HOUR


@pytest.mark.parametrize("text", ["10m", "-1w", "2 hours ago", "now", "today", "yesterday 14:00"])
def test_some_times_are_never_after_now(text):
    assert is_always_past(text)
    assert parse_time(text, NOW) <= NOW


@pytest.mark.parametrize("text", ["+10m", "tomorrow", "14:00", "2100-01-01", "9999999999"])
def test_other_times_may_be_after_now(text):
    assert not is_always_past(text)


# Arguments of a process: any text without NUL; surrogates stand for bytes that are not UTF-8.
arguments = st.text(st.characters(exclude_characters="\0"), max_size=40) | (
    st.text("0123456789.smhdTZ:-+[]/~ ", max_size=40)
    | st.lists(st.sampled_from(["now", "today", "yesterday", "14:00", "2", "weeks", "ago", "utc", "-", "+", "@"])).map(
        " ".join
    )
)


@given(arguments)
@example("9999-12-31T23:59:59-23:59")
@example("0001-01-01T00:00:00+23:59")
@example("0001-01-01T00:00:00")
@example("9" * 5000 + "s")
def test_any_text_is_parsed_or_gets_an_error(text):
    for read in (parse_duration, lambda text: parse_time(text, NOW), lambda text: parse_time(text, NOW, latest=True)):
        try:
            meant = read(text)
        except InvalidValue:
            continue
        assert meant >= 0


@given(st.integers(0, 253_402_300_799_999_999))
def test_every_time_in_output_can_be_parsed(moment):
    shown = datetime.fromtimestamp(moment // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{moment % SECOND:06d}Z"
    assert parse_time(shown.rjust(27, "0"), NOW) == moment
