"""One run of `send`."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from chatctl.cli.send.inputs import validate_origin
from chatctl.cli.send.report import SendReport
from chatctl.cli.streams import ending
from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdin import StdinError
from chatctl.cli.terminal import notices
from chatctl.cli.terminal.screen import show_cursor
from chatctl.errors import ChatError
from chatctl.net.endpoint import Endpoint

if TYPE_CHECKING:
    from chatctl.client import SendStream

INTERRUPT_SECONDS = 2.0  # how long Ctrl-C waits for receipts of records in flight
PROGRESS_SECONDS = 0.5  # a shorter run shows no progress


class SendRun:
    """Feeds the input into a stream, and the deliveries into the report. Use it once: `run`."""

    def __init__(self, report: SendReport, prompt: str) -> None:
        """`prompt` is shown when the server is ready for typed records."""
        self._report = report
        self._stream: SendStream | None = None
        self._feed_task: asyncio.Task[None] | None = None
        self._rest_task: asyncio.Task[None] | None = None
        self._prompt = prompt

    async def run(self, endpoint: Endpoint, seconds: float, show_progress: bool, no_color: bool) -> int:
        """Send and report everything, and return the exit code."""
        report = self._report
        self._signals = SignalHandler(self._interrupt, before_exit=self._before_exit)
        task = asyncio.ensure_future(self._send(endpoint, seconds))
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
        if (failure or self._signals.exit_code) and not isinstance(failure, StdinError):
            from chatctl.cli.send.rest import keep_rest

            self._rest_task = asyncio.ensure_future(keep_rest(report, bool(self._signals.exit_code)))
            await asyncio.wait([self._rest_task])
            if not self._rest_task.cancelled():
                self._rest_task.result()
        return report.finish(failure, self._signals.exit_code)

    async def _send(self, endpoint: Endpoint, seconds: float) -> None:
        from chatctl.client.client import ChatClient

        report = self._report
        notify = None if report.as_json else notices.say
        async with (
            ChatClient(endpoint, seconds, notify) as client,
            client.send(report.origin.user, report.origin.input_id, report.record_input.log) as stream,
        ):
            validate_origin(report.origin, stream.limits.name_bytes)
            if self._prompt:
                notices.say(self._prompt)
            report.set_log(stream)
            feed_task = asyncio.ensure_future(self._feed(stream))
            try:
                async for delivery in stream.reports():
                    report.add(delivery)
                    await report.drain()
                await asyncio.wait([feed_task])
                if not feed_task.cancelled():
                    feed_task.result()  # raises an error of the input
            finally:
                feed_task.cancel()
                await asyncio.wait([feed_task])

    async def _feed(self, stream: "SendStream") -> None:
        # Set only here, where the stream gets the records: an earlier interrupt must keep those of --resume.
        self._stream, self._feed_task = stream, asyncio.current_task()
        try:
            await self._report.record_input.feed(stream, self._report.origin.room, self._report.rejects)
        finally:
            stream.finish()

    def _before_exit(self) -> None:
        show_cursor()
        with suppress(RuntimeError):  # the signal came within another write
            self._report.say_unfinished()

    def _interrupt(self) -> None:
        if self._rest_task:
            self._rest_task.cancel()
            return
        if self._feed_task is None:
            self._task.cancel()
            return
        self._feed_task.cancel()
        if self._stream:
            self._stream.finish()
        asyncio.get_running_loop().call_later(ending.seconds_left(INTERRUPT_SECONDS), self._task.cancel)

    async def _show_progress(self, no_color: bool) -> None:
        await asyncio.sleep(PROGRESS_SECONDS)
        from chatctl.cli.terminal.progress import SendProgress

        clock = asyncio.get_running_loop().time
        started = clock() - PROGRESS_SECONDS
        with SendProgress(self._report.record_input.total_bytes, no_color) as line:
            while True:
                confirmed, stop_position = self._report.confirmed, self._report.record_input.stop_position()
                line.show(confirmed, confirmed / (clock() - started), stop_position.byte if stop_position else None)
                await asyncio.sleep(0.2)
