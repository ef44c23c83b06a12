"""How things are written for programs and for terminals, without Rich."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(256)
def rfc3339(time: int) -> str:
    """Microseconds since 1970 in RFC 3339, in UTC."""
    second, micros = divmod(time, 1_000_000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


@lru_cache(256)
def display_time(time: int, utc: bool) -> str:
    """Microseconds since 1970 for a person: local time with its offset, or UTC."""
    moment = datetime.fromtimestamp(time // 1_000_000, UTC)
    if utc:
        return f"{moment:%Y-%m-%d %H:%M:%S}Z"
    text = f"{moment.astimezone():%Y-%m-%d %H:%M:%S%z}"
    return f"{text[:-2]}:{text[-2:]}"


def current_time_of_day(utc: bool) -> str:
    """Of this moment, for a person."""
    return f"{datetime.now(UTC):%H:%M:%S}Z" if utc else f"{datetime.now():%H:%M:%S}"
