"""Keeps the server's log small whatever clients do: what they cause is said some times a minute, at bounded length."""

import logging
from dataclasses import dataclass

MAX_LOG_RECORDS, WINDOW_SECONDS = 10, 60.0  # so many records from one place in the code, about one thing, in so much time
MAX_CALL_SITES = 1000  # that are told apart
CLIENT_DISCONNECTED = "ExecuteBatchError raised in core"  # grpc.aio, with a traceback, of a client that left in mid-response
MAX_MESSAGE_CHARS, MAX_TRACEBACK_CHARS = 500, 5000


@dataclass
class CallSiteCount:
    """What one place in the code has logged since `start` (seconds since 1970)."""

    start: float
    records: int = 0


class LogRateLimiter(logging.Filter):
    """A filter for handlers. The first record of the next minute says how many were left out of the last."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[tuple[str, int, str], CallSiteCount] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if str(record.msg).startswith(CLIENT_DISCONNECTED):
            return False
        if len(self._counts) > MAX_CALL_SITES:
            self._counts.clear()
        # What is ours begins with the method; of others it may be anything, for example an address.
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
    except Exception:  # a faulty call of the logging is not to fail its caller
        message = f"{record.msg!r} {record.args!r}"
    if len(message) > MAX_MESSAGE_CHARS:
        message = f"{message[:MAX_MESSAGE_CHARS]}…"
    if record.exc_info and record.exc_info[0]:
        traceback = logging.Formatter().formatException(record.exc_info)
        if len(traceback) > MAX_TRACEBACK_CHARS:
            record.exc_info = record.exc_text = None
            message = f"{message}\n…{traceback[-MAX_TRACEBACK_CHARS:]}"
    record.msg, record.args = f"{message}{note}", None
