"""Warnings about a clock that is behind the log. Times in a log never decrease, so new messages get the newest time."""

import logging
from datetime import UTC, datetime, timedelta

logger = logging.getLogger(__name__)

TOLERANCE_MICROS = 1_000_000  # a clock that is synchronised may be set back by less


class ClockMonitor:
    """Compares the clock with the newest message, at the start and at each commit. Warns once for each time it is set."""

    def __init__(self) -> None:
        self._lag = 0  # at the last check, in microseconds

    def check(self, now: int, newest: int) -> None:
        """Warn if the clock is behind the newest message by more than at the last check. Both are microseconds."""
        lag = max(newest - now, 0)
        if lag > self._lag + TOLERANCE_MICROS:
            logger.warning(
                "the clock is %s behind the newest message, of %s: new messages get that time until the clock reaches it;"
                " check the clock of this machine",
                _format_lag(lag),
                _format_time(newest),
            )
        self._lag = lag


def clock_lag(now: int, newest: int) -> int:
    """Return by how many microseconds the clock is behind the newest message; 0 within the tolerance."""
    lag = newest - now
    return lag if lag > TOLERANCE_MICROS else 0


def _format_lag(micros: int) -> str:
    return str(timedelta(seconds=micros // 1_000_000))


def _format_time(micros: int) -> str:
    try:
        return f"{datetime.fromtimestamp(micros // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):  # a year that Python does not have
        return f"{micros} µs since 1970"
