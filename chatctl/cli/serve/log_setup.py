"""The server's log on stderr."""

import json
import logging
import time
from enum import StrEnum

from chatctl.cli.serve.line_writer import LineWriter


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
        return json.dumps(line, ensure_ascii=False)


class LogHandler(logging.Handler):
    """Passes log lines to a writer. Once lines were dropped, the next line says how many."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        if num_dropped := self._writer.pop_dropped():
            message = f"{num_dropped} lines of this log were dropped: stderr was not read"
            dropped = logging.LogRecord(record.name, logging.WARNING, __file__, 0, message, None, None)
            self._writer.write(self.format(dropped))
        try:
            line = self.format(record)
        except Exception as error:  # a record with wrong arguments must not fail the code that logs it
            line = f"cannot format a log record: {record.msg!r}: {error!r}"
        self._writer.write(line)


def set_up_logging(level: LogLevel, log_format: LogFormat, writer: LineWriter) -> None:
    """Write log records of chatctl from this level on."""
    text_formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    text_formatter.converter = time.gmtime
    handler = LogHandler(writer)
    handler.setFormatter(JsonLogFormatter() if log_format is LogFormat.JSON else text_formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("chatctl").setLevel(level.upper())
