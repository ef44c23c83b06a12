"""Options that several commands share, and what their values mean."""

import os
import sys
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from chatctl import config
from chatctl.chat import name_fault
from chatctl.cli import formats

T = TypeVar("T")

Server = Annotated[
    str,
    typer.Option("--server", "-s", envvar="CHATCTL_SERVER", metavar="ADDRESS", help="HOST:PORT or unix:PATH of the server."),
]
Timeout = Annotated[
    str,
    typer.Option(
        envvar="CHATCTL_TIMEOUT",
        metavar="DURATION",
        help="Give up when the server has not answered for so long: 10s, 5m, 1h30m; 0 is never.",
    ),
]
Json = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="JSON for programs, errors too.")]
NoColor = Annotated[bool, typer.Option("--no-color", envvar="CHATCTL_NO_COLOR", help="No colour (as NO_COLOR).")]
Utc = Annotated[bool, typer.Option("--utc", envvar="CHATCTL_UTC", help="Show times in UTC and not in local time.")]


def meant(option: str, read: Callable[[str], T], text: str) -> T:
    """What a value means. Raises BadParameter, which names the option."""
    try:
        return read(text)
    except config.BadValue as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from None


def seconds(option: str, text: str) -> float:
    """A duration, in seconds."""
    return meant(option, config.duration, text) / 1_000_000


def moment(option: str, text: str | None) -> int | None:
    """The value of --since or --until: microseconds since 1970."""
    if text is None:
        return None
    now = time.time_ns() // 1000
    return meant(option, lambda text: config.moment(text, now), text)


def is_ago(text: str) -> bool:
    """Whether a moment is written as how long it is ago."""
    return text[-1:] in "smhd" and not text.startswith("+")


def address(text: str) -> str:
    """The value of --server, as it was written."""
    meant("--server", config.address, text)
    return text


MOST = 2**53 - 1
"""No count needs to be larger: MAX_NUMBER of the contract."""


def utf8(option: str, value: str | None) -> str:
    """A text that can be sent; empty for none. Raises BadParameter."""
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("it is not UTF-8", param_hint=f"'{option}'") from None
    return value or ""


def name(option: str, value: str, limit: int = config.MAX_NAME_BYTES) -> str:
    """The name of a room, user or sender. Raises BadParameter unless it can be one, on some server at least."""
    if fault := name_fault(option.lstrip("-"), value, limit):
        raise typer.BadParameter(fault, param_hint=f"'{option}'")
    return value


def several(values: list[str] | None, variable: str) -> list[str]:
    """The values of a repeatable option, else those of its variable, with commas between (Click would split at spaces)."""
    return values or [value for value in os.environ.get(variable, "").split(",") if value]


def filters(option: str, values: list[str] | None, variable: str) -> list[str]:
    """The rooms or users a reader asks for. At a terminal it is said when the environment does."""
    found = [name(option, value) for value in several(values, variable)]
    if found and not values and sys.stderr.isatty():
        formats.say(f"only {', '.join(map(formats.visible_name, found))}, as {variable} says")
    return found
