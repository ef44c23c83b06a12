"""`join --plain`: send the lines of stdin to the first room, and print the messages of all rooms, a line each."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing

from chatctl.cli.join import exit_report
from chatctl.cli.streams import ending
from chatctl.cli.streams.ending import OutputStalled
from chatctl.cli.streams.json_lines import message_lines
from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdin_input import StdinInput, replaced_text
from chatctl.cli.streams.stdout import LinePrinter, on_stdout_closed
from chatctl.cli.terminal import escape, notices, times
from chatctl.client import DeliveryReport, HistoryPage, Query, RoomStream
from chatctl.client.client import ChatClient
from chatctl.model.limits import MAX_NUMBER
from chatctl.model.messages import Run
from chatctl.model.records import ReceiptStatus
from chatctl.net.endpoint import Endpoint

EXIT_TIMEOUT_SECONDS = 2.0  # how long quitting waits for receipts


class LineMode:
    """One run of `join --plain` or `join --json`. Lines of stdin are numbered from 1."""

    def __init__(
        self, user: str, rooms: Sequence[str], last: int, as_json: bool, utc: bool, replace_invalid: bool = False
    ) -> None:
        """`last`: how many stored messages to print first. `replace_invalid`: store lines that are not UTF-8, too."""
        self._user, self._rooms, self._last, self._as_json, self._utc = user, rooms, last, as_json, utc
        self._notice = notices.notifier(as_json)
        self._printer = LinePrinter(message_lines if as_json else self._format_page)
        self._stdin = StdinInput(b"\n", interactive=False, replace_invalid=replace_invalid)
        self._stream: RoomStream | None = None
        self._feed_task: asyncio.Task[None] | None = None
        self._printed_sequences: dict[str, int] = {}  # sequence of the newest message printed, by room
        self._last_own_sequence = 0  # of the newest message stored for this user
        self._stdout_closed = self._failed = False
        self._closed_code = 0

    async def run(self, endpoint: Endpoint, seconds: float) -> int:
        """Send and print until stdin ends. Returns the exit code. Raises the error that ended it before that."""
        self._signal_handler = SignalHandler(self._stop, before_exit=self._report_unsent)
        self._stream_task = asyncio.ensure_future(self._run_stream(endpoint, seconds))
        try:
            await self._stream_task
        except asyncio.CancelledError:
            if not (self._signal_handler.exit_code or self._stdout_closed):
                raise
        finally:
            self._report_unsent()
        return self._signal_handler.exit_code or self._closed_code or int(self._failed)

    def _report_unsent(self) -> None:
        if not self._stream:
            return
        self._failed |= not exit_report.report_unsent(self._stream, {}, self._as_json)
        if self._stdin.num_replaced:
            self._notice(replaced_text(self._stdin.num_replaced, "line"))
        stop_position = self._stdin.stop_position() if self._feed_task else None
        if stop_position and (stop_position.unfinished or (stop_position.record and not self._stdout_closed)):
            unfinished = (
                f", and {stop_position.unfinished} bytes of the next one were read but not sent"
                if stop_position.unfinished
                else ""
            )
            self._notice(f"reading stopped after line {stop_position.record} of the input{unfinished}")

    def _stop(self) -> None:
        """Stop reading, and wait up to 2 s for receipts."""
        if not self._feed_task:
            self._stream_task.cancel()
            return
        self._feed_task.cancel()
        asyncio.get_running_loop().call_later(ending.seconds_left(EXIT_TIMEOUT_SECONDS), self._stream_task.cancel)

    def _close_stdout(self, code: int = 0) -> None:
        self._stdout_closed, self._closed_code = True, code
        self._stop()

    # --- the stream

    async def _run_stream(self, endpoint: Endpoint, seconds: float) -> None:
        async with ChatClient(endpoint, seconds, self._notice) as client, client.join(self._user, self._rooms) as stream:
            self._stream = stream
            on_stdout_closed(self._close_stdout)
            try:
                async for event in stream.events():
                    await self._handle_event(event, client, stream)
                    self._finish_if_done(stream)
            finally:
                if self._feed_task:
                    self._feed_task.cancel()
                    await asyncio.wait([self._feed_task])
            if self._feed_task and not self._feed_task.cancelled():
                self._feed_task.result()  # raises if reading the input failed

    async def _handle_event(self, event: object, client: ChatClient, stream: RoomStream) -> None:
        match event:
            case HistoryPage():
                if not self._feed_task:
                    await self._print_last(client)
                    self._feed_task = asyncio.create_task(self._stdin.feed(stream, self._rooms[0], None))
                    self._feed_task.add_done_callback(lambda _: self._finish_if_done(stream))
                self._print_page(event)
            case DeliveryReport():
                self._handle_report(event)

    def _finish_if_done(self, stream: RoomStream) -> None:
        """Finish when the input has ended, every line has a receipt, and every stored line was printed."""
        ended = self._feed_task is not None and self._feed_task.done() and stream.all_reported
        if ended and (self._stdout_closed or self._printed_sequences.get(self._rooms[0], 0) >= self._last_own_sequence):
            stream.finish()

    async def _print_last(self, client: ChatClient) -> None:
        """Print the last messages. The stream delivers all newer ones."""
        if self._last:
            async with aclosing(client.read(Query(rooms=tuple(self._rooms), last=min(self._last, MAX_NUMBER)))) as pages:
                async for page in pages:
                    self._print_page(page)

    def _handle_report(self, report: DeliveryReport) -> None:
        receipt = report.receipt
        if receipt.status is ReceiptStatus.REJECTED:
            self._failed = True
            self._notice(f"line {receipt.number} was not stored: {receipt.error}")
        else:
            self._last_own_sequence = max(self._last_own_sequence, receipt.sequence + receipt.count - 1)

    # --- what is printed

    def _print_page(self, page: HistoryPage) -> None:
        runs = [unprinted for run in page.runs if (unprinted := self._unprinted(run))]
        if not runs or self._stdout_closed:
            return
        try:
            self._printer.print_page(page._replace(runs=runs))
        except (BrokenPipeError, OutputStalled):
            self._close_stdout()

    def _unprinted(self, run: Run) -> Run | None:
        """Return the part of a run that was not printed among the last messages."""
        overlap = self._printed_sequences.get(run.room, 0) - run.sequence + 1
        if overlap >= len(run.texts):
            return None
        self._printed_sequences[run.room] = run.sequence + len(run.texts) - 1
        return run._replace(sequence=run.sequence + overlap, texts=run.texts[overlap:]) if overlap > 0 else run

    def _format_page(self, page: HistoryPage) -> Iterable[str]:
        for run in page.runs:
            room = f"{escape.escape_name(run.room)}  " if len(self._rooms) > 1 else ""
            head = f"{times.display_time(run.time, self._utc)}  {room}{escape.escape_name(run.user)}: "
            for text in run.texts:
                yield f"{head}{escape.escape_text(text)}\n"
