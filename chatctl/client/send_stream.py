"""Sending: records go out on a stream, and on the next one when it breaks, until each has its receipt."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from chatctl.client.call import Call, OpenCall
from chatctl.client.retry import STREAM_TIMEOUT_SECONDS, RetryState
from chatctl.client.send_window import DeliveryReport, SendWindow
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.errors import ChatError, IncompatibleServer, LogChanged, TransientError, Unavailable, UnexpectedStatus
from chatctl.model.limits import Limits
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert


class SendStream:
    """Sends records of one user and sender. `put` them and `drain`, then `finish`; all the while, iterate over `reports`.

    When the stream breaks, the server goes away or its store is full, it connects again and sends again what has no receipt;
    `--timeout` seconds without a receipt, when one is due, or without a connection end it.
    """

    STREAM_TIMEOUT_SECONDS = STREAM_TIMEOUT_SECONDS

    def __init__(
        self,
        open_call: OpenCall,
        server: str,
        user: str,
        input_id: str,
        log: str,
        timeout: float,
        notify: Callable[[str], None] | None,
    ) -> None:
        """Use `ChatClient.send`."""
        self._open_call = open_call
        self._server = server
        self.user = user
        self.input_id = input_id
        self.limits = Limits()
        self.log = log
        self.cursor_prefix = ""
        self._retry_state = RetryState(server, timeout, notify, self.STREAM_TIMEOUT_SECONDS)
        self._window = SendWindow()
        self._finished = False
        self._ready = asyncio.Event()
        self._writer_wakeup = asyncio.Event()  # for the writer: look again
        self._window_open = asyncio.Event()  # for `drain`: look again
        self._report_ready = asyncio.Event()  # for `reports`: look again
        self._watchdog = ResponseWatchdog(timeout, self._on_timeout, self._retry_state.notify_waiting)
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._on_end)

    # --- for the caller

    async def wait_ready(self) -> None:
        """Wait for the server's terms: sender, limits, cursor_prefix. Raises why there are none."""
        await self._ready.wait()
        if self._task.done():
            self._task.result()

    def put(self, room: str, texts: Sequence[str], number: int = 0) -> None:
        """Take texts to send, numbered from `number`, or on from the last. They go out without delay.

        `drain` between puts bounds memory. Raises UnicodeEncodeError for a text that UTF-8 cannot carry and ValueError for
        a number that is not greater than the last; then nothing is taken.
        """
        self._window.put(room, texts, number)
        self._writer_wakeup.set()

    def reject(self, room: str, error: str) -> None:
        """Count a record that cannot be sent; its rejection comes among the outcomes, in its turn."""
        self._window.reject(room, error)
        self._writer_wakeup.set()

    async def drain(self) -> None:
        """Wait until little of what was put is still to be sent; or until the sending has ended."""
        while self._window.full and not self._task.done():
            self._window_open.clear()
            await self._window_open.wait()
        if self._task.done():
            await asyncio.sleep(0)  # whoever only puts and drains would never let `reports` say that it has ended

    def finish(self) -> None:
        """Say that no more records come; the outcomes end once all have receipts."""
        self._finished = True
        self._writer_wakeup.set()
        self._report_ready.set()

    @property
    def all_reported(self) -> bool:
        """Whether the outcomes of all that was put have been told."""
        return self._window.all_reported

    async def reports(self) -> AsyncIterator[DeliveryReport]:
        """What became of the records, in order, until all that was put has its receipt.

        Raises what ended the sending before that; `undelivered` tells of the rest.
        """
        while True:
            while report := self._window.next_report():
                self._writer_wakeup.set()
                yield report
            if self._finished and self._window.all_reported:
                return
            if self._task.done():
                self._task.result()
                raise UnexpectedStatus("the sending ended before all was answered", 13)
            self._report_ready.clear()
            await self._report_ready.wait()

    def undelivered(self) -> list[DeliveryReport]:
        """The outcomes of all records put that have not come out of `reports`, most of them without a receipt."""
        reports: list[DeliveryReport] = []
        with suppress(UnexpectedStatus):  # a receipt that was not due says nothing, and what comes after it no more
            reports += iter(self._window.next_report, None)
        return [*reports, *self._window.unreported()]

    async def close(self) -> None:
        """End the stream, whatever is still under way."""
        self._task.cancel()
        self._watchdog.close()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # told by `reports`, if anybody still asked

    # --- streams, one after the other

    async def _run(self) -> None:
        try:
            while True:
                try:
                    async with self._open_call(
                        self._retry_state.call_timeout, lambda stub: stub.SendAndReceiveMessage()
                    ) as call:
                        await self._run_stream(call)
                    return
                except (TransientError, UnexpectedStatus) as error:
                    if self._task.cancelling():  # in the very moment in which the call was given up
                        raise asyncio.CancelledError from None
                    pause = self._retry_state.record_failure(error)
                    self._on_disconnect(error)
                self._window.requeue()  # what has no receipt is to be sent again
                self._watchdog.start()
                await asyncio.sleep(pause)
        except asyncio.CancelledError:
            if not self._watchdog.expired:
                raise
            raise self._retry_state.final_error() from None

    async def _run_stream(self, call: Call) -> None:
        """One stream, from its welcome to its end."""
        await call.write(self._first_request())
        response = await call.read()
        if response is None or not response.HasField("welcome"):
            raise IncompatibleServer(f"{self._server} did not say welcome: it is no chatctl server, or another version", 12)
        self._on_welcome(response.welcome)
        call.watchdog.reset(expecting=False)
        writer = asyncio.create_task(self._write_requests(call))
        writer.add_done_callback(lambda done: None if done.cancelled() or not done.exception() else call.close())
        try:
            await self._on_response(call, response)
            await self._read_responses(call)
        finally:
            writer.cancel()
            await asyncio.wait({writer})
            if not writer.cancelled():
                writer.result()
        if not (self._finished and self._window.all_confirmed):
            raise Unavailable(f"{self._server} ended the stream before it had answered everything")

    def _first_request(self) -> pb.SendAndReceiveMessageRequest:
        """The first request of a stream."""
        return pb.SendAndReceiveMessageRequest(user=self.user, input_id=self.input_id)

    def _on_welcome(self, welcome: pb.Welcome) -> None:
        if self.log and welcome.log != self.log:
            raise LogChanged(
                f"{self._server} serves another log, {welcome.log}, than the one these records were sent to, {self.log}: "
                "nothing more was sent; name the server that has it, or see what became of its store"
            )
        self.input_id, self.log, self.cursor_prefix = welcome.input_id, welcome.log, welcome.cursor_prefix
        self.limits = convert.limits_from_pb(welcome.limits)
        self._window.set_limits(self.limits)
        if self._window.all_confirmed or not self._window.may_send(self._finished):  # then no receipt is due
            self._on_progress()
        self._retry_state.server_seen = True
        self._ready.set()

    def _on_progress(self) -> None:
        """The server does what it should: no more trouble, and time is counted anew."""
        self._retry_state.recovered()
        self._watchdog.reset(expecting=self._window.in_flight > 0)

    async def _write_requests(self, call: Call) -> None:
        """The writer: request after request."""
        while True:
            while request := self._next_request():
                call.watchdog.start()
                self._watchdog.start()
                if not await call.write(request):
                    return  # reading raises why
            if self._finished and self._window.all_sent:
                await call.done_writing()
                return
            self._writer_wakeup.clear()
            await self._writer_wakeup.wait()

    def _next_request(self) -> pb.SendAndReceiveMessageRequest | None:
        """The next request to send, as long as the window has room; None if there is nothing to be sent now."""
        while self._window.may_send(self._finished):
            frame = self._window.next_frame()
            self._window_open.set()
            if frame is not None:
                return pb.SendAndReceiveMessageRequest(room=frame.room, number=frame.number, texts=frame.texts)
            self._report_ready.set()
        return None

    async def _read_responses(self, call: Call) -> None:
        """The reader: takes what comes."""
        while (response := await call.read()) is not None:
            self._retry_state.made_progress()  # a welcome alone does not count: a server may break after each
            await self._on_response(call, response)
            call.watchdog.reset(expecting=self._window.in_flight > 0)
            self._on_progress()
            self._report_ready.set()
            self._writer_wakeup.set()

    async def _on_response(self, call: Call, response: pb.SendAndReceiveMessageResponse) -> None:
        """Take the receipts; the window bounds how many can be waiting."""
        self._window.add_receipts(convert.receipts_from_pb(response.receipts))

    def _on_disconnect(self, error: ChatError) -> None:
        """The stream broke; another will be tried."""

    # --- the end

    def _on_timeout(self) -> None:
        self._task.cancel()

    def _on_end(self, _: object) -> None:
        for event in (self._ready, self._window_open, self._report_ready):
            event.set()
