"""Joining: one stream that sends and receives, and the next one when it breaks, so that nothing is missed or doubled."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from chatctl.client.call import Call, OpenCall, outdated_server_error
from chatctl.client.send_stream import SendStream
from chatctl.client.send_window import DeliveryReport
from chatctl.errors import ChatError, CursorOtherLog, LogChanged, UnexpectedStatus
from chatctl.model.messages import HistoryPage
from chatctl.model.stats import RoomPresence
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert, stats


class Connected(NamedTuple):
    """The server said welcome; `reconnected`: not for the first time."""

    reconnected: bool


class Disconnected(NamedTuple):
    """The stream broke, or there is no server; another is tried."""

    error: ChatError


class PresenceChanged(NamedTuple):
    """Who is now in those rooms where that has changed."""

    rooms: list[RoomPresence]


RoomEvent = Connected | Disconnected | PresenceChanged | HistoryPage | DeliveryReport


class RoomStream(SendStream):
    """A user in some rooms. `put` and `set_rooms` at any time, `finish` in the end; all the while, iterate over `events`.

    Nothing more is read from the stream until whoever iterates asks for the next event, receipts neither.
    """

    STREAM_TIMEOUT_SECONDS = 10.0  # a person waits for each receipt

    def __init__(
        self, open_call: OpenCall, server: str, user: str, input_id: str, log: str, timeout: float, rooms: Sequence[str]
    ) -> None:
        """Use `ChatClient.join`."""
        self._rooms = list(dict.fromkeys(rooms))
        self._rooms_changed = False  # whether the server has still to hear of the rooms
        self._subscription_id = 0  # how many times it was told on this stream
        self._cursor = ""
        self._connected_before = False
        self._connection_event: Connected | Disconnected | None = None
        self._events: deque[PresenceChanged | HistoryPage] = deque()  # of one response
        self._events_drained = asyncio.Event()
        super().__init__(open_call, server, user, input_id, log, timeout, None)

    # --- for the caller

    def set_rooms(self, rooms: Sequence[str]) -> None:
        """Be in these rooms from here on. In a new one that is from the cursor of the last page on, up to half a minute ago.

        What was stored in it before, and no gap after it, is what `read` gives from now on.
        """
        self._rooms = list(dict.fromkeys(rooms))
        self._rooms_changed = True
        self._writer_wakeup.set()

    @property
    def last_error(self) -> ChatError | None:
        """What keeps it from going on at this moment; None while the server answers."""
        return self._retry_state.last_error

    async def events(self) -> AsyncIterator[RoomEvent]:
        """What happens, until after `finish` all that was put has its receipt. Each message of a room comes once, in order.

        The first page comes when the server has begun to receive for this client: what was stored before it is for `read`.
        Raises what ended the stream before that; `remaining` tells what has no receipt.
        """
        while True:
            while event := self._next_event():
                yield event
            if self._finished and self._window.all_reported:
                return
            if self._task.done():
                self._task.result()
                raise UnexpectedStatus("the stream ended before all was answered", 13)
            self._report_ready.clear()
            await self._report_ready.wait()

    def _next_event(self) -> RoomEvent | None:
        if self._connection_event:
            event, self._connection_event = self._connection_event, None
            return event
        if report := self._window.next_report():
            self._writer_wakeup.set()
            return report
        if self._events:
            return self._events.popleft()
        self._events_drained.set()
        return None

    # --- the stream

    async def _run_stream(self, call: Call) -> None:
        try:
            await super()._run_stream(call)
        except CursorOtherLog:
            raise LogChanged(
                f"{self._server} serves another log than before: nothing more was sent; "
                "name the server that has it, or see what became of its store"
            ) from None

    def _first_request(self) -> pb.SendAndReceiveMessageRequest:
        request = super()._first_request()
        self._subscription_id = 0
        if self._rooms:
            request.receive.CopyFrom(self._next_subscription())
        self._rooms_changed = False
        return request

    def _next_subscription(self) -> pb.Receive:
        self._rooms_changed = False
        self._subscription_id += 1
        return pb.Receive(rooms=self._rooms, after=self._cursor if self._rooms else "", presence=True)

    def _next_request(self) -> pb.SendAndReceiveMessageRequest | None:
        if self._rooms_changed:
            return pb.SendAndReceiveMessageRequest(receive=self._next_subscription())
        return super()._next_request()

    def _on_welcome(self, welcome: pb.Welcome) -> None:
        super()._on_welcome(welcome)
        self._connection_event = Connected(self._connected_before)
        self._connected_before = True
        self._report_ready.set()

    def _on_disconnect(self, error: ChatError) -> None:
        self._connection_event = Disconnected(error)
        self._report_ready.set()

    async def _on_response(self, call: Call, response: pb.SendAndReceiveMessageResponse) -> None:
        await super()._on_response(call, response)
        if response.cursor and not response.receive:  # older servers do not name the `receive` that a response is for
            raise outdated_server_error(self._server, "joining rooms")
        # What was on its way when the rooms changed says nothing of new ones; what is left out comes again.
        if response.receive == self._subscription_id and not self._rooms_changed:
            if response.present:
                self._events.append(PresenceChanged(stats.presence_from_pb(response.present)))
            if response.cursor:
                self._cursor = response.cursor
                self._events.append(
                    HistoryPage(convert.runs_from_pb(response.runs), response.cursor, response.cursor_prefix, response.live)
                )
        self._report_ready.set()
        call.watchdog.reset(expecting=False)  # the caller's time is its own
        self._watchdog.reset(expecting=False)
        while self._events:
            self._events_drained.clear()
            await self._events_drained.wait()
        call.watchdog.reset(expecting=self._window.in_flight > 0)  # what was sent meanwhile is to be answered
        self._watchdog.reset(expecting=self._window.in_flight > 0)
