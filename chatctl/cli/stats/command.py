"""`chatctl stats`: its options, and what they mean."""

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from chatctl.cli import options
from chatctl.cli.stats import lines
from chatctl.cli.stats.request import StatsRequest
from chatctl.cli.streams import event_loop
from chatctl.cli.terminal import notices, styling
from chatctl.compat.typer_usage import with_default_value
from chatctl.net import address

if TYPE_CHECKING:
    from chatctl.model.stats import ServerStats


ROOM_HELP = "List only this room; the totals are those of all rooms. May be repeated."
RoomOption = Annotated[list[str] | None, typer.Option("--room", "-r", metavar="ROOM", help=ROOM_HELP)]
TOP_HELP = "List the N rooms and N users with most messages."
TopOption = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help=TOP_HELP)]
WATCH_HELP = "Repeat every SECONDS (without a value: 2) until q or Ctrl-C. Reconnects if the connection breaks."
WatchOption = Annotated[str | None, typer.Option("--watch", "-w", metavar="[SECONDS]", help=WATCH_HELP)]
DEFAULT_INTERVAL = "2"  # seconds


def stats(
    server: options.ServerOption = address.DEFAULT_SERVER,
    watch: WatchOption = None,
    room: RoomOption = None,
    top: TopOption = 100,
    timeout: options.TimeoutOption = "10s",
    as_json: options.JsonOption = False,
    utc: options.UtcOption = False,
    no_color: options.NoColorOption = False,
) -> int:
    """Print totals, activity and presence of a server."""
    rooms = options.parse_names("--room", room)
    seconds = options.parse_seconds("--timeout", timeout)
    request = StatsRequest(options.parse_endpoint(server), seconds, top, rooms)
    if watch is not None:
        return event_loop.run(_watch(request, _watch_interval(watch), as_json, utc, no_color))
    server_stats = event_loop.run(_fetch(request, as_json))
    if as_json:
        print(lines.json_line(server_stats))
    else:
        from chatctl.cli.stats.report import print_stats

        print_stats(server_stats, utc, no_color)
    return 0


def prepare(arguments: list[str]) -> list[str]:
    """Return the arguments with a value after each --watch."""
    return with_default_value(arguments, ("--watch", "-w"), DEFAULT_INTERVAL)


def _watch_interval(text: str) -> float:
    """Return the value of --watch in seconds."""
    if (seconds := options.parse_seconds("--watch", text)) <= 0:
        raise options.bad("--watch", "must be greater than 0")
    return seconds


async def _fetch(request: StatsRequest, as_json: bool) -> "ServerStats":
    from chatctl.client.client import ChatClient

    async with ChatClient(request.endpoint, request.timeout, None if as_json else notices.say) as client:
        return await client.stats(request.top, request.rooms)


async def _watch(request: StatsRequest, interval: float, as_json: bool, utc: bool, no_color: bool) -> int:
    from chatctl.cli.stats.watch import StatsLineView, WatchRun

    if sys.stdout.isatty() and not styling.is_dumb() and not as_json:
        from chatctl.cli.stats.dashboard import Dashboard

        dashboard = Dashboard(str(request.endpoint), utc, no_color)
        return await WatchRun(request, interval).run(dashboard, dashboard.draw)
    format_line = lines.watch_json_line if as_json else partial(lines.watch_text_line, utc=utc)
    return await WatchRun(request, interval).run(StatsLineView(format_line, as_json))
