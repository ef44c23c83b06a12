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

DEFAULTS = Limits()


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
Listen = Annotated[
    list[str] | None,
    typer.Option("--listen", "-l", metavar="ADDRESS", help=LISTEN_HELP, show_default=config.DEFAULT_SERVER),
]
STORE_HELP = "sqlite:PATH, the file that keeps the messages, made with its directory if it does not exist."
Store = Annotated[
    str | None,
    typer.Option(envvar="CHATCTL_STORE", metavar="STORE", help=STORE_HELP, show_default="chat.db in your data directory"),
]
INSECURE_HELP = "Listen beyond this machine too, unencrypted and for all."
Insecure = Annotated[bool, typer.Option("--insecure", envvar="CHATCTL_INSECURE", help=INSECURE_HELP)]
LIMITS = "Limits"
TextBytes = Annotated[
    int, typer.Option(envvar="CHATCTL_TEXT_BYTES", metavar="N", help="Bytes in one text.", rich_help_panel=LIMITS)
]
NAME_BYTES_HELP = "Bytes in the name of a room, user or sender."
NameBytes = Annotated[
    int, typer.Option(envvar="CHATCTL_NAME_BYTES", metavar="N", help=NAME_BYTES_HELP, rich_help_panel=LIMITS)
]
BatchMessages = Annotated[
    int, typer.Option(envvar="CHATCTL_BATCH_MESSAGES", metavar="N", help="Texts in one frame.", rich_help_panel=LIMITS)
]
BATCH_BYTES_HELP = "Bytes of all texts in one frame."
BatchBytes = Annotated[
    int, typer.Option(envvar="CHATCTL_BATCH_BYTES", metavar="N", help=BATCH_BYTES_HELP, rich_help_panel=LIMITS)
]
Streams = Annotated[int, typer.Option(envvar="CHATCTL_STREAMS", metavar="N", help="Open streams.", rich_help_panel=LIMITS)]
GRACE_HELP = "How long calls may take to end when stopping."
Grace = Annotated[str, typer.Option(envvar="CHATCTL_GRACE", metavar="DURATION", help=GRACE_HELP)]
LEVEL_HELP = "How much the log says: debug, info, warning or error."
LevelOption = Annotated[LogLevel, typer.Option("--log-level", envvar="CHATCTL_LOG_LEVEL", metavar="LEVEL", help=LEVEL_HELP)]
FORMAT_HELP = "How the log says it: text or json."
FormatOption = Annotated[
    LogFormat, typer.Option("--log-format", envvar="CHATCTL_LOG_FORMAT", metavar="FORMAT", help=FORMAT_HELP)
]


def serve(
    listen: Listen = None,
    store: Store = None,
    insecure: Insecure = False,
    text_bytes: TextBytes = DEFAULTS.text_bytes,
    name_bytes: NameBytes = DEFAULTS.name_bytes,
    batch_messages: BatchMessages = DEFAULTS.batch_messages,
    batch_bytes: BatchBytes = DEFAULTS.batch_bytes,
    streams: Streams = DEFAULTS.streams,
    grace: Grace = "5s",
    log_level: LevelOption = LogLevel.WARNING,
    log_format: FormatOption = LogFormat.TEXT,
    as_json: options.Json = False,
) -> None:
    """Serve a chat until SIGTERM or Ctrl-C.

    Says `listening on ADDRESS` on stderr once it can serve; with --json, one object on stdout as well.
    """
    limits = Limits(text_bytes, name_bytes, batch_messages, batch_bytes, streams)
    config.check_limits(limits)
    addresses = options.several(listen, "CHATCTL_LISTEN") or [config.DEFAULT_SERVER]
    settings = config.ServeSettings(
        listen=tuple(options.meant("--listen", config.address, address) for address in addresses),
        store=store or default_store(),
        limits=limits,
        insecure=insecure,
        grace_seconds=options.meant("--grace", config.duration, grace) / 1_000_000,
    )
    _log_to_stderr(log_level, log_format)

    def announce(addresses: Sequence[str]) -> None:
        with suppress(OSError):  # whoever started it need not read it
            for address in addresses:
                print(f"listening on {address}", file=sys.stderr, flush=True)
            if sys.stderr.isatty():
                formats.say(f"keeps all in {formats.visible(settings.store)}; Ctrl-C stops it")
        if as_json:
            with suppress(OSError):
                print(json.dumps({"listening": list(addresses), "store": settings.store, "pid": os.getpid()}), flush=True)

    from chatctl import server

    asyncio.run(server.serve(settings, announce, _abandon))


def _abandon(failure: StoreFailed | None) -> NoReturn:
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(STATUS_OFFSET + failure.code if failure else 0)


def default_store() -> str:
    """The file in the user's data directory."""
    import platformdirs

    return f"sqlite:{platformdirs.user_data_path('chatctl') / 'chat.db'}"


class JsonFormatter(logging.Formatter):
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


def _log_to_stderr(level: LogLevel, form: LogFormat) -> None:
    text = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    text.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else text)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("chatctl").setLevel(level.upper())
