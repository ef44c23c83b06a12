"""The server's log on stderr."""

import json
import logging
import sys
import time
from enum import StrEnum

from chatctl.cli.terminal import notices


class LogLevel(StrEnum):
    """The lowest level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The format of log lines."""

    TEXT = "text"
    JSON = "json"


class JsonLogFormatter(logging.Formatter):
    """Formats a log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return notices.json_for(sys.stderr, json.dumps(line, ensure_ascii=False))


def set_up_logging(level: LogLevel, log_format: LogFormat) -> None:
    """Write log records of chatctl from this level on to stderr."""
    text_formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    text_formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLogFormatter() if log_format is LogFormat.JSON else text_formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("chatctl").setLevel(level.upper())
