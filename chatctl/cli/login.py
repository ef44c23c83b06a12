"""The user name that `send` and `join` use."""

import getpass
from typing import Annotated

import typer

from chatctl.model.limits import name_error

UserOption = Annotated[
    str | None,
    typer.Option(
        "--user", "-u", envvar="CHATCTL_USER", metavar="USER", help="Send as USER.", show_default="your login name"
    ),
]


def login_name() -> str:
    """Return the login name of this process's user, or `anonymous` if there is none or it breaks the rules for names."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "anonymous"
    return "anonymous" if name_error("user", login, 128) else login
