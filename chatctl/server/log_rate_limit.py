"""Bounds the server's log: at most some records per minute from one place in the code, each of bounded length."""

import logging
from collections import OrderedDict
from dataclasses import dataclass

from chatctl.compat.grpc_logs import reports_disconnect

MAX_LOG_RECORDS, WINDOW_SECONDS = 10, 60.0  # from one place in the code, about one method
MAX_KINDS = 1000  # of records, counted apart; past it one place in the code is one kind, whatever its record is about
MAX_MESSAGE_CHARS, MAX_TRACEBACK_CHARS = 500, 5000
Kind = tuple[str, int, str]
"""The file and the line that log a record, and its first argument."""


@dataclass
class CallSiteCount:
    """The number of records from one place in the code since `start` (seconds since 1970)."""

    start: float
    records: int = 0


class LogRateLimiter(logging.Filter):
    """A filter for log handlers. The first record of the next window reports how many were dropped in the last one."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: OrderedDict[Kind, CallSiteCount] = OrderedDict()  # by the start of their minute

    def filter(self, record: logging.LogRecord) -> bool:
        if reports_disconnect(record):
            return False
        key = self._kind(record)
        count = self._counts.setdefault(key, CallSiteCount(record.created))
        num_dropped = 0
        if record.created - count.start >= WINDOW_SECONDS:
            num_dropped = max(0, count.records - MAX_LOG_RECORDS)
            count.start, count.records = record.created, 0
            self._counts.move_to_end(key)
        count.records += 1
        if count.records > MAX_LOG_RECORDS:
            return False
        _shorten(record, f" ({num_dropped} more of this kind were not logged)" if num_dropped else "")
        return True

    def _kind(self, record: logging.LogRecord) -> Kind:
        """Return what the record is counted with. Makes space for it if there are too many kinds."""
        # The first argument of our own records is the method or the client's host. That of others may be anything.
        ours = record.name.startswith("chatctl.") and isinstance(record.args, tuple)
        kind = (record.pathname, record.lineno, str(record.args[:1]) if ours else "")  # type: ignore[index]
        if kind not in self._counts and len(self._counts) >= MAX_KINDS:
            oldest = next(iter(self._counts))
            if record.created - self._counts[oldest].start < WINDOW_SECONDS:
                return (*kind[:2], "")
            del self._counts[oldest]
        return kind


def _shorten(record: logging.LogRecord, note: str) -> None:
    try:
        message = record.getMessage()
    except Exception:  # a record with wrong arguments must not fail the code that logs it
        message = f"{record.msg!r} {record.args!r}"
    if len(message) > MAX_MESSAGE_CHARS:
        message = f"{message[:MAX_MESSAGE_CHARS]}…"
    if record.exc_info and record.exc_info[0]:
        traceback = logging.Formatter().formatException(record.exc_info)
        if len(traceback) > MAX_TRACEBACK_CHARS:
            record.exc_info = record.exc_text = None
            message = f"{message}\n…{traceback[-MAX_TRACEBACK_CHARS:]}"
    record.msg, record.args = f"{message}{note}", None
