"""Times as users write them: a duration before or after now, a word, a time of day, a date, RFC 3339, unix seconds.

The forms are those of `journalctl --since`. A day is a calendar day of the local time zone; a duration of `1d` is 24 h.
"""

import re
from datetime import UTC, date, datetime, time, timedelta

from chatctl.config.values import parse_duration
from chatctl.errors import InvalidValue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_HINT = "use 10m (ago), +10m (from now), today, yesterday, 14:00, 2026-01-31, 2026-01-31T08:00:00Z or unix seconds"
DAYS_FROM_TODAY = {"yesterday": -1, "today": 0, "tomorrow": 1}
DURATION = re.compile(r"(?P<sign>[-+]?)(?P<duration>(?:[0-9.]+ ?[a-z]+ ?)+?)(?P<ago> ago)?")
BASIC_DATE = re.compile("(?:19|2[0-9])[0-9]{2}[01][0-9][0-3][0-9]")  # as unix seconds, it is in the first months of 1970
MONTHS = re.compile(r"[0-9] ?M(?![A-Za-z])")  # of journalctl; a minute is m
TIME_OF_DAY = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?")


def parse_time(text: str, now: int, latest: bool = False) -> int:
    """Return the microseconds since 1970 of a time. Raises InvalidValue.

    `now` is in microseconds since 1970. A local time that occurs twice, as clocks are set back, is the first one, or with
    `latest` the second one.
    """
    words = " ".join(text.lower().split(" "))
    is_plain = words == text.lower() and not MONTHS.search(text)
    try:
        micros = _parse(words, now, latest) if is_plain else None
    except (ValueError, OverflowError, OSError):
        micros = None
    if micros is None or micros < 0:
        raise InvalidValue(f"invalid time {text[:40]!r}", TIME_HINT)
    return micros


def is_always_past(text: str) -> bool:
    """Return whether a time is before now, or now, at any moment: a duration ago, now, today or yesterday."""
    words = text.lower()
    if match := DURATION.fullmatch(words):
        return match["sign"] != "+"
    return words in ("now", "today") or words.startswith("yesterday")


def _parse(text: str, now: int, latest: bool) -> int | None:
    if text == "now":
        return now
    if match := DURATION.fullmatch(text):
        if match["sign"] and match["ago"]:
            return None
        duration = parse_duration(match["duration"].replace(" ", ""))
        return now + duration if match["sign"] == "+" else max(0, now - duration)
    if BASIC_DATE.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if re.fullmatch(r"@?[0-9]{1,11}(?:\.[0-9]{1,9})?", text):
        return round(float(text.removeprefix("@")) * 1_000_000)
    text, is_utc = text.removesuffix(" utc"), text.endswith(" utc")
    moment = _parse_moment(text, _day(now, is_utc))
    if is_utc and not moment.tzinfo:
        moment = moment.replace(tzinfo=UTC)
    return _micros(moment - EPOCH) if moment.tzinfo else _local_micros(moment, latest)


def _day(now: int, is_utc: bool) -> date:
    return datetime.fromtimestamp(now / 1e6, UTC if is_utc else None).date()


def _parse_moment(text: str, today: date) -> datetime:
    """Return a moment, without a zone unless the text has one. Raises ValueError."""
    day, _, clock = text.partition(" ")
    if TIME_OF_DAY.fullmatch(text):
        day, clock = "today", text
    if day not in DAYS_FROM_TODAY:
        return datetime.fromisoformat(text.upper())  # RFC 3339 allows t and z in lower case
    if clock and not TIME_OF_DAY.fullmatch(clock):
        raise ValueError(clock)
    time_of_day = time.fromisoformat(clock.rjust(len(clock) + (clock[1] == ":"), "0")) if clock else time()
    return datetime.combine(today + timedelta(days=DAYS_FROM_TODAY[day]), time_of_day)


def _micros(since_epoch: timedelta) -> int:
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds


def _local_micros(moment: datetime, latest: bool) -> int:
    """Return the microseconds since 1970 of a local time.

    A time that clocks skip as they are set forward is as long after the change as it is after the start of the gap.
    """
    whole = moment.replace(microsecond=0)
    seconds = [int(whole.replace(fold=fold).timestamp()) for fold in ((0, 1) if latest else (0,))]
    return max(seconds) * 1_000_000 + moment.microsecond
