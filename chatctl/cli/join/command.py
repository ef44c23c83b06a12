"""`chatctl join`: full-screen or line by line. No other command imports Textual."""

import gc
import sys
from enum import StrEnum
from typing import Annotated

import typer

from chatctl.cli import options, usage
from chatctl.cli.login import UserOption, login_name
from chatctl.cli.streams import event_loop
from chatctl.cli.terminal import notices, screen, styling, times
from chatctl.cli.terminal.escape import escape_name
from chatctl.model.limits import MAX_FILTERS
from chatctl.net import address
from chatctl.net.endpoint import Endpoint


class Theme(StrEnum):
    """The background of the terminal."""

    DARK = "dark"
    LIGHT = "light"


ROOM_HELP = "The rooms to join; lobby if none is given. (env var: CHATCTL_ROOM)"
Rooms = Annotated[list[str] | None, typer.Argument(metavar="[ROOM]...", help=ROOM_HELP, show_default=False)]
TIMEOUT_HELP = "Give up after this time without a response that is due: 10s, 5m; 0 means never."
Timeout = Annotated[
    str | None,
    typer.Option(envvar="CHATCTL_TIMEOUT", metavar="DURATION", help=TIMEOUT_HELP, show_default="never; 10s line by line"),
]
PLAIN_HELP = "Send the lines of stdin to the first room, and print messages. The default without a terminal."
PlainOption = Annotated[bool, typer.Option("--plain", help=PLAIN_HELP)]
JSON_HELP = "Like --plain, but print JSON, also for notices and errors."
Json = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help=JSON_HELP)]
LAST_HELP = "Print the last N messages first; line by line only."
Last = Annotated[int, typer.Option(metavar="N", min=0, help=LAST_HELP)]
FULL_SCREEN_ONLY = "line mode has no theme"
THEME_HELP = "Use colours for a dark or a light background; full-screen only."
ThemeOption = Annotated[Theme | None, typer.Option(help=THEME_HELP, show_default="by COLORFGBG, else dark")]


def join(
    context: typer.Context,
    room: Rooms = None,
    server: options.ServerOption = address.DEFAULT_SERVER,
    user: UserOption = None,
    timeout: Timeout = None,
    plain: PlainOption = False,
    as_json: Json = False,
    last: Last = 0,
    invalid: options.InvalidOption = options.InvalidMode.REJECT,
    utc: options.UtcOption = False,
    no_color: options.NoColorOption = False,
    theme: ThemeOption = None,
) -> int:
    """Join rooms to read and send messages. F1 shows the keys and commands."""
    usage.refuse_pairs(context, ("--theme", "--plain", FULL_SCREEN_ONLY), ("--theme", "--json", FULL_SCREEN_ONLY))
    rooms = list(dict.fromkeys(_parse_rooms(room)))
    if len(rooms) > MAX_FILTERS:
        raise options.bad("ROOM", f"cannot join {len(rooms)} rooms: at most {MAX_FILTERS} are possible")
    user = login_name() if user is None else options.parse_name("--user", user)
    endpoint = options.parse_endpoint(server)
    seconds = None if timeout is None else options.parse_seconds("--timeout", timeout)
    no_full_screen = _no_full_screen_reason()
    if plain or as_json or no_full_screen:
        from chatctl.cli.join.line_mode import LineMode

        if not (plain or as_json) and sys.stdin.isatty():
            notices.say(f"{no_full_screen}: each line that you type is sent to {escape_name(rooms[0])}, as with --plain")
        mode = LineMode(user, rooms, last, as_json, utc, invalid is options.InvalidMode.REPLACE)
        return event_loop.run(mode.run(endpoint, 10.0 if seconds is None else seconds))
    if usage.is_given(context, "--last"):
        context.fail("--last needs --plain or --json: the full screen shows older messages as you scroll")
    if usage.is_given(context, "--invalid"):
        context.fail("--invalid needs --plain or --json: the full screen takes only UTF-8")
    if utc:
        times.use_utc()
    light = theme is Theme.LIGHT if theme else screen.has_light_background()
    return event_loop.run(_run_full_screen(endpoint, seconds or 0.0, user, rooms, light))


def _parse_rooms(given: list[str] | None) -> list[str]:
    if given:
        return [options.parse_name("ROOM", name) for name in given]
    name = options.variable("CHATCTL_ROOM")
    return [options.parse_name("CHATCTL_ROOM" if name else "ROOM", name or "lobby")]


def _no_full_screen_reason() -> str:
    """Return why the full screen is not possible; empty if it is."""
    # Textual draws on stderr.
    for name, stream in (("stdin", sys.stdin), ("stdout", sys.stdout), ("stderr", sys.stderr)):
        if not stream.isatty():
            return f"{name} is not a terminal"
    return "TERM names no terminal with a screen" if styling.is_dumb(unset=True) else ""


async def _run_full_screen(endpoint: Endpoint, timeout_seconds: float, user: str, rooms: list[str], light: bool) -> int:
    from chatctl.cli.join import exit_report
    from chatctl.cli.join.app import EXIT_TIMEOUT_SECONDS, ChatApp
    from chatctl.cli.join.session import Session
    from chatctl.cli.streams import descriptors
    from chatctl.cli.streams.signals import SignalHandler
    from chatctl.cli.terminal.screen import terminal_restorer
    from chatctl.client.client import ChatClient

    async with ChatClient(endpoint, timeout_seconds) as client, client.join(user, rooms) as stream:
        app = ChatApp(Session(client, stream, user, rooms), light)

        def request_exit() -> None:
            app.call_later(app.request_exit, signals.exit_code)  # in the context of the app, which its timers need

        gc.freeze()  # the modules stay: without this, each full collection takes 10 ms
        with terminal_restorer() as restore:
            # Textual waits without limit for a terminal that was closed, hence the time limit.
            signals = SignalHandler(request_exit, request_exit, restore, EXIT_TIMEOUT_SECONDS + 1)
            descriptors.use_for_screen()
            code = await app.run_async()
            if descriptors.output(sys.stderr.fileno()).has_stalled:
                restore()
        drafts = app.chat_screen.drafts
    stored = exit_report.report_unsent(stream, drafts, False)
    if app.crash:
        return exit_report.report_crash(app.crash)
    if app.failure and not code:
        raise app.failure
    return code or (app.return_code or 0) or int(not stored)
