"""Joining: one stream that sends and receives, and the next one when it breaks, so that nothing is missed or doubled."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from chatctl import wire, wire_stats
from chatctl.client.call import Call, Dial, outdated
from chatctl.client.following import HistoryPage
from chatctl.client.sending import Sending
from chatctl.client.window import Outcome
from chatctl.errors import ChatError, CursorOtherLog, LogChanged, Unexpected
from chatctl.presence import Present
from chatctl.v1 import chat_pb2 as pb


class Connected(NamedTuple):
    """The server said welcome; `again`: not for the first time."""

    again: bool


class Lost(NamedTuple):
    """The stream broke, or there is no server; another is tried."""

    error: ChatError


class Here(NamedTuple):
    """Who is now in those rooms where that has changed."""

    present: list[Present]


Event = Connected | Lost | Here | HistoryPage | Outcome


class Joining(Sending):
    """A user in some rooms. `put` and `receive` at any time, `finish` in the end; all the while, iterate over `events`.

    Nothing more is read from the stream until whoever iterates asks for the next event, receipts neither.
    """

    STALE_SECONDS = 10.0  # a person waits for each receipt

    def __init__(
        self, dial: Dial, server: str, user: str, sender: str, log: str, timeout: float, rooms: Sequence[str]
    ) -> None:
        """Use `ChatClient.join`."""
        self._rooms = list(dict.fromkeys(rooms))
        self._moved = False  # whether the server has still to hear of the rooms
        self._asked = 0  # how many times it was told on this stream
        self._cursor = ""
        self._met = False
        self._state: Connected | Lost | None = None
        self._come: deque[Here | HistoryPage] = deque()  # of one response
        self._taken = asyncio.Event()
        super().__init__(dial, server, user, sender, log, timeout, None)

    # --- for the caller

    def receive(self, rooms: Sequence[str]) -> None:
        """Be in these rooms from here on. In a new one that is from the cursor of the last page on, up to half a minute ago.

        What was stored in it before, and no gap after it, is what `read` gives from now on.
        """
        self._rooms = list(dict.fromkeys(rooms))
        self._moved = True
        self._changed.set()

    @property
    def trouble(self) -> ChatError | None:
        """What keeps it from going on at this moment; None while the server answers."""
        return self._retrying.trouble

    async def events(self) -> AsyncIterator[Event]:
        """What happens, until after `finish` all that was put has its receipt. Each message of a room comes once, in order.

        The first page comes when the server has begun to receive for this client: what was stored before it is for `read`.
        Raises what ended the stream before that; `remaining` tells what has no receipt.
        """
        while True:
            while event := self._next():
                yield event
            if self._finished and self._window.empty:
                return
            if self._task.done():
                self._task.result()
                raise Unexpected("the stream ended before all was answered", 13)
            self._news.clear()
            await self._news.wait()

    def _next(self) -> Event | None:
        if self._state:
            state, self._state = self._state, None
            return state
        if outcome := self._window.settle():
            self._changed.set()
            return outcome
        if self._come:
            return self._come.popleft()
        self._taken.set()
        return None

    # --- the stream

    async def _exchange(self, call: Call) -> None:
        try:
            await super()._exchange(call)
        except CursorOtherLog:
            raise LogChanged(
                f"{self._server} serves another log than before: nothing more was sent; "
                "name the server that has it, or see what became of its store"
            ) from None

    def _opening(self) -> pb.SendAndReceiveMessageRequest:
        request = super()._opening()
        self._asked = 0
        if self._rooms:
            request.receive.CopyFrom(self._receive())
        self._moved = False
        return request

    def _receive(self) -> pb.Receive:
        self._moved = False
        self._asked += 1
        return pb.Receive(rooms=self._rooms, after=self._cursor if self._rooms else "", presence=True)

    def _due(self) -> pb.SendAndReceiveMessageRequest | None:
        if self._moved:
            return pb.SendAndReceiveMessageRequest(receive=self._receive())
        return super()._due()

    def _welcome(self, welcome: pb.Welcome) -> None:
        super()._welcome(welcome)
        self._state = Connected(self._met)
        self._met = True
        self._news.set()

    def _lost(self, error: ChatError) -> None:
        self._state = Lost(error)
        self._news.set()

    async def _take(self, call: Call, response: pb.SendAndReceiveMessageResponse) -> None:
        await super()._take(call, response)
        if response.cursor and not response.receive:  # older servers do not say which `receive` it answers
            raise outdated(self._server, "joining rooms")
        # What was on its way when the rooms changed says nothing of new ones; what is left out comes again.
        if response.receive == self._asked and not self._moved:
            if response.present:
                self._come.append(Here(wire_stats.presence(response.present)))
            if response.cursor:
                self._cursor = response.cursor
                self._come.append(
                    HistoryPage(wire.runs(response.runs), response.cursor, response.cursor_prefix, response.live)
                )
        self._news.set()
        call.patience.heard(expecting=False)  # the caller's time is its own
        self._patience.heard(expecting=False)
        while self._come:
            self._taken.clear()
            await self._taken.wait()
        call.patience.heard(expecting=self._window.waiting > 0)  # what was sent meanwhile is to be answered
        self._patience.heard(expecting=self._window.waiting > 0)
