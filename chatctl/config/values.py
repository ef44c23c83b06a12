"""Settings as people write them, read once at the door into frozen values."""

import re
from datetime import UTC, datetime

from chatctl.errors import InvalidValue

MICROS_PER_UNIT = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def parse_duration(text: str) -> int:
    """Microseconds of `10s`, `5m`, `1h30m`, `1d3h`, `0.5s` or a bare number of seconds. Raises InvalidValue."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", text)
    whole = "".join(number + unit for number, unit in parts) == text and parts
    if not whole or (len(parts) > 1 and not all(unit for _, unit in parts)) or len(text) > 30:
        raise InvalidValue(f"{text[:40]!r} is no duration: write 10s, 5m, 1h30m, or a number of seconds")
    return sum(round(float(number) * MICROS_PER_UNIT[unit or "s"]) for number, unit in parts)


def parse_time(text: str, now: int) -> int:
    """Microseconds since 1970 of a moment: a duration before `now` or with + after it, RFC 3339, or unix seconds.

    Raises InvalidValue.
    """
    error = InvalidValue(
        f"{text[:40]!r} is no time: write 10m (ago), +10m (from now), 2026-01-31T08:00:00Z, or unix seconds"
    )
    if re.fullmatch(r"\+?(?:[0-9.]+[smhd])+", text):
        try:
            return now + parse_duration(text[1:]) if text.startswith("+") else max(0, now - parse_duration(text))
        except InvalidValue:
            raise error from None
    if re.fullmatch(r"[0-9]{1,11}(?:\.[0-9]{1,9})?", text):
        return round(float(text) * 1_000_000)
    try:
        parsed = datetime.fromisoformat(text.upper())  # RFC 3339 allows a small t and z
        if parsed.tzinfo is None:
            parsed = parsed.astimezone()  # like every time a person types without a zone: theirs
        micros = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        raise error from None
    if micros.days < 0:
        raise error
    return (micros.days * 86_400 + micros.seconds) * 1_000_000 + micros.microseconds
