"""`chatctl history`."""

import asyncio
import sys
import time
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


def history(
    server: options.Server = config.DEFAULT_SERVER,
    room: Annotated[
        list[str] | None,
        typer.Option(
            "--room", "-r", help="Only this room; may be given more than once. (env var: CHATCTL_ROOM, commas between)"
        ),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(
            "--user",
            "-u",
            help="Only by this user; may be given more than once. (env var: CHATCTL_USER, commas between)",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            envvar="CHATCTL_SINCE",
            metavar="TIME",
            help="Stored at this time or later: 10m or 1d3h (ago), RFC 3339, unix seconds.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(envvar="CHATCTL_UNTIL", metavar="TIME", help="Stored before this time, written likewise.")
    ] = None,
    last: Annotated[int | None, typer.Option("--last", "-n", envvar="CHATCTL_LAST", min=1, help="Only the last N.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", envvar="CHATCTL_LIMIT", min=1, help="At most N, then stop.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(envvar="CHATCTL_AFTER", metavar="CURSOR", help="After the message with this cursor.")
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option(
            "--grep", "-g", envvar="CHATCTL_GREP", metavar="TEXT", help="The text contains TEXT, in upper or lower case."
        ),
    ] = None,
    output: Annotated[
        Output,
        typer.Option(
            "--output", "-o", envvar="CHATCTL_OUTPUT", help="table for people, json a line each, text only the texts."
        ),
    ] = Output.TABLE,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="CHATCTL_JSON", help="Short for --output json; errors too.")
    ] = False,
    utc: options.Utc = False,
    timeout: options.Timeout = "10s",
    no_color: options.NoColor = False,
) -> None:
    """Show stored messages, oldest first: all of them, or those that every option given lets through."""
    if last and after:
        raise typer.BadParameter(
            "it excludes --after: one counts from the end, the other from a cursor", param_hint="'--last'"
        )
    now = time.time_ns() // 1000
    query = Query(
        rooms=tuple(options.filters("--room", room, "CHATCTL_ROOM")),
        users=tuple(options.filters("--user", user, "CHATCTL_USER")),
        since=options.meant("--since", lambda text: config.moment(text, now), since) if since is not None else None,
        until=options.meant("--until", lambda text: config.moment(text, now), until) if until is not None else None,
        last=last or 0,
        limit=limit or 0,
        after=after or "",
        contains=grep or "",
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
