"""RoomStream: sends to rooms and receives from them, without gaps or repetitions when the stream breaks.

Its ReliableStream owns the retry loop; RoomSubscription adds the rooms to each stream.
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chatctl.client.call_errors import outdated_server_error
from chatctl.client.connector import Connector
from chatctl.client.reliable_stream import ReliableStream
from chatctl.client.send_stream import RecordStream
from chatctl.client.send_window import DeliveryReport
from chatctl.client.stream_hooks import StreamHooks
from chatctl.errors import ChatError
from chatctl.model.messages import HistoryPage, Query
from chatctl.model.stats import RoomPresence
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import stats
from chatctl.wire.checks import contract_error
from chatctl.wire.page_reader import PageReader

STREAM_TIMEOUT_SECONDS = 10.0  # shorter than that of `send`: a person waits for each receipt


@dataclass(frozen=True)  # an empty NamedTuple would be false, like no event
class Connected:
    """The server has accepted a stream."""


class Disconnected(NamedTuple):
    """The stream broke, or the server cannot be reached. Another stream is tried."""

    error: ChatError


class PresenceChanged(NamedTuple):
    """The users of the rooms where presence changed."""

    rooms: list[RoomPresence]


RoomEvent = Connected | Disconnected | PresenceChanged | HistoryPage | DeliveryReport


class RoomSubscription(StreamHooks):
    """The rooms to receive, the cursor received up to, and the events that the caller has not taken."""

    def __init__(self, server: str, rooms: Sequence[str]) -> None:
        self._server = server
        self.rooms = list(dict.fromkeys(rooms))
        self._changed = False  # whether the server does not know the rooms yet
        self._id = 0  # how many subscriptions were sent on this stream
        self._cursor = ""
        self._log = ""
        self._reader = PageReader(Query())
        self._connection_event: Connected | Disconnected | None = None
        self._events: deque[PresenceChanged | HistoryPage] = deque()  # of one response

    def set_rooms(self, rooms: Sequence[str]) -> None:
        """Replace the rooms. The next request says so."""
        self.rooms = list(dict.fromkeys(rooms))
        self._changed = True

    def take_connection_event(self) -> Connected | Disconnected | None:
        """Return the newest change of the connection, once."""
        event, self._connection_event = self._connection_event, None
        return event

    def take_event(self) -> PresenceChanged | HistoryPage | None:
        """Return the next event of the response, or None if all are taken."""
        return self._events.popleft() if self._events else None

    def first_request(self, request: pb.SendAndReceiveMessageRequest) -> None:
        self._id = 0
        if self.rooms:
            request.receive.CopyFrom(self._next_receive())
        self._changed = False

    def next_request(self) -> pb.SendAndReceiveMessageRequest | None:
        return pb.SendAndReceiveMessageRequest(receive=self._next_receive()) if self._changed else None

    def _next_receive(self) -> pb.Receive:
        self._changed = False
        self._id += 1
        self._reader = PageReader(Query(rooms=tuple(self.rooms), after=self._cursor), self._log)
        self.awaits_response = bool(self.rooms)  # a page at once, which may be empty
        return pb.Receive(rooms=self.rooms, after=self._cursor if self.rooms else "", presence=True)

    def on_welcome(self, log: str) -> None:
        self._log = log
        self._reader.set_log(log)
        self._connection_event = Connected()

    def on_response(self, response: pb.SendAndReceiveMessageResponse) -> bool:
        cursor, receive = response.cursor, response.receive
        if cursor and not receive:  # older servers do not name the `receive` that a response is for
            raise outdated_server_error(self._server, "joining rooms")
        if not 0 <= receive <= self._id or (response.runs and not cursor):
            raise contract_error("messages that were not asked for")
        # A response that was in flight when the rooms changed lacks the new ones. The server sends its messages again.
        if receive == self._id and not self._changed:
            if response.present:
                self._events.append(PresenceChanged(stats.presence_from_pb(response.present, self.rooms)))
            if cursor:
                self._events.append(self._reader.read(response))
                self._cursor, self.awaits_response = cursor, False
        return bool(self._events)

    def on_disconnect(self, error: ChatError) -> None:
        self._connection_event = Disconnected(error)


class RoomStream(RecordStream):
    """A user in rooms. Call `put` and `set_rooms` at any time, and `finish` at the end; meanwhile iterate over `events`.

    It reads nothing more from the stream, receipts included, until the caller has taken the events of the last response.
    """

    def __init__(self, connector: Connector, user: str, rooms: Sequence[str]) -> None:
        """Use `ChatClient.join`."""
        self._subscription = RoomSubscription(connector.server, rooms)
        super().__init__(ReliableStream(connector, self._subscription, user, stream_timeout=STREAM_TIMEOUT_SECONDS))

    def set_rooms(self, rooms: Sequence[str]) -> None:
        """Receive these rooms from now on.

        A new room is received from the cursor of the last page on, which is up to half a minute old. `read` has what was
        stored in it before, without a gap between the two.
        """
        self._subscription.set_rooms(rooms)
        self._stream.wake_writer()

    @property
    def last_error(self) -> ChatError | None:
        """The error that stops it at the moment, or None while the server responds."""
        return self._stream.last_error

    def events(self) -> AsyncIterator[RoomEvent]:
        """Return an iterator over events, until `finish` was called and all that was put has its receipt.

        Each message comes once and in order. The first page comes when the server has begun to receive for this client:
        `read` has what was stored before it. Raises what ended the stream; `undelivered` has the records without a receipt.
        """
        return self._iterate(self._next_event)

    def _next_event(self) -> RoomEvent | None:
        event = self._subscription.take_connection_event() or self._stream.next_report() or self._subscription.take_event()
        if event is None:
            self._stream.resume_reading()
        return event
