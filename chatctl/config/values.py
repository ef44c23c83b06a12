"""Parsers of durations and times, as users write them."""

import re
from datetime import UTC, datetime

from chatctl.errors import InvalidValue

MAX_PATH_SHOWN = 200  # characters
MICROS_PER_UNIT = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def parse_duration(text: str) -> int:
    """Return the microseconds of `10s`, `5m`, `1h30m`, `1d3h`, `0.5s` or a number of seconds. Raises InvalidValue."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", text)
    whole = "".join(number + unit for number, unit in parts) == text and parts
    if not whole or (len(parts) > 1 and not all(unit for _, unit in parts)) or len(text) > 30:
        raise InvalidValue(f"invalid duration {text[:40]!r}", "use 10s, 5m, 1h30m or a number of seconds")
    return sum(round(float(number) * MICROS_PER_UNIT[unit or "s"]) for number, unit in parts)


def parse_time(text: str, now: int) -> int:
    """Return the microseconds since 1970 of a time. Raises InvalidValue.

    A time is a duration before `now`, + and a duration after it, an RFC 3339 time, or unix seconds.
    """
    error = InvalidValue(
        f"invalid time {text[:40]!r}", "use 10m (ago), +10m (from now), 2026-01-31T08:00:00Z or unix seconds"
    )
    if re.fullmatch(r"\+?(?:[0-9.]+[smhd])+", text):
        try:
            return now + parse_duration(text[1:]) if text.startswith("+") else max(0, now - parse_duration(text))
        except InvalidValue:
            raise error from None
    if re.fullmatch(r"[0-9]{1,11}(?:\.[0-9]{1,9})?", text):
        return round(float(text) * 1_000_000)
    try:
        parsed = datetime.fromisoformat(text.upper())  # RFC 3339 allows t and z in lower case
        if parsed.tzinfo is None:
            parsed = parsed.astimezone()  # without a zone: local time
        micros = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        raise error from None
    if micros.days < 0:
        raise error
    return (micros.days * 86_400 + micros.seconds) * 1_000_000 + micros.microseconds


def parse_store(text: str) -> str:
    """Return the `KIND:PLACE` of a store. Raises InvalidValue."""
    kind, colon, place = text.partition(":")
    if kind == "sqlite" and place and not place.startswith(":"):  # no sqlite::memory:, which would keep nothing
        return text
    is_path = (
        (not colon or "/" in kind) and text not in ("", "sqlite") and text.isprintable() and len(text) <= MAX_PATH_SHOWN
    )
    hint = f"write sqlite:{text}" if is_path else "use sqlite:PATH"
    raise InvalidValue(f"invalid store {text[:60]!r}", hint)


def parse_mode(text: str) -> int:
    """Return the number of a file mode such as 660. Raises InvalidValue."""
    if not re.fullmatch("0?[0-7]{3}", text):
        raise InvalidValue(f"invalid mode {text[:40]!r}", "use three digits from 0 to 7, such as 600 or 660")
    return int(text, 8)
