"""`chatctl send`."""

import asyncio
import getpass
import os
import secrets
import signal
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chatctl import config
from chatctl.chat import name_fault
from chatctl.cli import formats, options
from chatctl.cli.records import Cutter, Piece, as_text, chunks
from chatctl.cli.report import SIGNAL_OFFSET, Report
from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.client import Sending

STDIN = 0
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
Words = Annotated[list[str] | None, typer.Argument(help=TEXT_HELP)]
Room = Annotated[str, typer.Option("--room", "-r", envvar="CHATCTL_ROOM", help="The room to send to.")]
User = Annotated[
    str | None, typer.Option("--user", "-u", envvar="CHATCTL_USER", help="Who sends.", show_default="your login name")
]
SENDER_HELP = "The name of this input: sent again under it, nothing is stored twice."
Sender = Annotated[str | None, typer.Option(help=SENDER_HELP, show_default="a random one")]
SPLIT_HELP = "What ends a message of stdin: a line end, only its end, or NUL."
SplitOption = Annotated[Split, typer.Option("--split", envvar="CHATCTL_SPLIT", help=SPLIT_HELP)]
Json = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="A JSON receipt for each record; errors too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", envvar="CHATCTL_QUIET", help="No progress and no summary.")]


def send(
    text: Words = None,
    server: options.Server = config.DEFAULT_SERVER,
    room: Room = "lobby",
    user: User = None,
    sender: Sender = None,
    split: SplitOption = Split.LINE,
    timeout: options.Timeout = "10s",
    as_json: Json = False,
    quiet: Quiet = False,
    no_color: options.NoColor = False,
) -> int:
    """Send a message, or every line of stdin, and wait until each has its receipt: then it is on disk."""
    words = " ".join(text) if text and text != ["-"] else None
    user = login_name() if user is None else options.name("--user", user)
    sender = secrets.token_hex(8) if sender is None else options.name("--sender", sender)
    seconds, server = options.seconds(timeout), options.address(server)
    report = Report(options.name("--room", room), user, sender, as_json, quiet, single=words is not None)
    types = words is None and sys.stdin.isatty()
    shows_progress = words is None and not types and not quiet and sys.stderr.isatty()
    run = Run(report, words, SEPARATORS[split], "type messages, one a line; Ctrl-D ends" if types and not quiet else "")
    return asyncio.run(run.main(server, seconds, shows_progress, no_color))


def login_name() -> str:
    """Who runs this, as far as the system can tell and the rules for names allow."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "anonymous"
    return "anonymous" if name_fault("user", login, 128) else login


class Run:
    """One run of `send`: input goes in at one end, outcomes come out at the other."""

    def __init__(self, report: Report, words: str | None, separator: bytes | None, greeting: str) -> None:
        """`greeting` is said once there is a server to type for."""
        self._report = report
        self._words = words
        self._separator = separator
        self._sending: Sending | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._greeting = greeting
        self._signal = 0  # the one that interrupted

    async def main(self, server: str, seconds: float, shows_progress: bool, no_color: bool) -> int:
        """Send everything; the exit code comes back, and all is told."""
        report = self._report
        self._take_interrupts()
        work = asyncio.ensure_future(self._send(server, seconds))
        self._work = work
        progress = asyncio.ensure_future(self._progress(no_color)) if shows_progress else None
        failure: ChatError | OSError | None = None
        try:
            await work
        except (ChatError, OSError) as error:
            failure = error
        except asyncio.CancelledError:
            if not self._signal:
                raise
        finally:
            if progress:
                progress.cancel()
                await asyncio.wait([progress])
        for outcome in self._sending.unconfirmed() if self._sending else ():
            report.tell(outcome)
        if self._signal:
            report.end()
            return SIGNAL_OFFSET + self._signal
        return report.end(failure)

    async def _send(self, server: str, seconds: float) -> None:
        from chatctl.client import ChatClient

        report = self._report
        notice = None if report.as_json else formats.say
        async with ChatClient(server, seconds, notice) as chat, chat.send(report.user, report.sender) as sending:
            for option, value in (("--room", report.room), ("--user", report.user), ("--sender", report.sender)):
                options.name(option, value, sending.limits.name_bytes)
            if self._greeting:
                formats.say(self._greeting)
            self._sending = sending
            report.cursor_prefix = sending.cursor_prefix
            self._feeder = asyncio.ensure_future(self._feed(sending))
            try:
                async for outcome in sending.outcomes():
                    report.tell(outcome)
                await asyncio.wait([self._feeder])
                if not self._feeder.cancelled():
                    self._feeder.result()  # the input may have failed
            finally:
                self._feeder.cancel()

    async def _feed(self, sending: "Sending") -> None:
        """Put the input in. All that was read is put before anything is waited for, so that no record is forgotten."""
        limit = sending.limits.text_bytes
        try:
            if self._words is not None:
                self._put(sending, [as_text(os.fsencode(self._words), limit)])  # what is not UTF-8 came with surrogates
                return
            cutter = Cutter(self._separator, limit)
            async for chunk in chunks(STDIN):
                self._put(sending, cutter.feed(chunk))
                await sending.drain()
            self._put(sending, cutter.end())
        finally:
            sending.finish()

    def _put(self, sending: "Sending", pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, str):
                sending.reject(self._report.room, piece)
            else:
                sending.put(self._report.room, piece)

    def _take_interrupts(self) -> None:
        """A signal stops reading and gives receipts under way a moment; a second one ends everything at once."""
        loop = asyncio.get_running_loop()

        def interrupted(number: int, _: object) -> None:
            if self._signal:
                # Also out of a write to a stdout that nobody reads, where the event loop never gets to run.
                if sys.stderr.isatty():
                    os.write(sys.stderr.fileno(), SHOW_CURSOR)  # the progress may have hidden it
                os._exit(SIGNAL_OFFSET + number)
            self._signal = number
            loop.call_soon_threadsafe(self._interrupt)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, interrupted)

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
        from chatctl.cli import render

        clock = asyncio.get_running_loop().time
        began = clock() - PROGRESS_SECONDS
        with render.progress(no_color) as bar:
            task = bar.add_task("", total=None, done=0, rate=0.0)
            while True:
                bar.update(task, done=self._report.done, rate=self._report.done / (clock() - began), refresh=True)
                await asyncio.sleep(0.2)
