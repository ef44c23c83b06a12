"""`chatctl stats`."""

import asyncio
import json
import os
import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatctl import config
from chatctl.cli import formats, options

if TYPE_CHECKING:
    from chatctl.client import ServerStats


ROOM_HELP = (
    "List only this room, beside the totals of all; may be given more than once. (env var: CHATCTL_ROOM, commas between)"
)
Rooms = Annotated[list[str] | None, typer.Option("--room", "-r", metavar="ROOM", help=ROOM_HELP)]
TOP_HELP = "How many rooms and users, those with most messages."
Top = Annotated[int, typer.Option(envvar="CHATCTL_TOP", min=1, max=1000, metavar="N", help=TOP_HELP)]
WATCH_HELP = "Go on, with an answer every so many seconds (without a number: 2); q or Ctrl-C ends it."
Watch = Annotated[str | None, typer.Option("--watch", "-w", envvar="CHATCTL_WATCH", metavar="[SECONDS]", help=WATCH_HELP)]
EVERY = "2"  # seconds


def stats(
    server: options.Server = config.DEFAULT_SERVER,
    watch: Watch = None,
    room: Rooms = None,
    top: Top = 100,
    timeout: options.Timeout = "10s",
    as_json: options.Json = False,
    utc: options.Utc = False,
    no_color: options.NoColor = False,
) -> int:
    """Show what a server keeps, and what goes on there."""
    rooms = options.filters("--room", room, "CHATCTL_ROOM")
    seconds = options.seconds("--timeout", timeout)
    if watch is not None:
        return asyncio.run(_watch(options.address(server), seconds, _interval(watch), top, rooms, as_json, utc, no_color))
    answer = asyncio.run(_ask(options.address(server), seconds, top, rooms, as_json))
    if as_json:
        print(json.dumps(as_object(answer), ensure_ascii=False))
    else:
        from chatctl.cli.render.stats import show_stats

        show_stats(answer, utc, no_color)
    return 0


def completed(arguments: list[str]) -> list[str]:
    """The arguments with a number behind every --watch, which may stand alone: Typer has no such option."""
    ends = [*arguments[1:], "--"]
    alone = [word in ("--watch", "-w") and then.startswith("-") for word, then in zip(arguments, ends, strict=True)]
    return [f"--watch={EVERY}" if bare else word for word, bare in zip(arguments, alone, strict=True)]


def _interval(text: str) -> float:
    """The value of --watch, in seconds."""
    if (seconds := options.seconds("--watch", text)) <= 0:
        raise typer.BadParameter("0 is no time to wait", param_hint="'--watch' (CHATCTL_WATCH)")
    return seconds


async def _watch(
    server: str, timeout: float, interval: float, top: int, rooms: list[str], as_json: bool, utc: bool, no_color: bool
) -> int:
    from chatctl.cli import watching

    full_screen = sys.stdout.isatty() and os.environ.get("TERM") not in formats.DUMB and not as_json
    if full_screen:
        from chatctl.cli.render.watch import Screen

        view: watching.View = Screen(server, utc, no_color)
    else:
        view = watching.Lines(watching.json_line(as_object) if as_json else partial(as_line, utc), as_json)
    return await watching.Watching(server, timeout, interval, top, rooms).main(view, full_screen)


def as_line(utc: bool, answer: "ServerStats") -> str:
    """What --watch prints where no terminal is looking."""
    from chatctl.cli.render.activity import latency, rate, unreported

    log, activity = answer.stats, answer.activity
    if not answer.has_activity:
        totals = f"{log.num_messages} messages  {log.num_rooms} rooms  {log.num_users} users"
        return f"{formats.time_of_day(utc)}  {totals}  activity {unreported(answer.version)}"
    return (
        f"{formats.time_of_day(utc)}  {rate(activity.messages_per_second)}  {log.num_messages} messages  "
        f"{log.num_rooms} rooms  {log.num_users} users  {activity.followers} receiving  {activity.senders} sending  "
        f"commit {latency(activity.commit_median)} {latency(activity.commit_p99)}"
    )


async def _ask(server: str, seconds: float, top: int, rooms: list[str], quiet: bool) -> "ServerStats":
    from chatctl.client import ChatClient

    async with ChatClient(server, seconds, None if quiet else formats.say) as chat:
        return await chat.stats(top, rooms)


def as_object(answer: "ServerStats") -> dict[str, Any]:
    """What --json prints."""
    log = answer.stats

    def figures(kind: str, listed: Any) -> list[dict[str, Any]]:
        return [{kind: name, "num_messages": count, "last_time": formats.rfc3339(time)} for name, count, time in listed]

    return {
        "num_messages": log.num_messages,
        "num_rooms": log.num_rooms,
        "num_users": log.num_users,
        "stored_bytes": log.stored_bytes,
        "rooms": figures("room", log.rooms),
        "users": figures("user", log.users),
        "uptime_seconds": answer.uptime_seconds,
        "version": answer.version,
        "log": answer.log,
        "head": answer.head,
        "store": answer.store,
        "limits": asdict(answer.limits),
        "activity": {
            **{name: getattr(answer.activity, name) for name in answer.activity.__slots__},
            "rooms": [room._asdict() for room in answer.activity.rooms],
        }
        if answer.has_activity
        else None,
        "present": [present._asdict() for present in answer.present] if answer.has_activity else None,
    }
