"""`chatctl verify`."""

from typing import Annotated

import typer

from chatctl.cli import options
from chatctl.cli.streams import event_loop
from chatctl.cli.streams.pipes import open_for_reading
from chatctl.cli.streams.stdin import STDIN
from chatctl.cli.terminal.escape import escape_text
from chatctl.cli.verify.report import VerifyReport
from chatctl.net import address

RECEIPTS_HELP = "Read receipts from this file, as `chatctl send --json` prints them; - is stdin."
ReceiptsArgument = Annotated[str, typer.Argument(metavar="RECEIPTS", help=RECEIPTS_HELP, show_default=False)]
JSON_HELP = "Print a JSON object for each fault, and errors as JSON."
JsonOption = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help=JSON_HELP)]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", envvar="CHATCTL_QUIET", help="Show no summary.")]


def verify(
    file: ReceiptsArgument,
    server: options.ServerOption = address.DEFAULT_SERVER,
    timeout: options.TimeoutOption = "10s",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Check that every message in RECEIPTS is stored as its receipt says."""
    endpoint, seconds = options.parse_endpoint(server), options.parse_seconds("--timeout", timeout)
    try:
        descriptor = STDIN if file == "-" else open_for_reading(file)
    except OSError as error:
        raise options.bad("RECEIPTS", f"cannot open {escape_text(file)}: {error.strerror}") from None
    return event_loop.run(VerifyReport(as_json, quiet).run(endpoint, seconds, descriptor))
