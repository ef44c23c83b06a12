"""`chatctl history`: its options, and what they mean."""

import json
import sys
from dataclasses import replace
from enum import StrEnum
from functools import partial
from hashlib import sha256
from typing import Annotated

import typer

from chatctl.cli import options, usage
from chatctl.cli.history.cursor_file import CursorFile
from chatctl.cli.history.exec_command import ExecCommand
from chatctl.cli.history.run import HistoryRequest, HistoryRun
from chatctl.cli.streams import event_loop, process
from chatctl.cli.streams.json_lines import message_lines
from chatctl.cli.streams.stdout import STDOUT, LinePrinter, Printer, text_lines
from chatctl.cli.terminal import notices
from chatctl.config.moments import is_always_past
from chatctl.model.limits import MAX_NUMBER
from chatctl.model.messages import Query
from chatctl.net import address

FILTER_DIGITS = 16  # of a digest, in hexadecimal


class OutputFormat(StrEnum):
    """The format in which messages are printed."""

    TABLE = "table"
    JSON = "json"
    TEXT = "text"


RoomOption = Annotated[
    list[str] | None, typer.Option("--room", "-r", metavar="ROOM", help="Only messages of this room. May be repeated.")
]
UserOption = Annotated[
    list[str] | None, typer.Option("--user", "-u", metavar="USER", help="Only messages of this user. May be repeated.")
]
INPUT_ID_HELP = "Only messages of this input. JSON lines then have input_id and number."
InputIdOption = Annotated[str | None, typer.Option("--input-id", metavar="ID", help=INPUT_ID_HELP)]
SINCE_HELP = (
    "Only messages stored at TIME or later: 10m or 1w (ago), today, yesterday, 14:00, "
    "'2026-11-27 14:00' (local time), RFC 3339, unix seconds."
)
SinceOption = Annotated[str | None, typer.Option(metavar="TIME", help=SINCE_HELP)]
UNTIL_HELP = "Only messages stored before TIME. +10m is 10 minutes from now, by the clock of this machine."
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help=UNTIL_HELP)]
LAST_HELP = "Only the last N messages. With --follow, 0 means only new messages."
LastOption = Annotated[int | None, typer.Option("--last", "-n", min=0, metavar="N", help=LAST_HELP)]
COUNT_HELP = "At most N messages, then exit."
CountOption = Annotated[int | None, typer.Option("--count", "-c", "--limit", min=1, metavar="N", help=COUNT_HELP)]
AfterOption = Annotated[str | None, typer.Option(metavar="CURSOR", help="Only messages after this cursor.")]
GREP_HELP = "Only texts that contain TEXT, in upper or lower case. May be repeated: all must match."
GrepOption = Annotated[list[str] | None, typer.Option("--grep", "-g", metavar="TEXT", help=GREP_HELP)]
OUTPUT_HELP = "Print a table, json, or text (only the texts)."
OutputOption = Annotated[
    OutputFormat, typer.Option("--output", "-o", envvar="CHATCTL_OUTPUT", metavar="FORMAT", help=OUTPUT_HELP)
]
JSON_HELP = "Print JSON, also for errors. Same as --output json."
JsonOption = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help=JSON_HELP)]
FOLLOW_PANEL = "Following"
FOLLOW_HELP = "Wait for new messages until Ctrl-C, --count, --until or --wait. Reconnects if the connection breaks."
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help=FOLLOW_HELP, rich_help_panel=FOLLOW_PANEL)]
WAIT_HELP = "Follow, and exit with code 3 if no matching message arrives for DURATION."
WaitOption = Annotated[str | None, typer.Option(metavar="DURATION", help=WAIT_HELP, rich_help_panel=FOLLOW_PANEL)]
CURSOR_FILE_HELP = (
    "Resume after the cursor in FILE, and update it as messages are written. "
    "--after and --last apply only while FILE does not exist."
)
CursorFileOption = Annotated[str | None, typer.Option(metavar="FILE", help=CURSOR_FILE_HELP, rich_help_panel=FOLLOW_PANEL)]
EXEC_HELP = (
    "Run CMD with /bin/sh for each message, and print nothing. "
    "CMD gets CHATCTL_MESSAGE_TEXT, _ROOM, _USER, ... and the JSON line on stdin."
)
ExecOption = Annotated[str | None, typer.Option("--exec", metavar="CMD", help=EXEC_HELP, rich_help_panel=FOLLOW_PANEL)]
EXEC_RETRIES_HELP = "Retry a failed CMD N times, then exit with code 1."
ExecRetriesOption = Annotated[int, typer.Option(min=0, metavar="N", help=EXEC_RETRIES_HELP, rich_help_panel=FOLLOW_PANEL)]


EMPTY_VALUE = "the value is empty: leave out the option"
EXCLUDED_PAIRS = (
    ("--last", "--after", "both say where to start"),
    ("--utc", "--exec", "CHATCTL_MESSAGE_TIME is in UTC"),
)


def history(
    context: typer.Context,
    server: options.ServerOption = address.DEFAULT_SERVER,
    room: RoomOption = None,
    user: UserOption = None,
    input_id: InputIdOption = None,
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
    """Print stored messages, oldest first. A message must match every filter."""
    query = Query(
        rooms=options.parse_names("--room", room),
        users=options.parse_names("--user", user),
        input_id="" if input_id is None else options.parse_name("--input-id", input_id),
        since=options.parse_moment("--since", since),
        until=options.parse_moment("--until", until, latest=True),
        last=min(last or 0, MAX_NUMBER),
        limit=min(count or 0, MAX_NUMBER),
        after=options.parse_text("--after", after),
        contains=_parse_needles(grep)[0],
        also_contains=_parse_needles(grep)[1:],
        follow=follow or wait is not None,
    )
    _check_options(context, query, until, exec_command)
    output_format = _output_format(context, output, as_json)
    seconds, wants_json = options.parse_seconds("--timeout", timeout), output_format is OutputFormat.JSON
    request = HistoryRequest(options.parse_endpoint(server), seconds, query, last == 0, _wait_seconds(wait), wants_json)
    printer = _make_printer(output_format, query, utc, no_color) if exec_command is None else None
    return _read(request, printer, exec_command, exec_retries, cursor_file)


def _check_options(context: typer.Context, query: Query, until: str | None, exec_command: str | None) -> None:
    """Refuse options that contradict each other, or do nothing together."""
    usage.refuse_pairs(context, *EXCLUDED_PAIRS)
    if usage.is_given(context, "--exec-retries") and not usage.is_given(context, "--exec"):
        context.fail("--exec-retries needs --exec")
    if usage.is_given(context, "--after") and not query.after:
        raise options.bad("--after", EMPTY_VALUE)
    if query.since is not None and query.until is not None and query.since > query.until:
        raise options.bad("--since", "it is after --until, so that no message can match: exchange the two times")
    if query.follow and until and is_always_past(until):
        hint = f"+{until}" if until[0].isdigit() and " " not in until else "+10m"
        raise options.bad("--until", f"{until} is in the past: use {hint} for a time from now")
    if exec_command is not None and not exec_command.strip():
        raise options.bad("--exec", "the command is empty")


def _parse_needles(grep: list[str] | None) -> tuple[str, ...]:
    """Return the values of --grep, or one empty text."""
    if "" in (grep or ()):
        raise options.bad("--grep", EMPTY_VALUE)
    return tuple(options.parse_text("--grep", text) for text in grep or ("",))


def _output_format(context: typer.Context, output: OutputFormat, as_json: bool) -> OutputFormat:
    """Return the format: that of the command line, or that of a variable if the command line has none."""
    output_given, json_given = usage.is_given(context, "--output"), usage.is_given(context, "--json")
    if output_given and output is not OutputFormat.JSON:
        if json_given:
            context.fail(f"--json cannot be used with --output {output}: leave out one of them")
        if usage.is_given(context, "--exec"):
            context.fail(f"--output {output} cannot be used with --exec: the command gets the messages")
        if output is OutputFormat.TEXT and usage.is_given(context, "--utc"):
            context.fail("--utc cannot be used with --output text: it shows no times")
        return output
    return OutputFormat.JSON if as_json else output


def _wait_seconds(wait: str | None) -> float | None:
    """Return the value of --wait in seconds."""
    seconds = None if wait is None else options.parse_seconds("--wait", wait)
    if seconds == 0:
        raise options.bad("--wait", "must be greater than 0")
    return seconds


def _make_printer(output_format: OutputFormat, query: Query, utc: bool, no_color: bool) -> Printer:
    if output_format is OutputFormat.TEXT:
        return LinePrinter(text_lines)
    if output_format is OutputFormat.JSON:
        return LinePrinter(partial(message_lines, input_id=query.input_id))
    if sys.stdout.isatty():
        from chatctl.cli.history.terminal_view import TerminalPrinter

        return TerminalPrinter(len(query.rooms) != 1, utc)
    from chatctl.cli.history.table import TablePrinter

    return TablePrinter(utc, no_color)


def _read(
    request: HistoryRequest, printer: Printer | None, exec_command: str | None, retries: int, cursor_path: str | None
) -> int:
    """Open the cursor file and run. Once the file has a cursor, that is the start."""
    if cursor_path is not None and printer and STDOUT in process.closed_descriptors:
        raise options.bad("--cursor-file", "stdout is closed, and no message would be read again: use > /dev/null for that")
    cursor_file = None if cursor_path is None else CursorFile(cursor_path, filter_digest(request.query))
    if cursor_file and cursor_file.cursor:
        query = replace(request.query, after=cursor_file.cursor, last=0)
        request = replace(request, query=query, from_now=False)
        if cursor_file.notice:
            notices.notifier(request.as_json)(cursor_file.notice)
    return event_loop.run(_run(request, printer, exec_command, retries, cursor_file))


def filter_digest(query: Query) -> str:
    """Return a digest of the conditions that a message matches or not, but for its time; empty without any."""
    conditions = [sorted(set(query.rooms)), sorted(set(query.users)), query.input_id, query.needles]
    return sha256(json.dumps(conditions).encode()).hexdigest()[:FILTER_DIGITS] if any(conditions) else ""


async def _run(
    request: HistoryRequest, printer: Printer | None, exec_command: str | None, retries: int, cursor_file: CursorFile | None
) -> int:
    command = None
    if exec_command is not None:
        command = ExecCommand(exec_command, retries, str(request.endpoint), notices.notifier(request.as_json))
    return await HistoryRun(request, printer, command, cursor_file).run()
