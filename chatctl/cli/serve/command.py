"""`chatctl serve`."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from chatctl.cli import options
from chatctl.cli.exit_codes import STATUS_OFFSET
from chatctl.cli.serve.log_setup import LogFormat, LogLevel, set_up_logging
from chatctl.cli.terminal import escape, messages
from chatctl.config import values
from chatctl.config.settings import ServeSettings
from chatctl.errors import StoreFailed
from chatctl.model.limits import Limits, validate_limits
from chatctl.net.address import DEFAULT_SERVER, parse_address

DEFAULT_LIMITS = Limits()


LISTEN_HELP = (
    "HOST:PORT or unix:PATH to serve; may be given more than once. Port 0 takes a free one. "
    "(env var: CHATCTL_LISTEN, commas between)"
)
ListenOption = Annotated[
    list[str] | None,
    typer.Option("--listen", "-l", metavar="ADDRESS", help=LISTEN_HELP, show_default=DEFAULT_SERVER),
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
    validate_limits(limits)
    addresses = options.repeated(listen, "CHATCTL_LISTEN") or [DEFAULT_SERVER]
    settings = ServeSettings(
        listen=tuple(options.parse_value("--listen", parse_address, address) for address in addresses),
        store=store or default_store(),
        limits=limits,
        insecure=insecure,
        grace_seconds=options.parse_value("--grace", values.parse_duration, grace) / 1_000_000,
    )
    set_up_logging(log_level, log_format)

    def on_listening(addresses: Sequence[str]) -> None:
        with suppress(OSError):  # whoever started it need not read it
            for address in addresses:
                print(f"listening on {address}", file=sys.stderr, flush=True)
            if sys.stderr.isatty():
                messages.say(f"keeps all in {escape.escape_text(settings.store)}; Ctrl-C stops it")
        if as_json:
            with suppress(OSError):
                print(json.dumps({"listening": list(addresses), "store": settings.store, "pid": os.getpid()}), flush=True)

    from chatctl.server import run

    asyncio.run(run.serve(settings, on_listening, _force_exit))


def _force_exit(failure: StoreFailed | None) -> NoReturn:
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(STATUS_OFFSET + failure.code if failure else 0)


def default_store() -> str:
    """The file in the user's data directory."""
    import platformdirs

    return f"sqlite:{platformdirs.user_data_path('chatctl') / 'chat.db'}"
