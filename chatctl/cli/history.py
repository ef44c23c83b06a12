"""`chatctl history`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chatctl import config
from chatctl.cli import formats, options
from chatctl.history import Query

if TYPE_CHECKING:
    from chatctl.client import HistoryPage


class Output(StrEnum):
    """How messages are printed."""

    TABLE = "table"
    JSON = "json"
    TEXT = "text"


Rooms = Annotated[
    list[str] | None,
    typer.Option(
        "--room", "-r", help="Only this room; may be given more than once. (env var: CHATCTL_ROOM, commas between)"
    ),
]
Users = Annotated[
    list[str] | None,
    typer.Option(
        "--user", "-u", help="Only by this user; may be given more than once. (env var: CHATCTL_USER, commas between)"
    ),
]
SINCE_HELP = "Stored at this time or later: 10m or 1d3h (ago), RFC 3339, unix seconds."
Since = Annotated[str | None, typer.Option(envvar="CHATCTL_SINCE", metavar="TIME", help=SINCE_HELP)]
Until = Annotated[
    str | None, typer.Option(envvar="CHATCTL_UNTIL", metavar="TIME", help="Stored before this time, written likewise.")
]
Last = Annotated[int | None, typer.Option("--last", "-n", envvar="CHATCTL_LAST", min=1, help="Only the last N.")]
Limit = Annotated[int | None, typer.Option(envvar="CHATCTL_LIMIT", min=1, help="At most N, then stop.")]
After = Annotated[
    str | None, typer.Option(envvar="CHATCTL_AFTER", metavar="CURSOR", help="After the message with this cursor.")
]
GREP_HELP = "The text contains TEXT, in upper or lower case."
Grep = Annotated[str | None, typer.Option("--grep", "-g", envvar="CHATCTL_GREP", metavar="TEXT", help=GREP_HELP)]
OUTPUT_HELP = "table for people, json a line each, text only the texts."
OutputOption = Annotated[Output, typer.Option("--output", "-o", envvar="CHATCTL_OUTPUT", help=OUTPUT_HELP)]
Json = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="Short for --output json; errors too.")]


def history(
    server: options.Server = config.DEFAULT_SERVER,
    room: Rooms = None,
    user: Users = None,
    since: Since = None,
    until: Until = None,
    last: Last = None,
    limit: Limit = None,
    after: After = None,
    grep: Grep = None,
    output: OutputOption = Output.TABLE,
    as_json: Json = False,
    utc: options.Utc = False,
    timeout: options.Timeout = "10s",
    no_color: options.NoColor = False,
) -> None:
    """Show stored messages, oldest first: all of them, or those that every option given lets through."""
    if last and after:
        raise typer.BadParameter("it excludes --after (CHATCTL_AFTER)", param_hint="'--last' (CHATCTL_LAST)")
    query = Query(
        rooms=tuple(options.filters("--room", room, "CHATCTL_ROOM")),
        users=tuple(options.filters("--user", user, "CHATCTL_USER")),
        since=options.moment("--since", since),
        until=options.moment("--until", until),
        last=min(last or 0, options.MOST),
        limit=min(limit or 0, options.MOST),
        after=options.utf8("--after", after),
        contains=options.utf8("--grep", grep),
    )
    form = Output.JSON if as_json else output
    asyncio.run(_show(options.address(server), options.seconds(timeout), query, form, utc, no_color))


async def _show(server: str, seconds: float, query: Query, output: Output, utc: bool, no_color: bool) -> None:
    from chatctl.client import ChatClient

    notice = None if output is Output.JSON else formats.say
    async with ChatClient(server, seconds, notice) as chat, aclosing(chat.read(query)) as pages:
        if output is Output.TABLE:
            from chatctl.cli import render

            await render.history(pages, utc, no_color)
        else:
            await _write(pages, json_lines if output is Output.JSON else texts)


async def _write(pages: "AsyncIterator[HistoryPage]", lines: "Callable[[HistoryPage], Iterable[str]]") -> None:
    out = sys.stdout.buffer
    async for page in pages:
        out.write("".join(lines(page)).encode())
        out.flush()


def json_lines(page: "HistoryPage") -> Iterable[str]:
    """A JSON object for each message, each on its line."""
    for run in page.runs:
        middle = f',"room":{formats.quote(run.room)},"user":{formats.quote(run.user)},"text":'
        end = f',"time":"{formats.rfc3339(run.time)}","cursor":"{page.cursor_prefix}'
        for sequence, text in enumerate(run.texts, run.sequence):
            yield f'{{"sequence":{sequence}{middle}{formats.quote(text)}{end}{sequence}"}}\n'


def texts(page: "HistoryPage") -> Iterable[str]:
    """The texts alone, raw in a pipe so that they come back as they were sent, escaped at a terminal."""
    show = formats.visible_lines if sys.stdout.isatty() else str
    for run in page.runs:
        for text in run.texts:
            yield show(text) + "\n"
