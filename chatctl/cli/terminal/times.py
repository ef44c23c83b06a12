"""Times as programs and people read them."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache


def use_utc() -> None:
    """Make UTC the local time of this process."""
    os.environ["TZ"] = "UTC"
    time.tzset()


@lru_cache(256)
def rfc3339(time: int) -> str:
    """Format microseconds since 1970 as RFC 3339 in UTC."""
    second, micros = divmod(time, 1_000_000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def display_moment(time: int, utc: bool) -> datetime:
    """Return the second of microseconds since 1970 in local time with its offset, or in UTC.

    UTC is also for a TZ of 24 hours or more, such as UTC+25: `datetime` has no such offsets.
    """
    moment = datetime.fromtimestamp(time // 1_000_000, UTC)
    with suppress(ValueError):
        return moment if utc else moment.astimezone()
    return moment


@lru_cache(256)
def display_time(time: int, utc: bool) -> str:
    """Format microseconds since 1970 for people: local time with its offset, or UTC."""
    moment = display_moment(time, utc)
    if utc:
        return f"{moment:%Y-%m-%d %H:%M:%S}Z"
    text = f"{moment:%Y-%m-%d %H:%M:%S%z}"
    return f"{text[:-2]}:{text[-2:]}"


def current_time_of_day(utc: bool) -> str:
    """Format the current time of day for people."""
    return f"{datetime.now(UTC):%H:%M:%S}Z" if utc else f"{datetime.now():%H:%M:%S}"
