"""`chatctl verify`."""

import asyncio
import os
from typing import Annotated

import typer

from chatctl.cli import options
from chatctl.cli.streams.stdin import STDIN
from chatctl.cli.terminal import escape
from chatctl.cli.verify.report import VerifyReport
from chatctl.net import address

RECEIPTS_HELP = "A file of receipts as `chatctl send --json` prints them; - is stdin."
ReceiptsArgument = Annotated[str, typer.Argument(metavar="RECEIPTS", help=RECEIPTS_HELP, show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="A JSON object for each fault; errors too.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", envvar="CHATCTL_QUIET", help="No summary.")]


def verify(
    file: ReceiptsArgument,
    server: options.ServerOption = address.DEFAULT_SERVER,
    timeout: options.TimeoutOption = "10s",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Ask a server whether everything that has a receipt is stored as it says, and show what is not."""
    endpoint, seconds = options.parse_endpoint(server), options.parse_seconds("--timeout", timeout)
    try:
        descriptor = STDIN if file == "-" else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        if os.path.isdir(descriptor):
            raise IsADirectoryError(0, "it is a directory")
    except OSError as error:
        name = escape.escape_text(file)
        raise typer.BadParameter(f"cannot open {name}: {error.strerror}", param_hint="'RECEIPTS'") from None
    return asyncio.run(VerifyReport(as_json, quiet).run(endpoint, seconds, descriptor))
