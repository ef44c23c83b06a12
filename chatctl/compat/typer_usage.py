"""The class of usage errors, their text, and options whose value is optional.

Library: Typer 0.26 to 0.28, which contains its own copy of Click since 0.26. It uses `BadParameter.__base__` and
`format_message`, which Typer does not document.

Symptoms without it:
- Typer exports BadParameter, but not UsageError, its base class. Unknown options and missing arguments could not be
  reported as other errors are. Nor does it export the error of an unknown option.
- An option cannot have an optional value: Typer does not support Click's `flag_value`
  (https://github.com/fastapi/typer/pull/872, closed).

Delete each part when scripts/check-workarounds reports it fixed.
"""

from collections.abc import Sequence

import typer

UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]
"""The base class of all errors in how a command was called."""


def usage_message(error: Exception) -> str:
    """Return the text of a usage error, which names the option that is wrong."""
    return error.format_message()  # type: ignore[attr-defined,no-any-return]


def with_default_value(arguments: list[str], names: Sequence[str], value: str) -> list[str]:
    """Return the arguments with a value after the option where it has none. `names` are those of the option."""
    followers = [*arguments[1:], "--"]
    return [
        f"{names[0]}={value}" if argument in names and follower.startswith("-") else argument
        for argument, follower in zip(arguments, followers, strict=True)
    ]


def unknown_option(error: Exception) -> str:
    """Return the option that a usage error does not know, or an empty string for another error."""
    return getattr(error, "option_name", "") if type(error).__name__ == "NoSuchOption" else ""
