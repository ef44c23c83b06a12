"""Options that several commands share, and what their values mean."""

import os
import sys
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from chatctl import errors
from chatctl.cli.terminal import escape, messages
from chatctl.config.values import parse_duration, parse_time
from chatctl.model import limits
from chatctl.model.limits import name_error
from chatctl.net.endpoint import Endpoint

T = TypeVar("T")

ServerOption = Annotated[
    str,
    typer.Option("--server", "-s", envvar="CHATCTL_SERVER", metavar="ADDRESS", help="HOST:PORT or unix:PATH of the server."),
]
TimeoutOption = Annotated[
    str,
    typer.Option(
        envvar="CHATCTL_TIMEOUT",
        metavar="DURATION",
        help="Give up when the server has not answered for so long: 10s, 5m, 1h30m; 0 is never.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="JSON for programs, errors too.")]
NoColorOption = Annotated[bool, typer.Option("--no-color", envvar="CHATCTL_NO_COLOR", help="No colour (as NO_COLOR).")]
UtcOption = Annotated[bool, typer.Option("--utc", envvar="CHATCTL_UTC", help="Show times in UTC and not in local time.")]


def parse_value(option: str, parse: Callable[[str], T], text: str) -> T:
    """What a value means. Raises BadParameter, which names the option."""
    try:
        return parse(text)
    except errors.InvalidValue as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from None


def parse_seconds(option: str, text: str) -> float:
    """A duration, in seconds."""
    return parse_value(option, parse_duration, text) / 1_000_000


def parse_moment(option: str, text: str | None) -> int | None:
    """The value of --since or --until: microseconds since 1970."""
    if text is None:
        return None
    now = time.time_ns() // 1000
    return parse_value(option, lambda text: parse_time(text, now), text)


def is_past_duration(text: str) -> bool:
    """Whether a moment is written as how long it is ago."""
    return text[-1:] in "smhd" and not text.startswith("+")


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint that the value of --server names. Raises BadParameter."""
    return parse_value("--server", Endpoint.parse, text)


MAX_NUMBER = 2**53 - 1
"""No count needs to be larger: MAX_NUMBER of the contract."""


def parse_text(option: str, value: str | None) -> str:
    """A text that can be sent; empty for none. Raises BadParameter."""
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("it is not UTF-8", param_hint=f"'{option}'") from None
    return value or ""


def parse_name(option: str, value: str, limit: int = limits.MAX_NAME_BYTES) -> str:
    """The name of a room, user or sender. Raises BadParameter unless it can be one, on some server at least."""
    if error := name_error(option.lstrip("-"), value, limit):
        raise typer.BadParameter(error, param_hint=f"'{option}'")
    return value


def repeated(values: list[str] | None, variable: str) -> list[str]:
    """The values of a repeatable option, else those of its variable, with commas between (Click would split at spaces)."""
    return values or [value for value in os.environ.get(variable, "").split(",") if value]


def parse_filter_names(option: str, values: list[str] | None, variable: str) -> list[str]:
    """The rooms or users a reader asks for. At a terminal it is said when the environment does."""
    names = [parse_name(option, value) for value in repeated(values, variable)]
    if names and not values and sys.stderr.isatty():
        messages.say(f"only {', '.join(map(escape.escape_name, names))}, as {variable} says")
    return names
