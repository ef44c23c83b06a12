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
from chatctl.cli.terminal import escape, notices
from chatctl.config import values
from chatctl.config.settings import ServeSettings
from chatctl.errors import StoreFailed
from chatctl.model.limits import Limits, limit_bounds
from chatctl.net.address import DEFAULT_SERVER, parse_address

DEFAULT_LIMITS = Limits()
LIMITS_PANEL = "Limits"

LISTEN_HELP = (
    "Listen on HOST:PORT or unix:PATH; repeatable. Port 0 takes a free port. (env var: CHATCTL_LISTEN, commas between)"
)
ListenOption = Annotated[
    list[str] | None,
    typer.Option("--listen", "-l", metavar="ADDRESS", help=LISTEN_HELP, show_default=DEFAULT_SERVER),
]
STORE_HELP = "Keep the messages in sqlite:PATH, created with its directory if missing."
StoreOption = Annotated[
    str | None,
    typer.Option(envvar="CHATCTL_STORE", metavar="STORE", help=STORE_HELP, show_default="chat.db in your data directory"),
]
INSECURE_HELP = "Listen beyond this machine, without encryption and login."
InsecureOption = Annotated[bool, typer.Option("--insecure", envvar="CHATCTL_INSECURE", help=INSECURE_HELP)]
TEXT_BYTES_HELP = "Limit a text to N bytes of UTF-8."
TextBytesOption = Annotated[
    int, typer.Option(envvar="CHATCTL_TEXT_BYTES", metavar="N", help=TEXT_BYTES_HELP, rich_help_panel=LIMITS_PANEL)
]
NAME_BYTES_HELP = "Limit a room, user or input id to N bytes of UTF-8."
NameBytesOption = Annotated[
    int, typer.Option(envvar="CHATCTL_NAME_BYTES", metavar="N", help=NAME_BYTES_HELP, rich_help_panel=LIMITS_PANEL)
]
BATCH_MESSAGES_HELP = "Limit a batch to N texts."
BatchMessagesOption = Annotated[
    int, typer.Option(envvar="CHATCTL_BATCH_MESSAGES", metavar="N", help=BATCH_MESSAGES_HELP, rich_help_panel=LIMITS_PANEL)
]
BATCH_BYTES_HELP = "Limit the texts of a batch to N bytes together."
BatchBytesOption = Annotated[
    int, typer.Option(envvar="CHATCTL_BATCH_BYTES", metavar="N", help=BATCH_BYTES_HELP, rich_help_panel=LIMITS_PANEL)
]
STREAMS_HELP = "Limit the server to N open streams."
StreamsOption = Annotated[
    int, typer.Option(envvar="CHATCTL_STREAMS", metavar="N", help=STREAMS_HELP, rich_help_panel=LIMITS_PANEL)
]
GRACE_HELP = "When the server stops, let calls go on for this time."
GraceOption = Annotated[str, typer.Option(envvar="CHATCTL_GRACE", metavar="DURATION", help=GRACE_HELP)]
LOG_LEVEL_HELP = "Log from this level on: debug, info, warning or error."
LogLevelOption = Annotated[
    LogLevel, typer.Option("--log-level", envvar="CHATCTL_LOG_LEVEL", metavar="LEVEL", help=LOG_LEVEL_HELP)
]
LOG_FORMAT_HELP = "Log lines of text or json."
LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", envvar="CHATCTL_LOG_FORMAT", metavar="FORMAT", help=LOG_FORMAT_HELP)
]
JSON_HELP = "Print one object on stdout when the server listens, and errors as JSON."
JsonOption = Annotated[bool, typer.Option("--json", envvar="CHATCTL_SERVE_JSON", help=JSON_HELP)]


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
    as_json: JsonOption = False,
) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    Prints `listening on ADDRESS` on stderr for each address when it accepts calls.
    """
    limits = Limits(text_bytes, name_bytes, batch_messages, batch_bytes, streams)
    validate_limits(limits)
    addresses = options.repeated(listen, "CHATCTL_LISTEN") or [DEFAULT_SERVER]
    settings = ServeSettings(
        listen=tuple(
            options.parse_value("--listen" if listen else "CHATCTL_LISTEN", parse_address, address) for address in addresses
        ),
        store=store or default_store(),
        limits=limits,
        insecure=insecure,
        grace_seconds=options.parse_value("--grace", values.parse_duration, grace) / 1_000_000,
    )
    set_up_logging(log_level, log_format)

    def on_listening(addresses: Sequence[str]) -> None:
        _print_start(addresses, settings.store, as_json)

    from chatctl.server import run

    asyncio.run(run.serve(settings, on_listening, _force_exit))


def validate_limits(limits: Limits) -> None:
    """Raise BadParameter if a limit is outside of its bounds."""
    for name, (low, high) in limit_bounds(limits).items():
        value = getattr(limits, name)
        if not low <= value <= high:
            option = "--" + name.replace("_", "-")
            raise options.bad(option, f"{value} is out of range: use a number from {low} to {high}")


def _print_start(addresses: Sequence[str], store: str, as_json: bool) -> None:
    """Print where the server listens. It serves even if that cannot be printed."""
    with suppress(OSError):
        for address in addresses:
            print(f"listening on {address}", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            notices.say(f"messages are kept in {escape.escape_text(store)}; Ctrl-C stops the server")
    if as_json:
        with suppress(OSError):
            print(json.dumps({"listening": list(addresses), "store": store, "pid": os.getpid()}), flush=True)


def _force_exit(failure: StoreFailed | None) -> NoReturn:
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(STATUS_OFFSET + failure.code if failure else 0)


def default_store() -> str:
    """Return the store in the user's data directory."""
    import platformdirs

    return f"sqlite:{platformdirs.user_data_path('chatctl') / 'chat.db'}"
