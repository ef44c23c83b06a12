"""`chatctl serve`."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from chatctl import config
from chatctl.chat import Limits
from chatctl.cli import formats, options
from chatctl.cli.report import STATUS_OFFSET
from chatctl.errors import StoreFailed

DEFAULT_LIMITS = Limits()


class LogLevel(StrEnum):
    """How much the server's log says."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How the server's log says it."""

    TEXT = "text"
    JSON = "json"


LISTEN_HELP = (
    "HOST:PORT or unix:PATH to serve; may be given more than once. Port 0 takes a free one. "
    "(env var: CHATCTL_LISTEN, commas between)"
)
ListenOption = Annotated[
    list[str] | None,
    typer.Option("--listen", "-l", metavar="ADDRESS", help=LISTEN_HELP, show_default=config.DEFAULT_SERVER),
]
STORE_HELP = "sqlite:PATH, the file that keeps the messages, made with its directory if it does not exist."
StoreOption = Annotated[
    str | None,
    typer.Option(envvar="CHATCTL_STORE", metavar="STORE", help=STORE_HELP, show_default="chat.db in your data directory"),
]
INSECURE_HELP = "Listen beyond this machine too, unencrypted and for all."
InsecureOption = Annotated[bool, typer.Option("--insecure", envvar="CHATCTL_INSECURE", help=INSECURE_HELP)]
LIMITS_PANEL = "Limits"
TextBytesOption = Annotated[
    int, typer.Option(envvar="CHATCTL_TEXT_BYTES", metavar="N", help="Bytes in one text.", rich_help_panel=LIMITS_PANEL)
]
NAME_BYTES_HELP = "Bytes in the name of a room, user or sender."
NameBytesOption = Annotated[
    int, typer.Option(envvar="CHATCTL_NAME_BYTES", metavar="N", help=NAME_BYTES_HELP, rich_help_panel=LIMITS_PANEL)
]
BatchMessagesOption = Annotated[
    int, typer.Option(envvar="CHATCTL_BATCH_MESSAGES", metavar="N", help="Texts in one frame.", rich_help_panel=LIMITS_PANEL)
]
BATCH_BYTES_HELP = "Bytes of all texts in one frame."
BatchBytesOption = Annotated[
    int, typer.Option(envvar="CHATCTL_BATCH_BYTES", metavar="N", help=BATCH_BYTES_HELP, rich_help_panel=LIMITS_PANEL)
]
StreamsOption = Annotated[
    int, typer.Option(envvar="CHATCTL_STREAMS", metavar="N", help="Open streams.", rich_help_panel=LIMITS_PANEL)
]
GRACE_HELP = "How long calls may take to end when stopping."
GraceOption = Annotated[str, typer.Option(envvar="CHATCTL_GRACE", metavar="DURATION", help=GRACE_HELP)]
LOG_LEVEL_HELP = "How much the log says: debug, info, warning or error."
LogLevelOption = Annotated[
    LogLevel, typer.Option("--log-level", envvar="CHATCTL_LOG_LEVEL", metavar="LEVEL", help=LOG_LEVEL_HELP)
]
LOG_FORMAT_HELP = "How the log says it: text or json."
LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", envvar="CHATCTL_LOG_FORMAT", metavar="FORMAT", help=LOG_FORMAT_HELP)
]


def serve(
    listen: ListenOption = None,
    store: StoreOption = None,
    insecure: InsecureOption = False,
    text_bytes: TextBytesOption = DEFAULT_LIMITS.text_bytes,
    name_bytes: NameBytesOption = DEFAULT_LIMITS.name_bytes,
    batch_messages: BatchMessagesOption = DEFAULT_LIMITS.batch_messages,
    batch_bytes: BatchBytesOption = DEFAULT_LIMITS.batch_bytes,
    streams: StreamsOption = DEFAULT_LIMITS.streams,
    grace: GraceOption = "5s",
    log_level: LogLevelOption = LogLevel.WARNING,
    log_format: LogFormatOption = LogFormat.TEXT,
    as_json: options.JsonOption = False,
) -> None:
    """Serve a chat until SIGTERM or Ctrl-C.

    Says `listening on ADDRESS` on stderr once it can serve; with --json, one object on stdout as well.
    """
    limits = Limits(text_bytes, name_bytes, batch_messages, batch_bytes, streams)
    config.validate_limits(limits)
    addresses = options.repeated(listen, "CHATCTL_LISTEN") or [config.DEFAULT_SERVER]
    settings = config.ServeSettings(
        listen=tuple(options.parse_value("--listen", config.parse_address, address) for address in addresses),
        store=store or default_store(),
        limits=limits,
        insecure=insecure,
        grace_seconds=options.parse_value("--grace", config.parse_duration, grace) / 1_000_000,
    )
    set_up_logging(log_level, log_format)

    def on_listening(addresses: Sequence[str]) -> None:
        with suppress(OSError):  # whoever started it need not read it
            for address in addresses:
                print(f"listening on {address}", file=sys.stderr, flush=True)
            if sys.stderr.isatty():
                formats.say(f"keeps all in {formats.escape_text(settings.store)}; Ctrl-C stops it")
        if as_json:
            with suppress(OSError):
                print(json.dumps({"listening": list(addresses), "store": settings.store, "pid": os.getpid()}), flush=True)

    from chatctl import server

    asyncio.run(server.serve(settings, on_listening, _force_exit))


def _force_exit(failure: StoreFailed | None) -> NoReturn:
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(STATUS_OFFSET + failure.code if failure else 0)


def default_store() -> str:
    """The file in the user's data directory."""
    import platformdirs

    return f"sqlite:{platformdirs.user_data_path('chatctl') / 'chat.db'}"


class JsonLogFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(level: LogLevel, log_format: LogFormat) -> None:
    text_formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    text_formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLogFormatter() if log_format is LogFormat.JSON else text_formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("chatctl").setLevel(level.upper())
