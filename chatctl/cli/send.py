"""`chatctl send`."""

import asyncio
import getpass
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chatctl import config
from chatctl.chat import name_error
from chatctl.cli import formats, leftovers, options
from chatctl.cli.files import OUTPUT_PART_SUFFIX, OutputFile
from chatctl.cli.interrupts import SignalHandler
from chatctl.cli.report import OutputFiles, SendReport
from chatctl.cli.sources import RecordInput, ResumeInput, StdinInput, TextInput
from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.client import SendStream

SHOW_CURSOR = b"\x1b[?25h\n"
INTERRUPT_SECONDS = 2.0  # how long Ctrl-C waits for receipts under way
PROGRESS_SECONDS = 0.5  # what is done sooner needs no progress


class SplitMode(StrEnum):
    """What ends a record of the input."""

    LINE = "line"
    NONE = "none"
    NULL = "null"


SEPARATORS = {SplitMode.LINE: b"\n", SplitMode.NONE: None, SplitMode.NULL: b"\0"}


TEXT_HELP = "The message, its words joined by spaces. Without it, or with -, stdin is sent, a message a line."
TextArgument = Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help=TEXT_HELP, show_default=False)]
RoomOption = Annotated[str, typer.Option("--room", "-r", envvar="CHATCTL_ROOM", metavar="ROOM", help="The room to send to.")]
UserOption = Annotated[
    str | None,
    typer.Option("--user", "-u", envvar="CHATCTL_USER", metavar="USER", help="Who sends.", show_default="your login name"),
]
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
    server: options.ServerOption = config.DEFAULT_SERVER,
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
    seconds, server = options.parse_seconds("--timeout", timeout), options.parse_address(server)
    user = login_name() if user is None else options.parse_name("--user", user)
    interactive = sys.stdin.isatty() and message is None and resume is None
    record_input: RecordInput = StdinInput(SEPARATORS[split], interactive) if message is None else TextInput(message)
    if resume is not None:
        if text or sender is not None:
            raise typer.BadParameter("it excludes TEXT and --sender", param_hint="'--resume'")
        if (unconfirmed_records := leftovers.read_unconfirmed(resume)) is None:
            if not (as_json or quiet):
                formats.say(f"nothing is left in {resume}")
            return 0
        record_input, room, user, sender = (
            ResumeInput(resume, unconfirmed_records),
            unconfirmed_records.room,
            unconfirmed_records.user,
            unconfirmed_records.input_id,
        )
    sender = secrets.token_hex(8) if sender is None else options.parse_name("--sender", sender)
    room = options.parse_name("--room", room)
    server_option = "" if server == os.environ.get("CHATCTL_SERVER", config.DEFAULT_SERVER) else server
    show_progress = message is None and not interactive and not quiet and sys.stderr.isatty()
    with output_files({"--receipts": receipts, "--rejects": rejects, "--unconfirmed": unconfirmed}, resume) as files:
        report = SendReport(server_option, room, user, sender, record_input, files, as_json, quiet)
        run = SendRun(report, "type messages, one a line; Ctrl-D ends" if interactive and not quiet else "")
        return asyncio.run(run.run(server, seconds, show_progress, no_color))


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


def login_name() -> str:
    """Who runs this, as far as the system can tell and the rules for names allow."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "anonymous"
    return "anonymous" if name_error("user", login, 128) else login


def show_cursor() -> None:
    """The progress may have hidden it."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), SHOW_CURSOR)


class SendRun:
    """One run of `send`: input goes in at one end, outcomes come out at the other."""

    def __init__(self, report: SendReport, prompt: str) -> None:
        """`prompt` is said once there is a server to type for."""
        self._report = report
        self._stream: SendStream | None = None
        self._feed_task: asyncio.Task[None] | None = None
        self._prompt = prompt

    async def run(self, server: str, seconds: float, show_progress: bool, no_color: bool) -> int:
        """Send everything; the exit code comes back, and all is told."""
        report = self._report
        self._signals = SignalHandler(self._interrupt, before_exit=show_cursor)
        task = asyncio.ensure_future(self._send(server, seconds))
        self._task = task
        progress = asyncio.ensure_future(self._show_progress(no_color)) if show_progress else None
        failure: ChatError | OSError | None = None
        try:
            await task
        except (ChatError, OSError) as error:
            failure = error
        except asyncio.CancelledError:
            if not self._signals.exit_code:
                raise
        finally:
            if progress:
                progress.cancel()
                await asyncio.wait([progress])
        if self._stream:
            for delivery in self._stream.undelivered():
                report.add(delivery)
        else:
            report.add_unsent()
        return report.finish(failure, self._signals.exit_code)

    async def _send(self, server: str, seconds: float) -> None:
        from chatctl.client import ChatClient

        report = self._report
        notify = None if report.as_json else formats.say
        async with (
            ChatClient(server, seconds, notify) as client,
            client.send(report.user, report.input_id, report.record_input.log) as stream,
        ):
            for option, value in (("--room", report.room), ("--user", report.user), ("--sender", report.input_id)):
                options.parse_name(option, value, stream.limits.name_bytes)
            if self._prompt:
                formats.say(self._prompt)
            report.set_log(stream)
            feed_task = asyncio.ensure_future(self._feed(stream))
            try:
                async for delivery in stream.reports():
                    report.add(delivery)
                await asyncio.wait([feed_task])
                if not feed_task.cancelled():
                    feed_task.result()  # the input may have failed
            finally:
                feed_task.cancel()
                await asyncio.wait([feed_task])

    async def _feed(self, stream: "SendStream") -> None:
        # Only from here on the sending knows of records: an interrupt before this must not forget those to resume.
        self._stream, self._feed_task = stream, asyncio.current_task()
        try:
            await self._report.record_input.feed(stream, self._report.room, self._report.rejects)
        finally:
            stream.finish()

    def _interrupt(self) -> None:
        if self._feed_task is None:
            self._task.cancel()
            return
        self._feed_task.cancel()
        if self._stream:
            self._stream.finish()
        asyncio.get_running_loop().call_later(INTERRUPT_SECONDS, self._task.cancel)

    async def _show_progress(self, no_color: bool) -> None:
        await asyncio.sleep(PROGRESS_SECONDS)
        from chatctl.cli.render.progress import SendProgress

        clock = asyncio.get_running_loop().time
        started = clock() - PROGRESS_SECONDS
        with SendProgress(self._report.record_input.total_bytes, no_color) as line:
            while True:
                confirmed, stop_position = self._report.confirmed, self._report.record_input.stop_position()
                line.show(confirmed, confirmed / (clock() - started), stop_position.byte if stop_position else None)
                await asyncio.sleep(0.2)
