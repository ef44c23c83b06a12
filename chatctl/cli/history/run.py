"""One run of `history`: pages come in, and are printed or handed to a command; the cursor file says how far it is."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatctl.cli.streams.json_lines import message_lines
from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdout import STDOUT, Printer, on_stdout_closed
from chatctl.cli.terminal import messages
from chatctl.errors import ChatError, CursorBeyondHead, CursorMalformed, CursorOtherLog, CursorWriteError, ExecFailed
from chatctl.model.messages import Query
from chatctl.net.endpoint import Endpoint

if TYPE_CHECKING:
    from chatctl.cli.history.cursor_file import CursorFile
    from chatctl.cli.history.exec_command import ExecCommand
    from chatctl.client import HistoryPage
    from chatctl.client.client import ChatClient
from chatctl.cli.exit_codes import WAIT_EXPIRED

INTERRUPT_NOTICE_SECONDS = 1.0  # seconds that nobody needs to be told about


class _Interrupted(Exception):
    """A signal came while a command was at work, which has ended."""


class _WaitWithoutServer(Exception):
    """Nothing came for as long as --wait says, but there was no server, either."""

    def __init__(self, last_error: ChatError) -> None:
        self.last_error = last_error


@dataclass(frozen=True)
class HistoryRequest:
    """What to read, and where. `from_now`: nothing of what is stored. `timeout` and `wait` are in seconds."""

    endpoint: Endpoint
    timeout: float
    query: Query
    from_now: bool = False
    wait: float | None = None
    as_json: bool = False


class HistoryRun:
    """Use it once: `run`."""

    def __init__(
        self,
        request: HistoryRequest,
        printer: Printer | None,
        command: "ExecCommand | None",
        cursor_file: "CursorFile | None",
    ) -> None:
        """Either the printer gets the messages, or the command; the cursor file, if there is one, moves on behind them."""
        self._request = request
        self._notify = messages.notifier(request.as_json)
        self._printer = printer
        self._command = command
        self._cursor_file = cursor_file
        self._done_cursor = request.query.after  # everything up to here is done
        self._locating_start = request.query.last > 0
        self._command_running = False  # whether the command is
        self._stdout_closed = False  # whether nobody reads stdout any more
        self._message_cursor = ""  # the cursor of the message that the command is run for
        self._sync_stdout = bool(cursor_file and printer and _is_regular_file(STDOUT))

    async def run(self) -> int:
        """Read all there is to read; the exit code comes back."""
        self._task = asyncio.ensure_future(self._read())
        self._signals = SignalHandler(self._interrupt, self._command.terminate if self._command else None)
        if self._printer and self._request.query.follow:
            on_stdout_closed(self._on_stdout_closed)
        try:
            await self._task
        except asyncio.CancelledError:
            if not (self._signals.exit_code or self._stdout_closed):
                raise
        except _Interrupted:
            pass
        except TimeoutError:
            return self._report_error(f"nothing came for {self._request.wait:g} s (--wait)", "SILENCE", WAIT_EXPIRED)
        except _WaitWithoutServer as error:
            last_error = error.last_error
            raise type(last_error)(f"nothing came for {self._request.wait:g} s (--wait), but {last_error}") from None
        except ExecFailed as error:
            return self._report_error(f"{error}; {self._resume_hint()}", "COMMAND_FAILED", self._signals.exit_code or 1)
        except CursorWriteError as error:
            return self._report_error(str(error), "CURSOR_UNSAVED", 1)
        except (CursorMalformed, CursorOtherLog, CursorBeyondHead) as error:
            raise self._with_cursor_file(error) from None
        return self._signals.exit_code

    def _report_error(self, text: str, reason: str, code: int) -> int:
        return messages.report_error(text, reason, code, self._request.as_json)

    def _resume_hint(self) -> str:
        """What became of the message whose command failed, and how to go on."""
        if self._cursor_file:
            return f"it is not done, and {self._cursor_file.path} is before it; to leave it out, write {self._message_cursor} there"
        resume_options = f"--after {self._done_cursor}" if self._done_cursor else "the same options"
        return f"it is not done: go on with {resume_options}, or without it with --after {self._message_cursor}"

    def _with_cursor_file(self, error: ChatError) -> ChatError:
        """The error, with the file that the cursor is from."""
        if self._cursor_file and self._cursor_file.cursor:
            return type(error)(f"{self._cursor_file.path}: {error}")
        return error

    # --- what ends it early

    def _interrupt(self) -> None:
        if self._command and self._command_running:
            self._command.stop_retrying()
            asyncio.get_running_loop().call_later(INTERRUPT_NOTICE_SECONDS, self._notify_waiting)
        else:
            self._task.cancel()

    def _notify_waiting(self) -> None:
        if self._command_running:
            self._notify("waiting for the command to end; a second signal ends it")

    def _on_stdout_closed(self) -> None:
        self._stdout_closed = True
        self._task.cancel()

    # --- reading

    async def _read(self) -> None:
        from chatctl.client.client import ChatClient

        request = self._request
        try:
            async with ChatClient(request.endpoint, request.timeout, self._notify) as client:
                try:
                    async with aclosing(self._pages(client)) as pages, asyncio.timeout(None) as wait_timeout:
                        await self._process_pages(pages, wait_timeout)
                except TimeoutError:
                    if client.last_error:
                        raise _WaitWithoutServer(client.last_error) from None
                    raise
            if self._printer:
                self._printer.finish()
            self._save(self._read_cursor)
        finally:
            if self._cursor_file:
                self._cursor_file.close()

    def _pages(self, client: "ChatClient") -> "AsyncGenerator[HistoryPage, None]":
        if self._request.query.follow:
            return client.follow(self._request.query, self._request.from_now)
        return _head_page(client) if self._request.from_now else client.read(self._request.query)

    async def _process_pages(self, pages: "AsyncGenerator[HistoryPage, None]", wait_timeout: asyncio.Timeout) -> None:
        clock = asyncio.get_running_loop().time
        self._read_cursor, live = self._done_cursor, False
        async for page in pages:
            self._read_cursor = page.cursor
            if page.runs:
                wait_timeout.reschedule(None)  # what is done with it takes its own time
            self._locating_start &= not (page.runs or page.live)
            if page.runs and not (self._cursor_file.cursor if self._cursor_file else self._done_cursor):
                self._save(f"{page.cursor_prefix}{page.runs[0].sequence - 1}")  # --last must not count again from the end
            if self._command:
                await self._run_command(self._command, page)
            if (self._printer is None or self._print(self._printer, page)) and not self._locating_start:
                self._save(page.cursor)
            live = live or page.live or not self._request.query.follow
            if live and wait_timeout.when() is None and self._request.wait is not None:
                wait_timeout.reschedule(clock() + self._request.wait)

    def _print(self, printer: Printer, page: "HistoryPage") -> bool:
        """Whether all so far is out."""
        printed = printer.print_page(page)
        if page.live and self._request.query.follow and not printed:
            printer.flush()
            return True
        return printed

    async def _run_command(self, command: "ExecCommand", page: "HistoryPage") -> None:
        lines = iter(message_lines(page))
        for run in page.runs:
            for sequence, text in enumerate(run.texts, run.sequence):
                self._command_running, self._message_cursor = True, f"{page.cursor_prefix}{sequence}"
                await command.run(sequence, run.room, run.user, text, run.time, next(lines).encode())
                self._command_running = False
                self._save(self._message_cursor)
                if self._signals.exit_code:
                    raise _Interrupted

    def _save(self, cursor: str) -> None:
        self._done_cursor = cursor
        if self._cursor_file and cursor and cursor != self._cursor_file.cursor:
            if self._sync_stdout:
                os.fdatasync(STDOUT)  # a power cut must not leave a cursor that is ahead of what is in the file
            self._cursor_file.save(cursor)


def _is_regular_file(descriptor: int) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    return False


async def _head_page(client: "ChatClient") -> "AsyncGenerator[HistoryPage, None]":
    """Nothing of what is stored, but the cursor behind it."""
    from chatctl.client import HistoryPage

    head = (await client.stats(1)).head
    yield HistoryPage([], head, head.rpartition(":")[0] + ":", live=True)
