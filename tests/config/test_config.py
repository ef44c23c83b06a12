"""Values as users write them, and what they mean."""

import pytest

from chatctl.config import values
from chatctl.errors import InvalidValue

SECOND = 1_000_000

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
    "2w": 1_209_600,
    "10min": 600,
    "2hours": 7200,
    "1hour30minutes": 5400,
}
INVALID_DURATIONS = [
    "",
    " ",
    "s",
    "10x",
    "10M",
    "1y",
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


def test_a_tiny_duration_is_not_0_which_is_without_a_limit():
    assert values.parse_duration("0.0000001") == 1
    assert values.parse_duration("0.0") == 0


def test_a_duration_has_at_most_a_million_days():
    assert values.parse_duration("1000000d") == 1_000_000 * 86_400 * SECOND
    for text in ("1000000d1s", "99999999999999999999999999999w"):
        with pytest.raises(InvalidValue, match="too long: use at most 1000000d"):
            values.parse_duration(text)
