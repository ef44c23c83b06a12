"""`chatctl send`."""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from chatctl.cli import options
from chatctl.cli.login import UserOption, login_name
from chatctl.cli.send import unconfirmed as leftovers
from chatctl.cli.send.inputs import RecordInput, ResumeInput, TextInput
from chatctl.cli.send.report import OutputFiles, SendReport
from chatctl.cli.send.run import SendRun
from chatctl.cli.streams.files import OUTPUT_PART_SUFFIX, OutputFile
from chatctl.cli.streams.stdin_input import StdinInput
from chatctl.cli.terminal import messages
from chatctl.net import address


class SplitMode(StrEnum):
    """What ends a record of the input."""

    LINE = "line"
    NONE = "none"
    NULL = "null"


SEPARATORS = {SplitMode.LINE: b"\n", SplitMode.NONE: None, SplitMode.NULL: b"\0"}


TEXT_HELP = "The message, its words joined by spaces. Without it, or with -, stdin is sent, a message a line."
TextArgument = Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help=TEXT_HELP, show_default=False)]
RoomOption = Annotated[str, typer.Option("--room", "-r", envvar="CHATCTL_ROOM", metavar="ROOM", help="The room to send to.")]
INPUT_ID_HELP = "The name of this input: sent again under it, nothing is stored twice."
InputIdOption = Annotated[str | None, typer.Option(metavar="SENDER", help=INPUT_ID_HELP, show_default="a random one")]
SPLIT_HELP = "What ends a message of stdin: line (its end), none (only the end of stdin) or null (a NUL)."
SplitOption = Annotated[SplitMode, typer.Option("--split", envvar="CHATCTL_SPLIT", metavar="AT", help=SPLIT_HELP)]
JsonOption = Annotated[
    bool, typer.Option("--json", envvar="CHATCTL_JSON", help="A JSON receipt for each record; errors too.")
]
RECEIPTS_HELP = "Write the receipts of --json to FILE, also when the sending fails; `chatctl verify FILE` checks them."
ReceiptsOption = Annotated[str | None, typer.Option(envvar="CHATCTL_RECEIPTS", metavar="FILE", help=RECEIPTS_HELP)]
REJECTS_HELP = "Write to FILE what was rejected, byte for byte."
RejectsOption = Annotated[str | None, typer.Option("--rejects", envvar="CHATCTL_REJECTS", metavar="FILE", help=REJECTS_HELP)]
UNCONFIRMED_HELP = "Write to FILE what was read and has no receipt, for --resume."
UnconfirmedOption = Annotated[str | None, typer.Option(envvar="CHATCTL_UNCONFIRMED", metavar="FILE", help=UNCONFIRMED_HELP)]
RESUME_HELP = "Instead of TEXT or stdin, send what an earlier run wrote with --unconfirmed; room, user and sender are in it."
ResumeOption = Annotated[str | None, typer.Option(envvar="CHATCTL_RESUME", metavar="FILE", help=RESUME_HELP)]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", envvar="CHATCTL_QUIET", help="No progress and no summary.")]


def send(
    text: TextArgument = None,
    server: options.ServerOption = address.DEFAULT_SERVER,
    room: RoomOption = "lobby",
    user: UserOption = None,
    sender: InputIdOption = None,
    split: SplitOption = SplitMode.LINE,
    receipts: ReceiptsOption = None,
    rejects: RejectsOption = None,
    unconfirmed: UnconfirmedOption = None,
    resume: ResumeOption = None,
    timeout: options.TimeoutOption = "10s",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: options.NoColorOption = False,
) -> int:
    """Send a message, or every line of stdin, and wait until each has its receipt: then it is on disk."""
    message = " ".join(text) if text and text != ["-"] else None
    seconds, endpoint = options.parse_seconds("--timeout", timeout), options.parse_endpoint(server)
    user = login_name() if user is None else options.parse_name("--user", user)
    interactive = sys.stdin.isatty() and message is None and resume is None
    record_input: RecordInput = StdinInput(SEPARATORS[split], interactive) if message is None else TextInput(message)
    if resume is not None:
        if text or sender is not None:
            raise typer.BadParameter("it excludes TEXT and --sender", param_hint="'--resume'")
        if (unconfirmed_records := leftovers.read_unconfirmed(resume)) is None:
            if not (as_json or quiet):
                messages.say(f"nothing is left in {resume}")
            return 0
        record_input, room, user, sender = (
            ResumeInput(resume, unconfirmed_records),
            unconfirmed_records.room,
            unconfirmed_records.user,
            unconfirmed_records.input_id,
        )
    sender = secrets.token_hex(8) if sender is None else options.parse_name("--sender", sender)
    room = options.parse_name("--room", room)
    server_option = "" if server == os.environ.get("CHATCTL_SERVER", address.DEFAULT_SERVER) else server
    show_progress = message is None and not interactive and not quiet and sys.stderr.isatty()
    with output_files({"--receipts": receipts, "--rejects": rejects, "--unconfirmed": unconfirmed}, resume) as files:
        report = SendReport(server_option, room, user, sender, record_input, files, as_json, quiet)
        run = SendRun(report, "type messages, one a line; Ctrl-D ends" if interactive and not quiet else "")
        return asyncio.run(run.run(endpoint, seconds, show_progress, no_color))


@contextmanager
def output_files(paths: dict[str, str | None], resume: str | None) -> Iterator[OutputFiles]:
    """The files asked for by these options, ready to be written; discarded if they are not closed. Raises BadParameter."""
    resume_path = os.path.realpath(resume) if resume else ""
    used_paths = {resume_path: "what --resume reads: name another file"}
    files = OutputFiles()
    try:
        for option, path in paths.items():
            if path is None:
                continue
            real_path = os.path.realpath(path)
            part = real_path + OUTPUT_PART_SUFFIX
            replaces_resumed = option == "--unconfirmed" and real_path == resume_path and part not in used_paths
            conflict = (
                ""
                if replaces_resumed
                else used_paths.get(real_path) or used_paths.get(part) or _overwrite_error(option, path)
            )
            if conflict:
                raise typer.BadParameter(f"{path} is {conflict}", param_hint=f"'{option}'")
            used_paths[real_path], used_paths[part] = (
                "named twice: name a file for each",
                "where another is written until the end",
            )
            setattr(files, option.removeprefix("--"), OutputFile(option, path))
        yield files
    finally:
        files.discard()


def _overwrite_error(option: str, path: str) -> str:
    """Whether records of an earlier run would be lost."""
    has_records = option == "--unconfirmed" and os.path.isfile(path) and os.path.getsize(path)
    return f"not empty; send what it holds with --resume {path}, or name another file" if has_records else ""
