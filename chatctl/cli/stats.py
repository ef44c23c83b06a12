"""`chatctl stats`."""

import asyncio
import json
from dataclasses import asdict
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


def stats(
    server: options.Server = config.DEFAULT_SERVER,
    room: Rooms = None,
    top: Top = 100,
    timeout: options.Timeout = "10s",
    as_json: options.Json = False,
    utc: options.Utc = False,
    no_color: options.NoColor = False,
) -> None:
    """Show what a server keeps: messages, rooms, users, limits."""
    rooms = options.filters("--room", room, "CHATCTL_ROOM")
    seconds = options.seconds("--timeout", timeout)
    answer = asyncio.run(_ask(options.address(server), seconds, top, rooms, as_json))
    if as_json:
        print(json.dumps(as_object(answer), ensure_ascii=False))
    else:
        from chatctl.cli.render.stats import show_stats

        show_stats(answer, utc, no_color)


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
    }
