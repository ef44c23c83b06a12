"""Bounds the server's log: at most some records per minute from one place in the code, each of bounded length."""

import logging
from dataclasses import dataclass

from chatctl.compat.grpc_logs import reports_disconnect

MAX_LOG_RECORDS, WINDOW_SECONDS = 10, 60.0  # from one place in the code, about one method
MAX_CALL_SITES = 1000  # counted apart; past it all counts start again
MAX_MESSAGE_CHARS, MAX_TRACEBACK_CHARS = 500, 5000


@dataclass
class CallSiteCount:
    """The number of records from one place in the code since `start` (seconds since 1970)."""

    start: float
    records: int = 0


class LogRateLimiter(logging.Filter):
    """A filter for log handlers. The first record of the next window reports how many were dropped in the last one."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[tuple[str, int, str], CallSiteCount] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if reports_disconnect(record):
            return False
        if len(self._counts) > MAX_CALL_SITES:
            self._counts.clear()
        # The first argument of our own records is the method. That of others may be anything, for example an address.
        ours = record.name.startswith("chatctl.") and isinstance(record.args, tuple)
        about = str(record.args[:1]) if ours else ""  # type: ignore[index]
        count = self._counts.setdefault((record.pathname, record.lineno, about), CallSiteCount(record.created))
        num_dropped = 0
        if record.created - count.start >= WINDOW_SECONDS:
            num_dropped = max(0, count.records - MAX_LOG_RECORDS)
            count.start, count.records = record.created, 0
        count.records += 1
        if count.records > MAX_LOG_RECORDS:
            return False
        _shorten(record, f" ({num_dropped} more of this kind were not logged)" if num_dropped else "")
        return True


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
