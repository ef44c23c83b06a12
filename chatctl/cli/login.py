"""`chatctl send`."""

import getpass
from typing import Annotated

import typer

from chatctl.model.limits import name_error

UserOption = Annotated[
    str | None,
    typer.Option("--user", "-u", envvar="CHATCTL_USER", metavar="USER", help="Who sends.", show_default="your login name"),
]


def login_name() -> str:
    """Who runs this, as far as the system can tell and the rules for names allow."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "anonymous"
    return "anonymous" if name_error("user", login, 128) else login
