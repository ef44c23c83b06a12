"""Keeps the server's log small whatever clients do: what they cause is said some times a minute, at bounded length."""

import logging
from dataclasses import dataclass

LINES, SECONDS = 10, 60.0  # so many records from one place in the code in so much time
MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS = 500, 5000


@dataclass
class Count:
    """What one place in the code has logged since `start` (seconds since 1970)."""

    start: float
    records: int = 0


class LogBound(logging.Filter):
    """A filter for handlers. The first record after a silence says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[tuple[str, int], Count] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging."""
        count = self._counts.setdefault((record.pathname, record.lineno), Count(record.created))
        left_out = 0
        if record.created - count.start >= SECONDS:
            left_out = max(0, count.records - LINES)
            count.start, count.records = record.created, 0
        count.records += 1
        if count.records > LINES:
            return False
        _shorten(record, f" ({left_out} more of this kind were not logged)" if left_out else "")
        return True


def _shorten(record: logging.LogRecord, note: str) -> None:
    message = record.getMessage()
    if len(message) > MESSAGE_CHARACTERS:
        message = f"{message[:MESSAGE_CHARACTERS]}…"
    if record.exc_info and record.exc_info[0]:
        traceback = logging.Formatter().formatException(record.exc_info)
        if len(traceback) > TRACEBACK_CHARACTERS:
            record.exc_info = record.exc_text = None
            message = f"{message}\n…{traceback[-TRACEBACK_CHARACTERS:]}"
    record.msg, record.args = f"{message}{note}", None
