"""`chatctl send`."""

import secrets
import sys
from enum import StrEnum
from typing import Annotated

import typer

from chatctl.cli import options, usage
from chatctl.cli.login import UserOption, login_name
from chatctl.cli.send.inputs import RecordInput, ResumeInput, TextInput, validate_origin
from chatctl.cli.send.output_files import open_output_files
from chatctl.cli.send.report import SendReport
from chatctl.cli.send.run import SendRun
from chatctl.cli.send.unconfirmed import read_unconfirmed
from chatctl.cli.streams import event_loop
from chatctl.cli.streams.json_lines import Origin
from chatctl.cli.streams.stdin_input import StdinInput
from chatctl.cli.terminal import notices
from chatctl.net import address


class SplitMode(StrEnum):
    """The end of a record of stdin."""

    LINE = "line"
    NONE = "none"
    NULL = "null"


SEPARATORS = {SplitMode.LINE: b"\n", SplitMode.NONE: None, SplitMode.NULL: b"\0"}

TEXT_HELP = "Send these words as one message. Without TEXT, or with -, send stdin, a message for each line."
TextArgument = Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help=TEXT_HELP, show_default=False)]
RoomOption = Annotated[str, typer.Option("--room", "-r", envvar="CHATCTL_ROOM", metavar="ROOM", help="Send to ROOM.")]
INPUT_ID_HELP = "Name this input: sent again under the same ID, nothing is stored twice."
InputIdOption = Annotated[str | None, typer.Option(metavar="ID", help=INPUT_ID_HELP, show_default="a random ID")]
SenderOption = Annotated[str | None, typer.Option(metavar="ID", hidden=True)]
SPLIT_HELP = "End a record of stdin at each newline (line), only at the end of stdin (none), or at each NUL byte (null)."
SplitOption = Annotated[SplitMode, typer.Option("--split", metavar="MODE", help=SPLIT_HELP)]
JSON_HELP = "Print a JSON receipt for each record, and errors as JSON."
JsonOption = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help=JSON_HELP)]
RECEIPTS_HELP = "Write the receipts to FILE, even if sending fails. `chatctl verify FILE` checks them."
ReceiptsOption = Annotated[str | None, typer.Option(metavar="FILE", help=RECEIPTS_HELP)]
REJECTS_HELP = "Write the rejected input to FILE, byte for byte."
RejectsOption = Annotated[str | None, typer.Option(metavar="FILE", help=REJECTS_HELP)]
UNCONFIRMED_HELP = "Write the records without a receipt to FILE, for --resume."
UnconfirmedOption = Annotated[str | None, typer.Option(metavar="FILE", help=UNCONFIRMED_HELP)]
RESUME_HELP = "Send the records in FILE, from an earlier --unconfirmed, to the room and with the user and input id in it."
ResumeOption = Annotated[str | None, typer.Option(metavar="FILE", help=RESUME_HELP)]
QUIET_HELP = "Show no progress and no summary."
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", envvar="CHATCTL_QUIET", help=QUIET_HELP)]


def send(
    context: typer.Context,
    text: TextArgument = None,
    server: options.ServerOption = address.DEFAULT_SERVER,
    room: RoomOption = "lobby",
    user: UserOption = None,
    input_id: InputIdOption = None,
    sender: SenderOption = None,
    split: SplitOption = SplitMode.LINE,
    invalid: options.InvalidOption = options.InvalidMode.REJECT,
    receipts: ReceiptsOption = None,
    rejects: RejectsOption = None,
    unconfirmed: UnconfirmedOption = None,
    resume: ResumeOption = None,
    timeout: options.TimeoutOption = "10s",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: options.NoColorOption = False,
) -> int:
    """Send TEXT, or each line of stdin, and wait until each message is on disk."""
    message = _message(context, text)
    _check_options(context, message)
    seconds, endpoint = options.parse_seconds("--timeout", timeout), options.parse_endpoint(server)
    if sender is not None:
        input_id = _input_id_of_sender(sender, input_id)
        if not quiet:
            notices.notifier(as_json)("--sender is deprecated: use --input-id")
    interactive = sys.stdin.isatty() and message is None and resume is None
    if resume is None:
        record_input: RecordInput = _make_input(message, split, invalid, interactive)
        origin = Origin(room, login_name() if user is None else user, secrets.token_hex(8) if input_id is None else input_id)
    elif records := read_unconfirmed(resume):
        record_input, origin = ResumeInput(resume, records), records.origin
    else:
        if not (as_json or quiet):
            notices.say(f"no unconfirmed records in {resume}")
        return 0
    validate_origin(origin)
    show_progress = message is None and not interactive and not quiet and sys.stderr.isatty()
    paths = {"--receipts": receipts, "--rejects": rejects, "--unconfirmed": unconfirmed}
    with open_output_files(paths, resume, notices.notifier(as_json)) as files:
        shown_server = server if options.needs_server_option(server) else ""
        report = SendReport(origin, record_input, files, shown_server, as_json, quiet)
        run = SendRun(report, "type messages, one a line; Ctrl-D ends" if interactive and not quiet else "")
        return event_loop.run(run.run(endpoint, seconds, show_progress, no_color))


def _message(context: typer.Context, text: list[str] | None) -> str | None:
    """Return the text of the arguments, or None for stdin."""
    reads_stdin = not text or (text == ["-"] and not usage.last_is_plain(context))
    return None if reads_stdin else " ".join(text or [])


def _check_options(context: typer.Context, message: str | None) -> None:
    """Refuse options that contradict each other, or do nothing together."""
    usage.refuse_pairs(context, ("--split", "--resume", "the records in FILE are split already"))
    usage.refuse_pairs(context, ("--invalid", "--resume", "the records in FILE are UTF-8"))
    if message is not None and usage.is_given(context, "--split"):
        context.fail("--split cannot be used with TEXT: it splits stdin")
    origin_given = any(usage.is_given(context, option) for option in ("--room", "--user", "--input-id", "--sender"))
    if usage.is_given(context, "--resume") and (context.params["text"] or origin_given):
        raise options.bad("--resume", "it excludes TEXT, --room, --user and --input-id")


def _make_input(message: str | None, split: SplitMode, invalid: options.InvalidMode, interactive: bool) -> RecordInput:
    """Return the input: TEXT, or stdin if that is None."""
    replaces = invalid is options.InvalidMode.REPLACE
    return StdinInput(SEPARATORS[split], interactive, replaces) if message is None else TextInput(message, replaces)


def _input_id_of_sender(sender: str, input_id: str | None) -> str:
    """Return the input id given as --sender. Raises BadParameter if --input-id has another value."""
    if input_id not in (None, sender):
        raise options.bad("--sender", "it is the old name of --input-id, which has another value: leave out --sender")
    return sender
