"""`chatctl serve`."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, NoReturn

import typer

from chatctl.cli import options
from chatctl.cli.exit_codes import STATUS_OFFSET
from chatctl.cli.serve.line_writer import LineWriter
from chatctl.cli.serve.log_setup import LogFormat, LogLevel, set_up_logging
from chatctl.cli.streams import event_loop
from chatctl.cli.terminal import escape, notices
from chatctl.config import values
from chatctl.config.settings import ServeSettings
from chatctl.errors import InvalidValue, StoreFailed
from chatctl.model.limits import Limits, limit_bounds
from chatctl.net.address import DEFAULT_SERVER, parse_address

DEFAULT_LIMITS = Limits()
LIMITS_PANEL = "Limits"
# How long the end waits for a stdout and stderr that are not read. A forced end is late already.
FLUSH_SECONDS, FORCED_FLUSH_SECONDS = 0.5, 0.2

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
SOCKET_MODE_HELP = "Give Unix sockets this mode: 660 lets the group connect, 600 only the server's user."
SocketModeOption = Annotated[
    str | None, typer.Option(envvar="CHATCTL_SOCKET_MODE", metavar="MODE", help=SOCKET_MODE_HELP, show_default="600")
]
SHARED_HELP = "Use a store that another user owns, or that all users of the machine can write to."
SharedOption = Annotated[bool, typer.Option("--allow-shared-store", envvar="CHATCTL_ALLOW_SHARED_STORE", help=SHARED_HELP)]
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
    socket_mode: SocketModeOption = None,
    allow_shared_store: SharedOption = False,
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
    """Run the server until SIGTERM, SIGHUP or Ctrl-C.

    Prints `listening on ADDRESS` on stderr for each address when it accepts calls.
    """
    limits = Limits(text_bytes, name_bytes, batch_messages, batch_bytes, streams)
    validate_limits(limits)
    addresses = options.repeated(listen, "CHATCTL_LISTEN") or [DEFAULT_SERVER]
    settings = ServeSettings(
        listen=_parse_listen("--listen" if listen else "CHATCTL_LISTEN", addresses),
        store=options.parse_value("--store", values.parse_store, store) if store else default_store(),
        limits=limits,
        insecure=insecure,
        grace_seconds=options.parse_value("--grace", values.parse_duration, grace) / 1_000_000,
        allow_shared_store=allow_shared_store,
    )
    if socket_mode is not None:
        settings = replace(settings, socket_mode=_parse_socket_mode(socket_mode, settings))
    _run(settings, log_level, log_format, as_json)


def _parse_listen(option: str, addresses: Sequence[str]) -> tuple[str, ...]:
    parsed = tuple(options.parse_value(option, parse_address, address) for address in addresses)
    for address in parsed:
        if address.startswith("unix:") and parsed.count(address) > 1:
            raise options.bad(option, f"{address} is given twice")
    return parsed


def _parse_socket_mode(text: str, settings: ServeSettings) -> int:
    if not any(listen.startswith("unix:") for listen in settings.listen):
        raise options.bad("--socket-mode", "no address is a Unix socket: add --listen unix:PATH")
    return options.parse_value("--socket-mode", values.parse_mode, text)


def _run(settings: ServeSettings, log_level: LogLevel, log_format: LogFormat, as_json: bool) -> None:
    """Serve. Nothing waits for a stdout or stderr that is not read."""
    stdout, stderr = LineWriter(1), LineWriter(2, sys.stderr.encoding)
    set_up_logging(log_level, log_format, stderr)

    def on_listening(addresses: Sequence[str]) -> None:
        for line in _start_lines(addresses, settings.store):
            stderr.write(line)
        if as_json:
            stdout.write(json.dumps({"listening": list(addresses), "store": settings.store, "pid": os.getpid()}))

    def flush(seconds: float) -> None:
        end = time.monotonic() + seconds
        for writer in (stdout, stderr):
            writer.flush(max(0.0, end - time.monotonic()))

    def force_exit(failure: StoreFailed | None) -> NoReturn:
        flush(FORCED_FLUSH_SECONDS)
        os._exit(STATUS_OFFSET + failure.code if failure else 0)

    from chatctl.server import run

    try:
        event_loop.run(run.serve(settings, on_listening, force_exit))
    finally:
        flush(FLUSH_SECONDS)


def validate_limits(limits: Limits) -> None:
    """Raise BadParameter if a limit is outside of its bounds."""
    for name, (low, high) in limit_bounds(limits).items():
        value = getattr(limits, name)
        if not low <= value <= high:
            option = "--" + name.replace("_", "-")
            raise options.bad(option, f"{value} is out of range: use a number from {low} to {high}")


def _start_lines(addresses: Sequence[str], store: str) -> Iterator[str]:
    """Yield the lines that say where the server listens."""
    for address in addresses:
        yield f"listening on {address}"
    if sys.stderr.isatty():
        yield notices.sentence(f"messages are kept in {escape.escape_text(store)}; Ctrl-C stops the server")


def default_store() -> str:
    """Return the store in the user's data directory. Raises InvalidValue if that is unknown."""
    import platformdirs

    try:
        return f"sqlite:{platformdirs.user_data_path('chatctl').expanduser() / 'chat.db'}"
    except RuntimeError:
        raise InvalidValue(
            f"cannot find your data directory: HOME is not set, and user {os.geteuid()} has no home directory",
            "name the store with --store sqlite:PATH",
        ) from None
