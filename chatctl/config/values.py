"""Parsers of values, as users write them. Those of times are in `moments`."""

import re

from chatctl.errors import InvalidValue

MAX_PATH_SHOWN = 200  # characters
MAX_DURATION_DAYS = 1_000_000  # from now, it ends in a year of four digits, and as seconds it is precise to microseconds
MICROS_PER_UNIT = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
UNIT_NAMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
}


def parse_duration(text: str) -> int:
    """Return the microseconds of `10s`, `5min`, `1h30m`, `2w`, `0.5s` or a number of seconds, up to 1,000,000 days.

    Raises InvalidValue.
    """
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)([a-z]*)", text)
    whole = "".join(number + unit for number, unit in parts) == text and parts
    units = [UNIT_NAMES.get(unit or "s") for _, unit in parts]
    if not whole or None in units or (len(parts) > 1 and not all(unit for _, unit in parts)) or len(text) > 30:
        raise InvalidValue(f"invalid duration {text[:40]!r}", "use 10s, 5m, 1h30m or a number of seconds")
    values = [float(number) * MICROS_PER_UNIT[unit or "s"] for (number, _), unit in zip(parts, units, strict=True)]
    micros = sum(max(round(value), value > 0) for value in values)  # 0 has a meaning of its own: without a limit
    if micros > MAX_DURATION_DAYS * MICROS_PER_UNIT["d"]:
        raise InvalidValue(f"the duration {text!r} is too long", f"use at most {MAX_DURATION_DAYS}d")
    return micros


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
