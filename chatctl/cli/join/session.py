"""The rooms of one user and the stream behind them. Knows no screen."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from chatctl.cli.join.input_error import InputError
from chatctl.cli.join.older_messages import OlderMessagesLoader
from chatctl.cli.join.room import MessageList, Room, Search
from chatctl.client import Connected, DeliveryReport, Disconnected, HistoryPage, PresenceChanged, RoomStream
from chatctl.client.client import ChatClient
from chatctl.errors import ChatError
from chatctl.model import cursor
from chatctl.model.limits import MAX_FILTERS, name_error, utf8_size
from chatctl.model.records import ReceiptStatus
from chatctl.model.stats import RoomPresence, ServerStats

LATENCY_INTERVAL_SECONDS = 10.0
RESPONSE_TIMEOUT_SECONDS = 5.0  # for requests that the user waits for
MAX_STATS_ROOMS = 100  # rooms with most messages that the server lists


class SessionListener(Protocol):
    """Receives the changes of a session. All calls come from the event loop and must return quickly."""

    def messages_changed(self, message_list: MessageList) -> None:
        """The lines or the unread count of a room or of the search have changed."""

    def mention_received(self, room: Room) -> None:
        """A message in a room that is not visible mentions the user."""

    def state_changed(self) -> None:
        """The connection, the presence or the number of pending texts has changed."""


class Session:
    """The rooms, the search and the connection of one user. Only the session iterates over the events of the stream."""

    def __init__(self, client: ChatClient, stream: RoomStream, user: str, rooms: Sequence[str]) -> None:
        """`rooms` are the rooms that the stream was opened with."""
        self.client = client
        self.user = user
        self.rooms = {name: Room(name, user) for name in rooms}
        self.presence: dict[str, RoomPresence] = {}
        self.search: Search | None = None
        self.server_rooms: list[str] = []
        """Rooms of the server, most messages first."""
        self.latency: float | None = None
        """Seconds of a round trip; None while unknown."""
        self.server_seen = False
        """True if the server was ever connected."""
        self.pending_count = 0
        """The number of texts without a receipt."""
        self.listener: SessionListener | None = None
        self._stream = stream
        self._last_number = 0  # of the texts sent
        self._cursor_prefix = ""
        self._head = -1  # sequence up to which all is received
        self._loader = OlderMessagesLoader(client, lambda: self.last_error is None, self._messages_changed)
        self._connected = asyncio.Event()
        self._offline_explained = False

    @property
    def server(self) -> str:
        """The server's address."""
        return str(self.client.endpoint)

    @property
    def last_error(self) -> ChatError | None:
        """The error that keeps the stream disconnected; None while it is connected."""
        return self._stream.last_error

    # --- requests of the user

    def send(self, room: Room, text: str) -> None:
        """Send a text, which is pending until its receipt. Raises InputError if it cannot be sent."""
        try:
            size, limit = utf8_size([text]), self._stream.limits.text_bytes
        except UnicodeEncodeError:
            raise InputError("not sent: the text contains characters that UTF-8 cannot encode") from None
        if size > limit:
            raise InputError(f"not sent: the text has {size:,} bytes, the limit is {limit:,}", "split it")
        self._stream.put(room.name, [text])
        self._last_number += 1
        self.pending_count += 1
        room.add_pending(self._last_number, text, _now_microseconds())
        self._messages_changed(room)

    def join(self, names: Iterable[str]) -> None:
        """Receive more rooms. Raises InputError for an invalid name, or for too many rooms."""
        new_names = [name for name in dict.fromkeys(names) if name not in self.rooms]
        for name in new_names:
            if error := name_error("room", name, self._stream.limits.name_bytes):
                raise InputError(error)
        if len(self.rooms) + len(new_names) > MAX_FILTERS:
            raise InputError(f"cannot join more than {MAX_FILTERS} rooms", "leave some first")
        for name in new_names:
            self.rooms[name] = Room(name, self.user)
            self.rooms[name].set_head(self._head)
        if new_names:
            self._stream.set_rooms(list(self.rooms))

    def start_search(self, room: Room, needle: str) -> None:
        """Search the messages of a room that contain a text."""
        self.search = Search(room.name, self.user, needle)
        self.search.set_head(self._head)

    def leave(self, name: str) -> None:
        """Stop receiving a room. Texts already sent to it still get their receipts."""
        del self.rooms[name]
        self.presence.pop(name, None)
        self._stream.set_rooms(list(self.rooms))
        self._state_changed()

    def finish(self) -> None:
        """Accept no more texts: `run` ends once every text has a receipt."""
        self._stream.finish()

    async def stats(self) -> ServerStats:
        """Return the server's stats. Raises ChatError, and TimeoutError after 5 s."""
        async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
            return await self.client.stats(MAX_STATS_ROOMS)

    def load_older(self, message_list: MessageList) -> None:
        """Load messages older than those held, unless a load is running or the server does not send the room yet."""
        room = self.rooms.get(message_list.name)
        if room and room.live:
            self._loader.load(message_list, self._cursor_prefix)

    # --- events of the stream

    async def run(self) -> None:
        """Handle events until `finish`. Raises the error that ended the stream."""
        latency_task = asyncio.create_task(self._measure_latency())
        try:
            async for event in self._stream.events():
                self._handle_event(event)
                if isinstance(event, HistoryPage):
                    # Handle keys between the pages of a flood. Only here: the rooms cannot change between other events.
                    await asyncio.sleep(0)
        finally:
            latency_task.cancel()
            self._loader.cancel()

    def _handle_event(self, event: object) -> None:
        match event:
            case HistoryPage():
                self._receive_page(event)
                return
            case DeliveryReport():
                self._apply_report(event)
            case PresenceChanged():
                self.presence |= {present.room: present for present in event.rooms if present.room in self.rooms}
            case Connected():
                self.server_seen = True
                for message_list in (*self.rooms.values(), *([self.search] if self.search else [])):
                    message_list.load_requested = message_list.loaded
                self._connected.set()
            case Disconnected(error):
                self.latency = None
                self._explain_offline(error)
        self._state_changed()

    def _receive_page(self, page: HistoryPage) -> None:
        self._cursor_prefix, self._head = page.cursor_prefix, cursor.parse_cursor(page.cursor).sequence
        before = page.runs[0].sequence - 1 if page.runs else self._head
        changed_rooms = {run.room for run in page.runs}
        for room in self.rooms.values():
            room.live = True
            room.set_head(before)
            if room.name in changed_rooms:
                unread_lines = room.receive(page.runs)
                if self.listener and any(line.mention for line in unread_lines):
                    self.listener.mention_received(room)
                self._messages_changed(room)
            room.set_head(self._head)
            if room.visible and not room.load_requested:
                self.load_older(room)
        if self.search:
            if self.search.name in changed_rooms:
                self.search.receive(page.runs)
                self._messages_changed(self.search)
            self.search.set_head(self._head)
            if not self.search.load_requested:
                self.load_older(self.search)

    def _apply_report(self, report: DeliveryReport) -> None:
        self.pending_count -= report.receipt.count
        if room := self.rooms.get(report.room):
            room.apply_receipt(report.receipt, report.texts, _now_microseconds())
            self._messages_changed(room)
        elif report.receipt.status is ReceiptStatus.REJECTED and self.rooms:  # the user has left the room
            room = next(iter(self.rooms.values()))
            for text in report.texts:
                room.add_notice(f"not stored in {report.room}: {report.receipt.error}\n{text}", _now_microseconds())
            self._messages_changed(room)

    def _explain_offline(self, error: ChatError) -> None:
        """Show the first error in full if the server was never connected; later the status line is enough."""
        if self.server_seen or self._offline_explained:
            return
        self._offline_explained = True
        for room in self.rooms.values():
            room.add_notice(
                f"{error}\nRetrying until the server responds; your messages are sent then.", _now_microseconds()
            )
            self._messages_changed(room)

    async def _measure_latency(self) -> None:
        """Measure the round trip at every connect and every 10 s while connected."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LATENCY_INTERVAL_SECONDS):
                    await self._connected.wait()
            self._connected.clear()
            if not self.server_seen or self.last_error:
                continue
            start = time.perf_counter()
            try:
                async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
                    await self.client.stats(1, list(self.rooms)[:1])  # costs the same under any load
                self.latency = time.perf_counter() - start
                if not self.server_rooms:
                    self.server_rooms = [name for name, *_ in (await self.stats()).stats.rooms]
            except (ChatError, TimeoutError):
                self.latency = None
            self._state_changed()

    def _messages_changed(self, message_list: MessageList) -> None:
        if self.listener:
            self.listener.messages_changed(message_list)

    def _state_changed(self) -> None:
        if self.listener:
            self.listener.state_changed()


def _now_microseconds() -> int:
    return time.time_ns() // 1000
