"""`chatctl stats`."""

import asyncio
import json
import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatctl.cli import options
from chatctl.cli.terminal import messages, screen, times
from chatctl.net import address
from chatctl.net.endpoint import Endpoint

if TYPE_CHECKING:
    from chatctl.model.stats import ServerStats


ROOM_HELP = "List only this room, beside the totals of all; may be given more than once."
RoomOption = Annotated[list[str] | None, typer.Option("--room", "-r", metavar="ROOM", help=ROOM_HELP)]
TOP_HELP = "How many rooms and users, those with most messages."
TopOption = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help=TOP_HELP)]
WATCH_HELP = "Go on, with an answer every so many seconds (without a number: 2); q or Ctrl-C ends it."
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
    """Show what a server keeps, and what goes on there."""
    rooms = options.parse_names("--room", room)
    seconds = options.parse_seconds("--timeout", timeout)
    if watch is not None:
        return asyncio.run(
            _watch(options.parse_endpoint(server), seconds, _watch_interval(watch), top, rooms, as_json, utc, no_color)
        )
    server_stats = asyncio.run(_fetch(options.parse_endpoint(server), seconds, top, rooms, as_json))
    if as_json:
        print(json.dumps(to_json(server_stats), ensure_ascii=False))
    else:
        from chatctl.cli.stats.report import print_stats

        print_stats(server_stats, utc, no_color)
    return 0


def prepare(arguments: list[str]) -> list[str]:
    """The arguments with a number behind every --watch, which may stand alone: Typer has no such option."""
    ends = [*arguments[1:], "--"]
    is_bare = [
        word in ("--watch", "-w") and following.startswith("-") for word, following in zip(arguments, ends, strict=True)
    ]
    return [f"--watch={DEFAULT_INTERVAL}" if bare else word for word, bare in zip(arguments, is_bare, strict=True)]


def _watch_interval(text: str) -> float:
    """The value of --watch, in seconds."""
    if (seconds := options.parse_seconds("--watch", text)) <= 0:
        raise options.bad("--watch", "0 is no time to wait")
    return seconds


async def _watch(
    endpoint: Endpoint,
    timeout: float,
    interval: float,
    top: int,
    rooms: tuple[str, ...],
    as_json: bool,
    utc: bool,
    no_color: bool,
) -> int:
    from chatctl.cli.stats.watch import StatsLineView, StatsView, WatchRun, json_line_format

    full_screen = sys.stdout.isatty() and not screen.is_dumb() and not as_json
    if full_screen:
        from chatctl.cli.stats.dashboard import Dashboard

        view: StatsView = Dashboard(str(endpoint), utc, no_color)
    else:
        view = StatsLineView(json_line_format(to_json) if as_json else partial(to_line, utc), as_json)
    return await WatchRun(endpoint, timeout, interval, top, rooms).run(view, full_screen)


def to_line(utc: bool, server_stats: "ServerStats") -> str:
    """What --watch prints where no terminal is looking."""
    from chatctl.cli.stats.charts import format_latency, format_rate, unreported_text

    log, activity = server_stats.stats, server_stats.activity
    if not server_stats.has_activity:
        totals = f"{log.num_messages} messages  {log.num_rooms} rooms  {log.num_users} users"
        return f"{times.current_time_of_day(utc)}  {totals}  activity {unreported_text(server_stats.version)}"
    return (
        f"{times.current_time_of_day(utc)}  {format_rate(activity.messages_per_second)}  {log.num_messages} messages  "
        f"{log.num_rooms} rooms  {log.num_users} users  {activity.followers} receiving  {activity.senders} sending  "
        f"commit {format_latency(activity.commit_median)} {format_latency(activity.commit_p99)}"
    )


async def _fetch(endpoint: Endpoint, seconds: float, top: int, rooms: tuple[str, ...], as_json: bool) -> "ServerStats":
    from chatctl.client.client import ChatClient

    async with ChatClient(endpoint, seconds, None if as_json else messages.say) as client:
        return await client.stats(top, rooms)


def to_json(server_stats: "ServerStats") -> dict[str, Any]:
    """What --json prints."""
    log = server_stats.stats

    def name_stats(kind: str, listed: Any) -> list[dict[str, Any]]:
        return [{kind: name, "num_messages": count, "last_time": times.rfc3339(time)} for name, count, time in listed]

    return {
        "num_messages": log.num_messages,
        "num_rooms": log.num_rooms,
        "num_users": log.num_users,
        "stored_bytes": log.stored_bytes,
        "rooms": name_stats("room", log.rooms),
        "users": name_stats("user", log.users),
        "uptime_seconds": server_stats.uptime_seconds,
        "version": server_stats.version,
        "log": server_stats.log,
        "head": server_stats.head,
        "store": server_stats.store,
        "limits": asdict(server_stats.limits),
        "activity": {
            **{name: getattr(server_stats.activity, name) for name in server_stats.activity.__slots__},
            "rooms": [room._asdict() for room in server_stats.activity.rooms],
        }
        if server_stats.has_activity
        else None,
        "present": [present._asdict() for present in server_stats.presence] if server_stats.has_activity else None,
    }
