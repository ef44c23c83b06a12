"""ReliableStream: owns the retry loop that sends records on one stream after another, until each has its receipt."""

import asyncio
from contextlib import closing, suppress

from chatctl.client.call import Call
from chatctl.client.call_errors import INTERNAL, STORE_HINT
from chatctl.client.connector import Connector
from chatctl.client.heartbeat import Heartbeat
from chatctl.client.retry import STREAM_TIMEOUT_SECONDS, Attempts, RetryState
from chatctl.client.send_window import DeliveryReport, SendWindow
from chatctl.client.stream_hooks import StreamHooks
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.errors import ChatError, CursorOtherLog, IncompatibleServer, LogChanged, Unavailable, UnexpectedStatus
from chatctl.model.limits import Limits, usable_limits
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert
from chatctl.wire.checks import check_not_welcome, check_welcome, has_content


class ReliableStream:
    """A window of records and the connection that sends them: one stream after another until all records have receipts.

    One task connects and reads, another one writes. The timeout without a connection or a due receipt ends it.
    """

    def __init__(
        self,
        connector: Connector,
        hooks: StreamHooks,
        user: str,
        input_id: str = "",
        log: str = "",
        stream_timeout: float = STREAM_TIMEOUT_SECONDS,
    ) -> None:
        """Start to connect. `log` is the only log to send to; empty means any, from then on the first one."""
        self.user, self.input_id, self.log = user, input_id, log
        self.cursor_prefix = ""
        self.limits = Limits()
        self.window = SendWindow()
        self._connector = connector
        self._server = connector.server
        self._hooks = hooks
        self._retry_state = RetryState(connector.server, connector.timeout, connector.notify, stream_timeout)
        self._finished = False
        self._ready = asyncio.Event()
        self._writer_wakeup = asyncio.Event()  # there may be something to write
        self._window_open = asyncio.Event()  # there may be space in the window
        self._changed = asyncio.Event()  # there may be something new for the caller
        self._reading_resumed = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self._watchdog = ResponseWatchdog(connector.timeout, self._task.cancel, self._retry_state.notify_waiting)
        self._task.add_done_callback(self._on_end)

    # --- for the owner
    @property
    def last_error(self) -> ChatError | None:
        """The error that stops it at the moment, or None while the server responds."""
        return self._retry_state.last_error

    async def wait_ready(self) -> None:
        """Wait for the first welcome: `input_id`, `log`, `limits` and `cursor_prefix` are set. Raises what prevents it."""
        await self._ready.wait()
        if self._task.done():
            self._task.result()

    def wake_writer(self) -> None:
        """Make the writer look for requests: a hook or the window has one."""
        self._writer_wakeup.set()

    def resume_reading(self) -> None:
        """Read on after an `on_response` that returned true."""
        self._reading_resumed.set()

    def next_report(self) -> DeliveryReport | None:
        """Return the next report of the window, if there is one. That makes space in the window."""
        if report := self.window.next_report():
            self._writer_wakeup.set()
        return report

    def finish(self) -> None:
        """Declare that no more records will be put."""
        self._finished = True
        self._writer_wakeup.set()
        self._changed.set()

    def is_complete(self) -> bool:
        """Return whether `finish` was called and every record is reported. Raises what ended the stream before that."""
        if self._finished and self.window.all_reported:
            return True
        if self._task.done():
            self._task.result()
            raise UnexpectedStatus("the stream ended before every record had its receipt", INTERNAL)
        return False

    async def wait_changed(self) -> None:
        """Wait until there may be a report, something from a hook, or the end. Call it after looking for all of them."""
        self._changed.clear()
        await self._changed.wait()

    async def drain(self) -> None:
        """Wait until the window has space, or the stream has ended."""
        while self.window.full and not self._task.done():
            self._window_open.clear()
            await self._window_open.wait()
        if self._task.done():
            await asyncio.sleep(0)  # a caller that only puts and drains must let the task that reports see the end

    def undelivered(self) -> list[DeliveryReport]:
        """Return reports for all records that `next_report` has not returned."""
        reports: list[DeliveryReport] = []
        with suppress(UnexpectedStatus):  # a receipt that was not due says nothing, nor do those after it
            reports += iter(self.window.next_report, None)
        return [*reports, *self.window.unreported()]

    async def close(self) -> None:
        """End the stream, with everything in flight."""
        self._task.cancel()
        self._watchdog.close()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # `is_complete` has raised it, if the caller wanted to know

    # --- one stream after another

    async def _run(self) -> None:
        try:
            async for attempt in Attempts(self._retry_state, self._watchdog):
                with attempt:
                    timeout = self._retry_state.call_timeout
                    async with self._connector.open_call(timeout, lambda stub: stub.SendAndReceiveMessage()) as call:
                        await self._run_stream(call)
                if attempt.failure:
                    self._hooks.on_disconnect(attempt.failure)
                    self._changed.set()
                    self.window.requeue()
        except asyncio.CancelledError:
            if not self._watchdog.expired:
                raise
            raise self._retry_state.final_error() from None
        except CursorOtherLog:
            raise LogChanged(f"{self._server} serves another log than before; nothing more was sent", STORE_HINT) from None

    async def _run_stream(self, call: Call) -> None:
        """Run one stream, from its welcome to its end."""
        request = pb.SendAndReceiveMessageRequest(user=self.user, input_id=self.input_id)
        self._hooks.first_request(request)
        await call.write(request)
        response = await call.read()
        if response is None or not response.HasField("welcome"):
            raise IncompatibleServer(
                f"{self._server} sent no welcome: it is not a chatctl server, or runs an incompatible version"
            )
        self._accept_welcome(response.welcome)
        call.watchdog.reset(expecting=self._hooks.awaits_response)
        writer = asyncio.create_task(self._write_requests(call))
        writer.add_done_callback(lambda done: None if done.cancelled() or not done.exception() else call.close())
        try:
            await self._take_response(call, response, has_content(response))
            await self._read_responses(call)
        finally:
            writer.cancel()
            await asyncio.wait({writer})
            if not writer.cancelled():
                writer.result()
        if not (self._finished and self.window.all_confirmed):
            raise Unavailable(f"{self._server} ended the stream before every record had its receipt")

    def _accept_welcome(self, welcome: pb.Welcome) -> None:
        check_welcome(welcome, self.input_id)
        if self.log and welcome.log != self.log:
            raise LogChanged(
                f"{self._server} serves another log, {welcome.log}, than the one these records were sent to, {self.log}; "
                "nothing more was sent",
                STORE_HINT,
            )
        self.input_id, self.log, self.cursor_prefix = welcome.input_id, welcome.log, welcome.cursor_prefix
        self.limits = usable_limits(convert.limits_from_pb(welcome.limits))
        self.window.set_limits(self.limits)
        receipt_due = not self.window.all_confirmed and self.window.may_send(self._finished)
        if not (receipt_due or self._hooks.awaits_response):
            self._retry_state.recovered()
            self._watchdog.reset(expecting=False)
        self._retry_state.found_server()
        self._ready.set()
        self._hooks.on_welcome(self.log)
        self._changed.set()

    async def _write_requests(self, call: Call) -> None:
        with closing(Heartbeat(self._writer_wakeup.set)) as heartbeat:
            while True:
                while request := self._next_request():
                    call.watchdog.start()
                    self._watchdog.start()
                    heartbeat.written()
                    if not await call.write(request):
                        return  # reading raises the reason
                if self._finished and self.window.all_sent:
                    await call.done_writing()
                    return
                self._writer_wakeup.clear()
                if heartbeat.take_due() and not await call.write(pb.SendAndReceiveMessageRequest()):
                    return
                await self._writer_wakeup.wait()

    def _next_request(self) -> pb.SendAndReceiveMessageRequest | None:
        """Return the next request, or None if there is nothing to send or no space in the window."""
        if request := self._hooks.next_request():
            return request
        while self.window.may_send(self._finished):
            frame = self.window.next_frame()
            self._window_open.set()
            if frame is not None:
                return pb.SendAndReceiveMessageRequest(room=frame.room, number=frame.number, texts=frame.texts)
            self._changed.set()
        return None

    async def _read_responses(self, call: Call) -> None:
        while (response := await call.read()) is not None:
            check_not_welcome(response)
            if not has_content(response):
                continue  # an empty response must not keep a stream alive that stores nothing
            self._retry_state.made_progress()  # not after a welcome alone: a server may break after each
            await self._take_response(call, response)
            self._reset_watchdogs(call)
            self._writer_wakeup.set()

    async def _take_response(self, call: Call, response: pb.SendAndReceiveMessageResponse, progress: bool = True) -> None:
        """Take the receipts, of which the window bounds the number, and give the rest to the hooks."""
        self.window.add_receipts(convert.receipts_from_pb(response.receipts))
        wait = self._hooks.on_response(response)
        if progress:  # a welcome alone is none
            self._retry_state.recovered()  # before the caller sees the response, and may look at the error
        self._changed.set()
        if wait:
            self._reset_watchdogs(call, waits=False)  # the caller's time does not count
            self._reading_resumed.clear()
            await self._reading_resumed.wait()
            self._reset_watchdogs(call)  # for what was sent meanwhile

    def _reset_watchdogs(self, call: Call, waits: bool = True) -> None:
        """Start the timeouts again, if a receipt or something for the hooks is due."""
        expecting = waits and (self.window.in_flight > 0 or self._hooks.awaits_response)
        call.watchdog.reset(expecting)
        self._watchdog.reset(expecting)

    def _on_end(self, _: object) -> None:
        self._retry_state.close()
        for event in (self._ready, self._window_open, self._changed):
            event.set()
