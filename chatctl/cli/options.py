"""Options that several commands share, and how the value of an option is found.

The order is: flag, environment variable, default. Typer reads the variable of each option that declares one; a list is
read here, since Click would split it at spaces. A value that depends on where the user works (a context) belongs
between variable and default: pass it to the app as Click's `default_map`, in `cli/app.py`.
"""

import os
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from chatctl import errors
from chatctl.config.moments import parse_time
from chatctl.config.values import parse_duration
from chatctl.model import limits
from chatctl.model.limits import name_error
from chatctl.net.address import DEFAULT_SERVER
from chatctl.net.endpoint import Endpoint

T = TypeVar("T")

ServerOption = Annotated[
    str,
    typer.Option("--server", "-s", envvar="CHATCTL_SERVER", metavar="ADDRESS", help="Connect to HOST:PORT or unix:PATH."),
]
TimeoutOption = Annotated[
    str,
    typer.Option(
        envvar="CHATCTL_TIMEOUT",
        metavar="DURATION",
        help="Give up after this time without a response that is due: 10s, 5m, 1h30m; 0 means never.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="Print JSON, also for errors.")]
NoColorOption = Annotated[bool, typer.Option("--no-color", envvar="CHATCTL_NO_COLOR", help="Print no colours or styles.")]
UtcOption = Annotated[bool, typer.Option("--utc", envvar="CHATCTL_UTC", help="Show times in UTC, not in local time.")]


class InvalidMode(StrEnum):
    """What becomes of bytes that are not UTF-8."""

    REJECT = "reject"
    REPLACE = "replace"


INVALID_HELP = "Reject a record that is not UTF-8 (reject), or replace its invalid bytes by U+FFFD (replace)."
InvalidOption = Annotated[InvalidMode, typer.Option("--invalid", metavar="MODE", help=INVALID_HELP)]

REMOVED_VARIABLES = {
    "join": ("last", "plain", "theme"),
    "send": ("receipts", "rejects", "resume", "split", "unconfirmed"),
    "history": (
        *("after", "count", "cursor-file", "exec", "exec-retries", "follow", "grep", "last", "limit"),
        *("since", "until", "wait"),
    ),
    "stats": ("top", "watch"),
}
"""The options of each command that had an environment variable in 0.1.0.

Delete it, its notices and its use in `exec_command` with 0.3.0.
"""


def removed_variables(command: str) -> Iterator[str]:
    """Yield a notice for each variable that is set and that this command of 0.1.0 read."""
    for option in REMOVED_VARIABLES.get(command, ()):
        if os.environ.get(name := variable_name(option)):
            yield f"{name} is set but no longer read: use --{option}"


def variable_name(option: str) -> str:
    """Return the name of the environment variable of an option, which is written without its dashes in front."""
    return f"CHATCTL_{option.upper().replace('-', '_')}"


def bad(option: str, text: str) -> typer.BadParameter:
    """Return the usage error for the value of an option or argument."""
    return typer.BadParameter(text, param_hint=f"'{option}'")


def parse_value(option: str, parse: Callable[[str], T], text: str) -> T:
    """Return the parsed value. Raises BadParameter, which names the option."""
    try:
        return parse(text)
    except errors.InvalidValue as error:
        raise bad(option, str(error)) from None


def parse_seconds(option: str, text: str) -> float:
    """Return a duration in seconds. Raises BadParameter."""
    return parse_value(option, parse_duration, text) / 1_000_000


def parse_moment(option: str, text: str | None, latest: bool = False) -> int | None:
    """Return the value of --since or --until in microseconds since 1970, by this machine's clock. Raises BadParameter.

    With `latest`, a local time that occurs twice is the second one.
    """
    if text is None:
        return None
    now = time.time_ns() // 1000
    return parse_value(option, lambda text: parse_time(text, now, latest), text)


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint that the value of --server names. Raises BadParameter."""
    return parse_value("--server", Endpoint.parse, text)


def parse_text(option: str, value: str | None) -> str:
    """Return a text that can be sent, empty for None. Raises BadParameter."""
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise bad(option, "the value is not UTF-8") from None
    return value or ""


def parse_name(option: str, value: str, limit: int = limits.MAX_NAME_BYTES) -> str:
    """Return the name of a room, user or input. Raises BadParameter for a name that no server accepts."""
    if error := name_error(option.lstrip("-").replace("-", " ").lower(), value, limit):
        raise bad(option, error)
    return value


def parse_names(option: str, values: list[str] | None) -> tuple[str, ...]:
    """Return the names of a filter that may be repeated. Raises BadParameter."""
    return tuple(parse_name(option, value) for value in values or ())


def variable(name: str) -> str:
    """Return the value of an environment variable that Typer cannot read, empty if it is not set."""
    return os.environ.get(name, "")


def repeated(values: list[str] | None, name: str) -> list[str]:
    """Return the values of a repeatable option, or those of its variable, which has commas between them."""
    return values or [value for value in variable(name).split(",") if value]


def needs_server_option(server: str) -> bool:
    """Return whether a command needs --server to find the same server again in this environment."""
    return server != (variable("CHATCTL_SERVER") or DEFAULT_SERVER)
