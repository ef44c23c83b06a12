"""Values as users write them, and what they mean."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatctl.config import values
from chatctl.errors import InvalidValue

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND

DURATIONS = {
    "10s": 10,
    "5m": 300,
    "1h30m": 5400,
    "1d3h": 97_200,
    "2d": 172_800,
    "0.5s": 0.5,
    "1.5h": 5400,
    "7": 7,
    "0": 0,
    "0.25": 0.25,
}
INVALID_DURATIONS = [
    "",
    " ",
    "s",
    "10x",
    "10 s",
    "-1",
    "-10s",
    "+1",
    "1h30",
    "30m1",
    "1e3",
    "nan",
    "inf",
    ".5",
    "٣s",
    "1s\n",
    "9" * 31,
]


@pytest.mark.parametrize("text", DURATIONS)
def test_a_duration_is_a_number_of_seconds_or_has_units(text):
    assert values.parse_duration(text) == DURATIONS[text] * SECOND


@pytest.mark.parametrize("text", INVALID_DURATIONS)
def test_the_error_of_an_invalid_duration_shows_valid_ones(text):
    with pytest.raises(InvalidValue, match="1h30m"):
        values.parse_duration(text)


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
}


@pytest.mark.parametrize("text", TIMES)
def test_a_time_has_several_forms(text):
    assert values.parse_time(text, NOW) == TIMES[text]


def test_a_time_without_a_zone_is_local():
    local = datetime(2026, 1, 31, 8).astimezone()
    assert values.parse_time("2026-01-31T08:00:00", NOW) == int(local.timestamp()) * SECOND


@pytest.mark.parametrize(
    "text",
    ["", "now", "yesterday", "-5", "1969-12-31T23:59:59Z", "2026-02-30", "2026-01-31T25:00:00Z", "1.2.3s", "10m ago", "1e9"],
)
def test_the_error_of_an_invalid_time_shows_valid_ones(text):
    with pytest.raises(InvalidValue, match=r"10m.*2026-01-31T08:00:00Z"):
        values.parse_time(text, NOW)


# Arguments of a process: any text without NUL; surrogates stand for bytes that are not UTF-8.
arguments = st.text(st.characters(exclude_characters="\0"), max_size=40) | st.text("0123456789.smhdTZ:-+[]/~ ", max_size=40)


@given(arguments)
@example("9999-12-31T23:59:59-23:59")
@example("0001-01-01T00:00:00+23:59")
@example("0001-01-01T00:00:00")
@example("9" * 5000 + "s")
def test_any_text_is_parsed_or_gets_an_error(text):
    for read in (values.parse_duration, lambda text: values.parse_time(text, NOW)):
        try:
            meant = read(text)
        except InvalidValue:
            continue
        assert meant >= 0


@given(st.integers(0, 253_402_300_799_999_999))
def test_every_time_in_output_can_be_parsed(micros):
    shown = datetime.fromtimestamp(micros // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{micros % SECOND:06d}Z"
    assert values.parse_time(shown.rjust(27, "0"), NOW) == micros
