"""`chatctl join`: the room for people, full-screen or line by line. Nothing else of chatctl imports Textual."""

import asyncio
import gc
import sys
from enum import StrEnum
from typing import Annotated

import typer

from chatctl.cli import options
from chatctl.cli.login import UserOption, login_name
from chatctl.cli.terminal import screen, times
from chatctl.model.limits import MAX_FILTERS
from chatctl.net import address
from chatctl.net.endpoint import Endpoint


class Theme(StrEnum):
    """What the terminal's background is."""

    DARK = "dark"
    LIGHT = "light"


ROOM_HELP = "The rooms to be in; lobby if there is none. (env var: CHATCTL_ROOM)"
Rooms = Annotated[list[str] | None, typer.Argument(metavar="[ROOM]...", help=ROOM_HELP, show_default=False)]
TIMEOUT_HELP = "Give up when the server has not answered for so long: 10s, 5m; 0 is never."
Timeout = Annotated[
    str | None,
    typer.Option(
        envvar="CHATCTL_TIMEOUT", metavar="DURATION", help=TIMEOUT_HELP, show_default="never; 10s if it is not full-screen"
    ),
]
PLAIN_HELP = "Line by line: stdin is sent to the first room, messages come out. So it is without a terminal, too."
PlainOption = Annotated[bool, typer.Option("--plain", help=PLAIN_HELP)]
JSON_HELP = "Line by line, with a JSON object for each message; notices and errors too."
Json = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help=JSON_HELP)]
LAST_HELP = "Line by line: begin with the last N messages."
Last = Annotated[int, typer.Option(metavar="N", min=0, help=LAST_HELP)]
THEME_HELP = "For a dark or a light terminal."
ThemeOption = Annotated[Theme | None, typer.Option(help=THEME_HELP, show_default="dark, unless COLORFGBG says light")]


def join(
    room: Rooms = None,
    server: options.ServerOption = address.DEFAULT_SERVER,
    user: UserOption = None,
    timeout: Timeout = None,
    plain: PlainOption = False,
    as_json: Json = False,
    last: Last = 0,
    utc: options.UtcOption = False,
    no_color: options.NoColorOption = False,
    theme: ThemeOption = None,
) -> int:
    """Be in rooms: see what comes, and talk. F1 shows the keys and commands."""
    rooms = [options.parse_name("ROOM", name) for name in room or [options.variable("CHATCTL_ROOM") or "lobby"]]
    rooms = list(dict.fromkeys(rooms))
    if len(rooms) > MAX_FILTERS:
        raise options.bad("ROOM", f"{len(rooms)} rooms are too many: at most {MAX_FILTERS}")
    user = login_name() if user is None else options.parse_name("--user", user)
    endpoint = options.parse_endpoint(server)
    seconds = None if timeout is None else options.parse_seconds("--timeout", timeout)
    if plain or as_json or not _is_terminal():
        from chatctl.cli.join.line_mode import LineMode

        return asyncio.run(LineMode(user, rooms, last, as_json, utc).run(endpoint, 10.0 if seconds is None else seconds))
    if utc:
        times.use_utc()
    light = theme is Theme.LIGHT if theme else screen.has_light_background()
    return asyncio.run(_run_full_screen(endpoint, seconds or 0.0, user, rooms, light))


def _is_terminal() -> bool:
    # Textual draws on stderr.
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)) and not screen.is_dumb(unset=True)


async def _run_full_screen(endpoint: Endpoint, timeout_seconds: float, user: str, rooms: list[str], light: bool) -> int:
    from chatctl.cli.join import exit_report
    from chatctl.cli.join.app import EXIT_TIMEOUT_SECONDS, ChatApp
    from chatctl.cli.join.session import Session
    from chatctl.cli.streams.signals import SignalHandler
    from chatctl.cli.terminal.screen import terminal_restorer
    from chatctl.client.client import ChatClient

    async with ChatClient(endpoint, timeout_seconds) as client, client.join(user, rooms) as stream:
        app = ChatApp(Session(client, stream, user, rooms), light)

        def request_exit() -> None:
            app.call_later(app.request_exit, interrupts.exit_code)  # in the app's own context, or its timers do nothing

        gc.freeze()  # what is there now stays: looking through it again and again would take 10 ms each time
        with terminal_restorer() as restore:
            # A terminal that was closed takes nothing any more, and Textual waits for it in the end, for ever.
            interrupts = SignalHandler(request_exit, request_exit, restore, EXIT_TIMEOUT_SECONDS + 1)
            code = await app.run_async()
        drafts = app.chat_screen.drafts
    stored = exit_report.report_unsent(stream.undelivered(), drafts, False)
    if app.failure and not code:
        raise app.failure
    return code or (app.return_code or 0) or int(not stored)
