"""`chatctl history`."""

import asyncio
import sys
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from chatctl import config
from chatctl.cli import formats, options
from chatctl.cli.cursor_file import CursorFile
from chatctl.cli.printing import Lines, Printer, json_lines, texts
from chatctl.cli.reading import Reading, Wanted
from chatctl.cli.shell import Command
from chatctl.history import Query


class Output(StrEnum):
    """How messages are printed."""

    TABLE = "table"
    JSON = "json"
    TEXT = "text"


Rooms = Annotated[
    list[str] | None,
    typer.Option(
        "--room",
        "-r",
        metavar="ROOM",
        help="Only this room; may be given more than once. (env var: CHATCTL_ROOM, commas between)",
    ),
]
Users = Annotated[
    list[str] | None,
    typer.Option(
        "--user",
        "-u",
        metavar="USER",
        help="Only by this user; may be given more than once. (env var: CHATCTL_USER, commas between)",
    ),
]
SINCE_HELP = "Stored at this time or later: 10m or 1d3h (ago), RFC 3339, unix seconds."
Since = Annotated[str | None, typer.Option(envvar="CHATCTL_SINCE", metavar="TIME", help=SINCE_HELP)]
Until = Annotated[
    str | None,
    typer.Option(
        envvar="CHATCTL_UNTIL", metavar="TIME", help="Stored before this time, written likewise; +10m is from now."
    ),
]
LAST_HELP = "Only the last N; with --follow, 0 is only what comes from now on."
Last = Annotated[int | None, typer.Option("--last", "-n", envvar="CHATCTL_LAST", min=0, metavar="N", help=LAST_HELP)]
COUNT_HELP = "At most N, then end."
Count = Annotated[
    int | None,
    typer.Option("--count", "-c", "--limit", envvar=["CHATCTL_COUNT", "CHATCTL_LIMIT"], min=1, metavar="N", help=COUNT_HELP),
]
After = Annotated[
    str | None, typer.Option(envvar="CHATCTL_AFTER", metavar="CURSOR", help="After the message with this cursor.")
]
GREP_HELP = "The text contains TEXT, in upper or lower case."
Grep = Annotated[str | None, typer.Option("--grep", "-g", envvar="CHATCTL_GREP", metavar="TEXT", help=GREP_HELP)]
OUTPUT_HELP = "table for people, json for programs, or text: only the texts."
OutputOption = Annotated[Output, typer.Option("--output", "-o", envvar="CHATCTL_OUTPUT", metavar="FORM", help=OUTPUT_HELP)]
Json = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="Short for --output json; errors too.")]
PANEL = "Following"
FOLLOW_HELP = "Go on with what comes, until Ctrl-C, --count, --until or --wait; connects again when the server goes away."
Follow = Annotated[bool, typer.Option("--follow", "-f", envvar="CHATCTL_FOLLOW", help=FOLLOW_HELP, rich_help_panel=PANEL)]
WAIT_HELP = "Follow, and end with 3 when nothing that matches has come for so long."
Wait = Annotated[str | None, typer.Option(envvar="CHATCTL_WAIT", metavar="DURATION", help=WAIT_HELP, rich_help_panel=PANEL)]
CURSOR_FILE_HELP = (
    "Start behind the cursor in FILE, and keep in it how far all is out; --after or --last only the first time."
)
CursorPath = Annotated[
    str | None, typer.Option(envvar="CHATCTL_CURSOR_FILE", metavar="FILE", help=CURSOR_FILE_HELP, rich_help_panel=PANEL)
]
EXEC_HELP = "Print nothing; run CMD with /bin/sh for each message; it is in CHATCTL_MESSAGE_TEXT, _ROOM, ... and on stdin."
Exec = Annotated[
    str | None, typer.Option("--exec", envvar="CHATCTL_EXEC", metavar="CMD", help=EXEC_HELP, rich_help_panel=PANEL)
]
EXEC_RETRIES_HELP = "How often CMD is tried again when it fails; then it ends with 1."
ExecRetries = Annotated[
    int, typer.Option(envvar="CHATCTL_EXEC_RETRIES", min=0, metavar="N", help=EXEC_RETRIES_HELP, rich_help_panel=PANEL)
]


def history(
    server: options.Server = config.DEFAULT_SERVER,
    room: Rooms = None,
    user: Users = None,
    since: Since = None,
    until: Until = None,
    last: Last = None,
    after: After = None,
    grep: Grep = None,
    follow: Follow = False,
    count: Count = None,
    wait: Wait = None,
    cursor_file: CursorPath = None,
    execute: Exec = None,
    exec_retries: ExecRetries = 3,
    output: OutputOption = Output.TABLE,
    as_json: Json = False,
    utc: options.Utc = False,
    timeout: options.Timeout = "10s",
    no_color: options.NoColor = False,
) -> int:
    """Show stored messages, oldest first, or follow: all of them, or those that every option given lets through."""
    if last is not None and after:
        raise typer.BadParameter("it excludes --after (CHATCTL_AFTER)", param_hint="'--last' (CHATCTL_LAST)")
    query = Query(
        rooms=tuple(options.filters("--room", room, "CHATCTL_ROOM")),
        users=tuple(options.filters("--user", user, "CHATCTL_USER")),
        since=options.moment("--since", since),
        until=options.moment("--until", until),
        last=min(last or 0, options.MOST),
        limit=min(count or 0, options.MOST),
        after=options.utf8("--after", after),
        contains=options.utf8("--grep", grep),
        follow=follow or wait is not None,
    )
    form = Output.JSON if as_json else output
    _check(query, until, execute)
    wanted = Wanted(
        options.address(server), options.seconds("--timeout", timeout), query, last == 0, _silence(wait), form is Output.JSON
    )
    file = _start(cursor_file, last is not None or bool(after)) if cursor_file is not None else None
    if file and file.cursor:
        wanted = replace(wanted, query=replace(query, after=file.cursor))
    printer = None if execute is not None else _printer(form, len(query.rooms) != 1, utc, no_color)
    return asyncio.run(_main(wanted, printer, execute, exec_retries, file))


def _check(query: Query, until: str | None, execute: str | None) -> None:
    if query.follow and until and options.is_ago(until):
        raise typer.BadParameter(f"{until} is in the past; +{until} is from now on", param_hint="'--until' (CHATCTL_UNTIL)")
    if execute is not None and not execute.strip():
        raise typer.BadParameter("there is no command", param_hint="'--exec' (CHATCTL_EXEC)")


def _silence(wait: str | None) -> float | None:
    """The value of --wait, in seconds."""
    silence = None if wait is None else options.seconds("--wait", wait)
    if silence == 0:
        raise typer.BadParameter("0 is no time to wait", param_hint="'--wait' (CHATCTL_WAIT)")
    return silence


async def _main(wanted: Wanted, printer: Printer | None, line: str | None, retries: int, file: CursorFile | None) -> int:
    command = None if line is None else Command(line, retries, wanted.server, formats.notice(wanted.as_json))
    return await Reading(wanted, printer, command, file).main()


def _start(path: str, start: bool) -> CursorFile:
    """Take hold of the cursor file. `start`: whether other options say where to start."""
    file = CursorFile(path)
    if file.cursor and start:
        file.close()
        raise typer.BadParameter(
            f"{path} says where to go on, so leave out --last and --after, or delete it to start over",
            param_hint="'--cursor-file'",
        )
    return file


def _printer(form: Output, several_rooms: bool, utc: bool, no_color: bool) -> Printer:
    if form is not Output.TABLE:
        return Lines(json_lines if form is Output.JSON else texts)
    if sys.stdout.isatty():
        from chatctl.cli.render.conversation import Conversation

        return Conversation(several_rooms, utc)
    from chatctl.cli.render.table import HistoryTable

    return HistoryTable(utc, no_color)
