"""`chatctl history`."""

import asyncio
import sys
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from chatctl.cli import options
from chatctl.cli.history.cursor_file import CursorFile
from chatctl.cli.history.exec_command import ExecCommand
from chatctl.cli.history.run import HistoryRequest, HistoryRun
from chatctl.cli.streams.json_lines import message_lines
from chatctl.cli.streams.stdout import LinePrinter, Printer, text_lines
from chatctl.cli.terminal import messages
from chatctl.model.limits import MAX_NUMBER
from chatctl.model.messages import Query
from chatctl.net import address


class OutputFormat(StrEnum):
    """How messages are printed."""

    TABLE = "table"
    JSON = "json"
    TEXT = "text"


RoomOption = Annotated[
    list[str] | None,
    typer.Option(
        "--room",
        "-r",
        metavar="ROOM",
        help="Only this room; may be given more than once.",
    ),
]
UserOption = Annotated[
    list[str] | None,
    typer.Option(
        "--user",
        "-u",
        metavar="USER",
        help="Only by this user; may be given more than once.",
    ),
]
SINCE_HELP = "Stored at this time or later: 10m or 1d3h (ago), RFC 3339, unix seconds."
SinceOption = Annotated[str | None, typer.Option(metavar="TIME", help=SINCE_HELP)]
UntilOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Stored before this time, written likewise; +10m is from now."),
]
LAST_HELP = "Only the last N; with --follow, 0 is only what comes from now on."
LastOption = Annotated[int | None, typer.Option("--last", "-n", min=0, metavar="N", help=LAST_HELP)]
COUNT_HELP = "At most N, then end."
CountOption = Annotated[
    int | None,
    typer.Option("--count", "-c", "--limit", min=1, metavar="N", help=COUNT_HELP),
]
AfterOption = Annotated[str | None, typer.Option(metavar="CURSOR", help="After the message with this cursor.")]
GREP_HELP = "The text contains TEXT, in upper or lower case."
GrepOption = Annotated[str | None, typer.Option("--grep", "-g", metavar="TEXT", help=GREP_HELP)]
OUTPUT_HELP = "table for people, json for programs, or text: only the texts."
OutputOption = Annotated[
    OutputFormat, typer.Option("--output", "-o", envvar="CHATCTL_OUTPUT", metavar="FORM", help=OUTPUT_HELP)
]
JsonOption = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="Short for --output json; errors too.")]
FOLLOW_PANEL = "Following"
FOLLOW_HELP = "Go on with what comes, until Ctrl-C, --count, --until or --wait; connects again when the server goes away."
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help=FOLLOW_HELP, rich_help_panel=FOLLOW_PANEL)]
WAIT_HELP = "Follow, and end with 3 when nothing that matches has come for so long."
WaitOption = Annotated[str | None, typer.Option(metavar="DURATION", help=WAIT_HELP, rich_help_panel=FOLLOW_PANEL)]
CURSOR_FILE_HELP = (
    "Start behind the cursor in FILE, and keep in it how far all is out; --after or --last only the first time."
)
CursorFileOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help=CURSOR_FILE_HELP, rich_help_panel=FOLLOW_PANEL),
]
EXEC_HELP = "Print nothing; run CMD with /bin/sh for each message; it is in CHATCTL_MESSAGE_TEXT, _ROOM, ... and on stdin."
ExecOption = Annotated[str | None, typer.Option("--exec", metavar="CMD", help=EXEC_HELP, rich_help_panel=FOLLOW_PANEL)]
EXEC_RETRIES_HELP = "How often CMD is tried again when it fails; then it ends with 1."
ExecRetriesOption = Annotated[
    int,
    typer.Option(min=0, metavar="N", help=EXEC_RETRIES_HELP, rich_help_panel=FOLLOW_PANEL),
]


def history(
    server: options.ServerOption = address.DEFAULT_SERVER,
    room: RoomOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    last: LastOption = None,
    after: AfterOption = None,
    grep: GrepOption = None,
    follow: FollowOption = False,
    count: CountOption = None,
    wait: WaitOption = None,
    cursor_file: CursorFileOption = None,
    exec_command: ExecOption = None,
    exec_retries: ExecRetriesOption = 3,
    output: OutputOption = OutputFormat.TABLE,
    as_json: JsonOption = False,
    utc: options.UtcOption = False,
    timeout: options.TimeoutOption = "10s",
    no_color: options.NoColorOption = False,
) -> int:
    """Show stored messages, oldest first, or follow: all of them, or those that every option given lets through."""
    if last is not None and after:
        raise options.bad("--last", "it excludes --after")
    query = Query(
        rooms=options.parse_names("--room", room),
        users=options.parse_names("--user", user),
        since=options.parse_moment("--since", since),
        until=options.parse_moment("--until", until),
        last=min(last or 0, MAX_NUMBER),
        limit=min(count or 0, MAX_NUMBER),
        after=options.parse_text("--after", after),
        contains=options.parse_text("--grep", grep),
        follow=follow or wait is not None,
    )
    output_format = OutputFormat.JSON if as_json else output
    _check_options(query, until, exec_command)
    request = HistoryRequest(
        options.parse_endpoint(server),
        options.parse_seconds("--timeout", timeout),
        query,
        last == 0,
        _wait_seconds(wait),
        output_format is OutputFormat.JSON,
    )
    opened_cursor_file = _open_cursor_file(cursor_file, last is not None or bool(after)) if cursor_file is not None else None
    if opened_cursor_file and opened_cursor_file.cursor:
        request = replace(request, query=replace(query, after=opened_cursor_file.cursor))
    printer = None if exec_command is not None else _make_printer(output_format, len(query.rooms) != 1, utc, no_color)
    return asyncio.run(_run(request, printer, exec_command, exec_retries, opened_cursor_file))


def _check_options(query: Query, until: str | None, exec_command: str | None) -> None:
    if query.follow and until and options.is_past_duration(until):
        raise options.bad("--until", f"{until} is in the past; +{until} is from now on")
    if exec_command is not None and not exec_command.strip():
        raise options.bad("--exec", "there is no command")


def _wait_seconds(wait: str | None) -> float | None:
    """The value of --wait, in seconds."""
    seconds = None if wait is None else options.parse_seconds("--wait", wait)
    if seconds == 0:
        raise options.bad("--wait", "0 is no time to wait")
    return seconds


async def _run(
    request: HistoryRequest, printer: Printer | None, command_line: str | None, retries: int, cursor_file: CursorFile | None
) -> int:
    command = (
        None
        if command_line is None
        else ExecCommand(command_line, retries, str(request.endpoint), messages.notifier(request.as_json))
    )
    return await HistoryRun(request, printer, command, cursor_file).run()


def _open_cursor_file(path: str, start_given: bool) -> CursorFile:
    """Take hold of the cursor file. `start_given`: whether other options say where to start."""
    cursor_file = CursorFile(path)
    if cursor_file.cursor and start_given:
        cursor_file.close()
        raise options.bad(
            "--cursor-file", f"{path} says where to go on, so leave out --last and --after, or delete it to start over"
        )
    return cursor_file


def _make_printer(output_format: OutputFormat, several_rooms: bool, utc: bool, no_color: bool) -> Printer:
    if output_format is not OutputFormat.TABLE:
        return LinePrinter(message_lines if output_format is OutputFormat.JSON else text_lines)
    if sys.stdout.isatty():
        from chatctl.cli.history.terminal_view import TerminalPrinter

        return TerminalPrinter(several_rooms, utc)
    from chatctl.cli.history.table import TablePrinter

    return TablePrinter(utc, no_color)
