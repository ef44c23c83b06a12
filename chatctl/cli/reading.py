"""One run of `history`: pages come in, and are printed or handed to a command; the cursor file says how far it is."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatctl.cli import formats
from chatctl.cli.interrupts import Interrupts
from chatctl.cli.printing import STDOUT, Printer, json_lines, on_desertion
from chatctl.errors import ChatError, CommandFailed, CursorBeyondHead, CursorMalformed, CursorOtherLog, CursorUnsaved
from chatctl.history import Query

if TYPE_CHECKING:
    from chatctl.cli.cursor_file import CursorFile
    from chatctl.cli.shell import Command
    from chatctl.client import ChatClient, HistoryPage

SILENCE = 3  # the exit code when nothing came for as long as --wait says
MOMENT = 1.0  # seconds that nobody needs to be told about


class _Enough(Exception):
    """A signal came while a command was at work, which has ended."""


class _Unknown(Exception):
    """Nothing came for as long as --wait says, but there was no server, either."""

    def __init__(self, trouble: ChatError) -> None:
        self.trouble = trouble


@dataclass(frozen=True)
class Wanted:
    """What to read, and where. `from_now`: nothing of what is stored. `timeout` and `wait` are in seconds."""

    server: str
    timeout: float
    query: Query
    from_now: bool = False
    wait: float | None = None
    as_json: bool = False


class Reading:
    """Use it once: `main`."""

    def __init__(
        self, wanted: Wanted, printer: Printer | None, command: "Command | None", file: "CursorFile | None"
    ) -> None:
        """Either the printer gets the messages, or the command; the cursor file, if there is one, moves on behind them."""
        self._wanted = wanted
        self._notice = formats.notice(wanted.as_json)
        self._printer = printer
        self._command = command
        self._file = file
        self._cursor = wanted.query.after  # everything up to here is done
        self._looking_back = wanted.query.last > 0
        self._at_work = False  # whether the command is
        self._deserted = False  # whether nobody reads stdout any more
        self._at = ""  # the cursor of the message that the command is run for
        self._synced = bool(file and printer and _is_file(STDOUT))

    async def main(self) -> int:
        """Read all there is to read; the exit code comes back."""
        self._work = asyncio.ensure_future(self._read())
        self._interrupts = Interrupts(self._interrupt, self._command.end if self._command else None)
        if self._printer and self._wanted.query.follow:
            on_desertion(self._desert)
        try:
            await self._work
        except asyncio.CancelledError:
            if not (self._interrupts.code or self._deserted):
                raise
        except _Enough:
            pass
        except TimeoutError:
            return self._report(f"nothing came for {self._wanted.wait:g} s (--wait)", "SILENCE", SILENCE)
        except _Unknown as error:
            trouble = error.trouble
            raise type(trouble)(f"nothing came for {self._wanted.wait:g} s (--wait), but {trouble}") from None
        except CommandFailed as error:
            return self._report(f"{error}; {self._undone()}", "COMMAND_FAILED", self._interrupts.code or 1)
        except CursorUnsaved as error:
            return self._report(str(error), "CURSOR_UNSAVED", 1)
        except (CursorMalformed, CursorOtherLog, CursorBeyondHead) as error:
            raise self._named(error) from None
        return self._interrupts.code

    def _report(self, text: str, reason: str, code: int) -> int:
        return formats.report(text, reason, code, self._wanted.as_json)

    def _undone(self) -> str:
        """What became of the message whose command failed, and how to go on."""
        if self._file:
            return f"it is not done, and {self._file.path} is before it; to leave it out, write {self._at} there"
        before = f"--after {self._cursor}" if self._cursor else "the same options"
        return f"it is not done: go on with {before}, or without it with --after {self._at}"

    def _named(self, error: ChatError) -> ChatError:
        """The error, with the file that the cursor is from."""
        if self._file and self._file.cursor:
            return type(error)(f"{self._file.path}: {error}")
        return error

    # --- what ends it early

    def _interrupt(self) -> None:
        if self._command and self._at_work:
            self._command.interrupt()
            asyncio.get_running_loop().call_later(MOMENT, self._say_why)
        else:
            self._work.cancel()

    def _say_why(self) -> None:
        if self._at_work:
            self._notice("waiting for the command to end; a second signal ends it")

    def _desert(self) -> None:
        self._deserted = True
        self._work.cancel()

    # --- reading

    async def _read(self) -> None:
        from chatctl.client import ChatClient

        wanted = self._wanted
        try:
            async with ChatClient(wanted.server, wanted.timeout, self._notice) as chat:
                try:
                    async with aclosing(self._pages(chat)) as pages, asyncio.timeout(None) as silence:
                        await self._take_all(pages, silence)
                except TimeoutError:
                    if chat.trouble:
                        raise _Unknown(chat.trouble) from None
                    raise
            if self._printer:
                self._printer.end()
            self._save(self._newest)
        finally:
            if self._file:
                self._file.close()

    def _pages(self, chat: "ChatClient") -> "AsyncGenerator[HistoryPage, None]":
        if self._wanted.query.follow:
            return chat.follow(self._wanted.query, self._wanted.from_now)
        return _nothing(chat) if self._wanted.from_now else chat.read(self._wanted.query)

    async def _take_all(self, pages: "AsyncGenerator[HistoryPage, None]", silence: asyncio.Timeout) -> None:
        clock = asyncio.get_running_loop().time
        self._newest, live = self._cursor, False
        async for page in pages:
            self._newest = page.cursor
            if page.runs:
                silence.reschedule(None)  # what is done with it takes its own time
            self._looking_back &= not (page.runs or page.live)
            if page.runs and not (self._file.cursor if self._file else self._cursor):
                self._save(f"{page.cursor_prefix}{page.runs[0].sequence - 1}")  # --last must not count again from the end
            if self._command:
                await self._execute(self._command, page)
            if (self._printer is None or self._print(self._printer, page)) and not self._looking_back:
                self._save(page.cursor)
            live = live or page.live or not self._wanted.query.follow
            if live and silence.when() is None and self._wanted.wait is not None:
                silence.reschedule(clock() + self._wanted.wait)

    def _print(self, printer: Printer, page: "HistoryPage") -> bool:
        """Whether all so far is out."""
        printed = printer.show(page)
        if page.live and self._wanted.query.follow and not printed:
            printer.settle()
            return True
        return printed

    async def _execute(self, command: "Command", page: "HistoryPage") -> None:
        lines = iter(json_lines(page))
        for run in page.runs:
            for sequence, text in enumerate(run.texts, run.sequence):
                self._at_work, self._at = True, f"{page.cursor_prefix}{sequence}"
                await command.run(sequence, run.room, run.user, text, run.time, next(lines).encode())
                self._at_work = False
                self._save(self._at)
                if self._interrupts.code:
                    raise _Enough

    def _save(self, cursor: str) -> None:
        self._cursor = cursor
        if self._file and cursor and cursor != self._file.cursor:
            if self._synced:
                os.fdatasync(STDOUT)  # a power cut must not leave a cursor that is ahead of what is in the file
            self._file.save(cursor)


def _is_file(descriptor: int) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    return False


async def _nothing(chat: "ChatClient") -> "AsyncGenerator[HistoryPage, None]":
    """Nothing of what is stored, but the cursor behind it."""
    from chatctl.client import HistoryPage

    head = (await chat.stats(1)).head
    yield HistoryPage([], head, head.rpartition(":")[0] + ":", live=True)
