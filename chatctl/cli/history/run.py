"""One run of `history`: it reads pages, prints them or runs a command for each message, and updates the cursor file."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from chatctl.cli.exit_codes import WAIT_EXPIRED
from chatctl.cli.history import hints
from chatctl.cli.history.exec_command import ExecMessage
from chatctl.cli.streams.json_lines import message_lines
from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdout import STDOUT, Printer, on_stdout_closed
from chatctl.cli.terminal import notices
from chatctl.errors import CursorBeyondHead, CursorMalformed, CursorOtherLog, CursorWriteError, ExecFailed, TransientError
from chatctl.model import cursor
from chatctl.model.messages import HistoryPage, Query
from chatctl.net.endpoint import Endpoint

if TYPE_CHECKING:
    from chatctl.cli.history.cursor_file import CursorFile
    from chatctl.cli.history.exec_command import ExecCommand
    from chatctl.client import Follower
    from chatctl.client.client import ChatClient

MIN_SERVER_SECONDS = 2.0  # that a server has to answer, even if --wait is shorter
INTERRUPT_NOTICE_SECONDS = 1.0  # a command that ends sooner after a signal needs no notice


class _Interrupted(Exception):
    """A signal arrived or stdout was closed while a command was running; the command has ended since."""


@dataclass(frozen=True)
class HistoryRequest:
    """The server and the query of a run. `timeout` and `wait` are in seconds."""

    endpoint: Endpoint
    timeout: float
    query: Query
    from_now: bool = False
    """Skip all stored messages."""
    wait: float | None = None
    as_json: bool = False

    @property
    def server_timeout(self) -> float:
        """Seconds without a server: `timeout`, or `wait` if it is shorter, so that an alert on silence is never silent."""
        if self.wait is None:
            return self.timeout
        return min(self.timeout or inf, max(self.wait, MIN_SERVER_SECONDS))


class HistoryRun:
    """A reader of messages. Call `run` once."""

    def __init__(
        self,
        request: HistoryRequest,
        printer: Printer | None,
        command: "ExecCommand | None",
        cursor_file: "CursorFile | None",
    ) -> None:
        """Either the printer or the command gets the messages. The cursor file, if any, is updated behind them."""
        self._request = request
        self._notify = notices.notifier(request.as_json)
        self._printer = printer
        self._command = command
        self._cursor_file = cursor_file
        self._done_cursor = request.query.after  # all messages up to here are done
        self._read_cursor = request.query.after  # all messages up to here are read
        self._backlog = hints.BacklogNotice(request.query, self._notify)
        self._found = False  # a message was read
        self._locating_start = request.query.last > 0
        self._command_running = False
        self._closed_code: int | None = None  # the exit code, once the reader of stdout has gone
        self._message_cursor = ""  # of the message that the command is run for
        self._sync_stdout = bool(cursor_file and printer and _is_regular_file(STDOUT))

    async def run(self) -> int:
        """Read to the end, and return the exit code. Raises ChatError."""
        self._task = asyncio.ensure_future(self._read())
        self._signals = SignalHandler(self._on_signal, self._command.terminate if self._command else None)
        if self._request.query.follow:
            # A service that runs a command goes on without its terminal, unless that sends SIGHUP.
            on_stdout_closed(self._on_stdout_closed, also_terminal=self._printer is not None)
        try:
            await self._task
        except asyncio.CancelledError:
            if not self._is_ending:
                raise
        except _Interrupted:
            pass
        except TimeoutError:
            return self._report_error(self._wait_text(), "SILENCE", WAIT_EXPIRED)
        except ExecFailed as error:
            return self._report_error(f"{error}; {self._resume_hint()}", "COMMAND_FAILED", self._signals.exit_code or 1)
        except CursorWriteError as error:
            return self._report_error(str(error), "CURSOR_UNSAVED", 1)
        except (CursorMalformed, CursorOtherLog, CursorBeyondHead) as error:
            if self._cursor_file and self._cursor_file.cursor:
                raise error.with_context(str(self._cursor_file.path)) from None
            raise
        return self._signals.exit_code or self._closed_code or 0

    @property
    def _is_ending(self) -> bool:
        """Whether there was a signal, or the reader of stdout has gone."""
        return self._signals.exit_code > 0 or self._closed_code is not None

    def _report_error(self, text: str, reason: str, code: int) -> int:
        return notices.report_error(text, reason, code, self._request.as_json)

    def _wait_text(self) -> str:
        return f"no matching message arrived for {self._request.wait:g} s (--wait)"

    def _resume_hint(self) -> str:
        """Return what state a failed command leaves, and how to continue."""
        if self._cursor_file:
            return (
                f"the message is not done, and {self._cursor_file.path} is before it; "
                f"to skip it, write {self._message_cursor} to that file"
            )
        resume_options = f"--after {self._done_cursor}" if self._done_cursor else "the same options"
        return f"the message is not done: continue with {resume_options}, or skip it with --after {self._message_cursor}"

    # --- early ends

    def _on_signal(self) -> None:
        if self._command and self._command_running:
            self._command.stop_retrying()
            asyncio.get_running_loop().call_later(INTERRUPT_NOTICE_SECONDS, self._notify_waiting)
        else:
            self._task.cancel()

    def _notify_waiting(self) -> None:
        if self._command_running:
            self._notify("waiting for the command to finish; a second signal ends it")

    def _on_stdout_closed(self, code: int) -> None:
        self._closed_code = code
        self._on_signal()

    # --- reading

    async def _read(self) -> None:
        from chatctl.client.client import ChatClient
        from chatctl.client.follower import Follower

        request = self._request
        try:
            async with ChatClient(request.endpoint, request.server_timeout, self._notify) as client:
                pages = self._pages(client)
                try:
                    async with aclosing(pages), asyncio.timeout(None) as wait_timeout:
                        await self._process_pages(pages, wait_timeout)
                except TimeoutError:
                    # Without a server, --wait cannot know that there was no message.
                    if isinstance(pages, Follower) and (error := pages.last_error):
                        raise error.replace(message=f"{self._wait_text()}, but {error.message}") from None
                    raise
                if self._printer:
                    self._printer.finish()
                    if self._printer.for_people and not (self._found or self._request.from_now):
                        self._notify(await hints.no_messages_text(client, self._request.query.rooms))
            self._save(self._read_cursor)
        except TransientError as error:
            if request.server_timeout != request.timeout:  # the error is about --timeout
                raise error.replace(hint=error.hint.replace("--timeout", "--wait")) from None
            raise
        finally:
            if self._cursor_file:
                self._cursor_file.close()

    def _pages(self, client: "ChatClient") -> "AsyncGenerator[HistoryPage, None] | Follower":
        if self._request.query.follow:
            return client.follow(self._request.query, self._request.from_now)
        return _head_page(client) if self._request.from_now else client.read(self._request.query)

    async def _process_pages(self, pages: AsyncIterator[HistoryPage], wait_timeout: asyncio.Timeout) -> None:
        clock = asyncio.get_running_loop().time
        live = not self._request.query.follow
        async for page in pages:
            self._read_cursor = page.cursor
            if page.runs:
                self._found = True
                wait_timeout.reschedule(None)  # --wait does not include the time that printing or a command takes
            await self._process_page(page)
            live = live or page.live
            if live and wait_timeout.when() is None and self._request.wait is not None:
                wait_timeout.reschedule(clock() + self._request.wait)

    async def _process_page(self, page: HistoryPage) -> None:
        """Print the page or run the command for its messages, and save the cursor of what is done."""
        self._locating_start &= not (page.runs or page.live)
        if page.runs and not (self._cursor_file.cursor if self._cursor_file else self._done_cursor):
            # The next run must start here. It must not count the messages of --last from a later end.
            self._save(cursor.cursor_text(page.cursor_prefix, page.runs[0].sequence - 1))
        if self._command:
            self._backlog.add(page)
            await self._run_command(self._command, page)
        with self._signals.hold():
            if (self._printer is None or self._print(self._printer, page)) and not self._locating_start:
                self._save(page.cursor)

    def _print(self, printer: Printer, page: HistoryPage) -> bool:
        """Return whether everything so far is written to stdout."""
        printed = printer.print_page(page)
        if page.live and self._request.query.follow and not printed:
            printer.flush()
            return True
        return printed

    async def _run_command(self, command: "ExecCommand", page: HistoryPage) -> None:
        input_id = self._request.query.input_id
        lines = iter(message_lines(page, input_id))
        for run in page.runs:
            for i, text in enumerate(run.texts):
                sequence, json_line = run.sequence + i, next(lines).encode()
                message = ExecMessage(sequence, run.room, run.user, text, run.time, json_line, input_id, run.number + i)
                self._command_running, self._message_cursor = True, cursor.cursor_text(page.cursor_prefix, sequence)
                await command.run(message)
                self._command_running = False
                self._save(self._message_cursor)
                if self._is_ending:
                    raise _Interrupted

    def _save(self, position: str) -> None:
        """Record that all messages up to this cursor are done."""
        self._done_cursor = position
        if self._cursor_file and position and position != self._cursor_file.cursor:
            if self._sync_stdout:
                os.fdatasync(STDOUT)  # after a power cut the cursor must not be ahead of the file's content
            self._cursor_file.save(position)


def _is_regular_file(descriptor: int) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    return False


async def _head_page(client: "ChatClient") -> AsyncGenerator[HistoryPage, None]:
    """Yield an empty page with the cursor of the end of the log."""
    yield await client.head()
