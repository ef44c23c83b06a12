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
from chatctl.chat import name_fault
from chatctl.cli import formats, leftovers, options
from chatctl.cli.files import SUFFIX, OutputFile
from chatctl.cli.interrupts import Interrupts
from chatctl.cli.report import Files, Report
from chatctl.cli.sources import Kept, Source, Stdin, Words
from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.client import Sending

SHOW_CURSOR = b"\x1b[?25h\n"
INTERRUPT_SECONDS = 2.0  # how long Ctrl-C waits for receipts under way
PROGRESS_SECONDS = 0.5  # what is done sooner needs no progress


class Split(StrEnum):
    """What ends a record of the input."""

    LINE = "line"
    NONE = "none"
    NULL = "null"


SEPARATORS = {Split.LINE: b"\n", Split.NONE: None, Split.NULL: b"\0"}


TEXT_HELP = "The message, its words joined by spaces. Without it, or with -, stdin is sent, a message a line."
Text = Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help=TEXT_HELP, show_default=False)]
Room = Annotated[str, typer.Option("--room", "-r", envvar="CHATCTL_ROOM", metavar="ROOM", help="The room to send to.")]
User = Annotated[
    str | None,
    typer.Option("--user", "-u", envvar="CHATCTL_USER", metavar="USER", help="Who sends.", show_default="your login name"),
]
SENDER_HELP = "The name of this input: sent again under it, nothing is stored twice."
Sender = Annotated[str | None, typer.Option(metavar="SENDER", help=SENDER_HELP, show_default="a random one")]
SPLIT_HELP = "What ends a message of stdin: line (its end), none (only the end of stdin) or null (a NUL)."
SplitOption = Annotated[Split, typer.Option("--split", envvar="CHATCTL_SPLIT", metavar="AT", help=SPLIT_HELP)]
Json = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="A JSON receipt for each record; errors too.")]
RECEIPTS_HELP = "Write the receipts of --json to FILE, also when the sending fails; `chatctl verify FILE` checks them."
Receipts = Annotated[str | None, typer.Option(envvar="CHATCTL_RECEIPTS", metavar="FILE", help=RECEIPTS_HELP)]
REJECTS_HELP = "Write to FILE what was rejected, byte for byte."
RejectsOption = Annotated[str | None, typer.Option("--rejects", envvar="CHATCTL_REJECTS", metavar="FILE", help=REJECTS_HELP)]
UNCONFIRMED_HELP = "Write to FILE what was read and has no receipt, for --resume."
Unconfirmed = Annotated[str | None, typer.Option(envvar="CHATCTL_UNCONFIRMED", metavar="FILE", help=UNCONFIRMED_HELP)]
RESUME_HELP = "Instead of TEXT or stdin, send what an earlier run wrote with --unconfirmed; room, user and sender are in it."
Resume = Annotated[str | None, typer.Option(envvar="CHATCTL_RESUME", metavar="FILE", help=RESUME_HELP)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", envvar="CHATCTL_QUIET", help="No progress and no summary.")]


def send(
    text: Text = None,
    server: options.Server = config.DEFAULT_SERVER,
    room: Room = "lobby",
    user: User = None,
    sender: Sender = None,
    split: SplitOption = Split.LINE,
    receipts: Receipts = None,
    rejects: RejectsOption = None,
    unconfirmed: Unconfirmed = None,
    resume: Resume = None,
    timeout: options.Timeout = "10s",
    as_json: Json = False,
    quiet: Quiet = False,
    no_color: options.NoColor = False,
) -> int:
    """Send a message, or every line of stdin, and wait until each has its receipt: then it is on disk."""
    words = " ".join(text) if text and text != ["-"] else None
    seconds, server = options.seconds("--timeout", timeout), options.address(server)
    user = login_name() if user is None else options.name("--user", user)
    typed = sys.stdin.isatty() and words is None and resume is None
    source: Source = Stdin(SEPARATORS[split], typed) if words is None else Words(words)
    if resume is not None:
        if text or sender is not None:
            raise typer.BadParameter("it excludes TEXT and --sender", param_hint="'--resume'")
        if (left := leftovers.read(resume)) is None:
            if not (as_json or quiet):
                formats.say(f"nothing is left in {resume}")
            return 0
        source, room, user, sender = Kept(resume, left), left.room, left.user, left.sender
    sender = secrets.token_hex(8) if sender is None else options.name("--sender", sender)
    room = options.name("--room", room)
    named = "" if server == os.environ.get("CHATCTL_SERVER", config.DEFAULT_SERVER) else server
    shows_progress = words is None and not typed and not quiet and sys.stderr.isatty()
    with output_files({"--receipts": receipts, "--rejects": rejects, "--unconfirmed": unconfirmed}, resume) as files:
        report = Report(named, room, user, sender, source, files, as_json, quiet)
        run = Run(report, "type messages, one a line; Ctrl-D ends" if typed and not quiet else "")
        return asyncio.run(run.main(server, seconds, shows_progress, no_color))


@contextmanager
def output_files(paths: dict[str, str | None], resume: str | None) -> Iterator[Files]:
    """The files asked for by these options, ready to be written; discarded if they are not closed. Raises BadParameter."""
    read = os.path.realpath(resume) if resume else ""
    seen = {read: "what --resume reads: name another file"}
    files = Files()
    try:
        for option, path in paths.items():
            if path is None:
                continue
            place = os.path.realpath(path)
            part = place + SUFFIX
            finished = option == "--unconfirmed" and place == read and part not in seen
            taken = "" if finished else seen.get(place) or seen.get(part) or _kept(option, path)
            if taken:
                raise typer.BadParameter(f"{path} is {taken}", param_hint=f"'{option}'")
            seen[place], seen[part] = "named twice: name a file for each", "where another is written until the end"
            setattr(files, option.removeprefix("--"), OutputFile(option, path))
        yield files
    finally:
        files.discard()


def _kept(option: str, path: str) -> str:
    """Whether records of an earlier run would be lost."""
    holds = option == "--unconfirmed" and os.path.isfile(path) and os.path.getsize(path)
    return f"not empty; send what it holds with --resume {path}, or name another file" if holds else ""


def login_name() -> str:
    """Who runs this, as far as the system can tell and the rules for names allow."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "anonymous"
    return "anonymous" if name_fault("user", login, 128) else login


def _show_cursor() -> None:
    """The progress may have hidden it."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), SHOW_CURSOR)


class Run:
    """One run of `send`: input goes in at one end, outcomes come out at the other."""

    def __init__(self, report: Report, greeting: str) -> None:
        """`greeting` is said once there is a server to type for."""
        self._report = report
        self._sending: Sending | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._greeting = greeting

    async def main(self, server: str, seconds: float, shows_progress: bool, no_color: bool) -> int:
        """Send everything; the exit code comes back, and all is told."""
        report = self._report
        self._interrupts = Interrupts(self._interrupt, dying=_show_cursor)
        work = asyncio.ensure_future(self._send(server, seconds))
        self._work = work
        progress = asyncio.ensure_future(self._progress(no_color)) if shows_progress else None
        failure: ChatError | OSError | None = None
        try:
            await work
        except (ChatError, OSError) as error:
            failure = error
        except asyncio.CancelledError:
            if not self._interrupts.code:
                raise
        finally:
            if progress:
                progress.cancel()
                await asyncio.wait([progress])
        if self._sending:
            for outcome in self._sending.remaining():
                report.tell(outcome)
        else:
            report.tell_unsent()
        return report.end(failure, self._interrupts.code)

    async def _send(self, server: str, seconds: float) -> None:
        from chatctl.client import ChatClient

        report = self._report
        notice = None if report.as_json else formats.say
        async with (
            ChatClient(server, seconds, notice) as chat,
            chat.send(report.user, report.sender, report.source.log) as sending,
        ):
            for option, value in (("--room", report.room), ("--user", report.user), ("--sender", report.sender)):
                options.name(option, value, sending.limits.name_bytes)
            if self._greeting:
                formats.say(self._greeting)
            report.opened(sending)
            feeder = asyncio.ensure_future(self._feed(sending))
            try:
                async for outcome in sending.outcomes():
                    report.tell(outcome)
                await asyncio.wait([feeder])
                if not feeder.cancelled():
                    feeder.result()  # the input may have failed
            finally:
                feeder.cancel()
                await asyncio.wait([feeder])

    async def _feed(self, sending: "Sending") -> None:
        # Only from here on the sending knows of records: an interrupt before this must not forget those to resume.
        self._sending, self._feeder = sending, asyncio.current_task()
        try:
            await self._report.source.feed(sending, self._report.room, self._report.rejects)
        finally:
            sending.finish()

    def _interrupt(self) -> None:
        if self._feeder is None:
            self._work.cancel()
            return
        self._feeder.cancel()
        if self._sending:
            self._sending.finish()
        asyncio.get_running_loop().call_later(INTERRUPT_SECONDS, self._work.cancel)

    async def _progress(self, no_color: bool) -> None:
        await asyncio.sleep(PROGRESS_SECONDS)
        from chatctl.cli.render.progress import Sent

        clock = asyncio.get_running_loop().time
        began = clock() - PROGRESS_SECONDS
        with Sent(self._report.source.size, no_color) as line:
            while True:
                done, stopped = self._report.done, self._report.source.stopped()
                line.show(done, done / (clock() - began), stopped.byte if stopped else None)
                await asyncio.sleep(0.2)
