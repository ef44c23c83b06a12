"""The rooms of one person and the stream behind them: what comes goes to its room, and what is typed goes out."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.join.line import Line
from chatctl.cli.join.room import MessageList, Room, Search
from chatctl.client import Connected, DeliveryReport, Disconnected, HistoryPage, PresenceChanged, Query, RoomStream
from chatctl.client.client import ChatClient
from chatctl.errors import ChatError
from chatctl.model.limits import MAX_FILTERS, name_error, utf8_size
from chatctl.model.records import ReceiptStatus
from chatctl.model.stats import ServerStats

if TYPE_CHECKING:
    from chatctl.model.stats import RoomPresence

OLDER_PAGE_SIZE = 200  # messages loaded at once
LATENCY_INTERVAL_SECONDS = 10.0
RESPONSE_TIMEOUT_SECONDS = 5.0  # for what somebody waits for at the screen
PAGE_TIMEOUT_SECONDS = 30.0  # without any page; a search in much tells every second how far it is


class SessionListener(Protocol):
    """Who wants to know what happens. All calls are from the event loop, and must be quick."""

    def messages_changed(self, message_list: MessageList) -> None:
        """A room or a search has other lines, or others are unread."""

    def mention_received(self, room: Room) -> None:
        """Somebody mentions the user in a room that nobody looks at."""

    def state_changed(self) -> None:
        """The connection, who is here, or what is pending is another."""


class Session:
    """Rooms, and a RoomStream that it alone iterates over. `run` it; it ends after `finish`, or with what ended the stream."""

    def __init__(self, client: ChatClient, stream: RoomStream, user: str, rooms: Sequence[str]) -> None:
        """`rooms` are those the joining was made with."""
        self.client = client
        self.user = user
        self.rooms = {name: Room(name, user) for name in rooms}
        self.presence: dict[str, RoomPresence] = {}
        self.search: Search | None = None
        self.server_rooms: list[str] = []
        """Rooms of the server, those with most messages first."""
        self.latency: float | None = None
        """Seconds; None while it is not known."""
        self.server_seen = False
        """Whether there was ever a server."""
        self.pending_count = 0
        """Texts without a receipt."""
        self.listener: SessionListener | None = None
        self._stream = stream
        self._last_number = 0  # texts put
        self._cursor_prefix = ""
        self._load_tasks: set[asyncio.Task[None]] = set()
        self._connected = asyncio.Event()
        self._offline_explained = False

    @property
    def server(self) -> str:
        """Its address."""
        return str(self.client.endpoint)

    @property
    def last_error(self) -> ChatError | None:
        """What keeps it from going on at this moment."""
        return self._stream.last_error

    # --- what somebody does

    def send(self, room: Room, text: str) -> str:
        """Send a text; it is pending from here on. Why it cannot be sent comes back, empty if it can."""
        try:
            size, limit = utf8_size([text]), self._stream.limits.text_bytes
        except UnicodeEncodeError:
            return "not sent: it holds characters that UTF-8 cannot carry"
        if size > limit:
            return f"not sent: it has {size:,} bytes, the limit is {limit:,}; split it"
        self._stream.put(room.name, [text])
        self._last_number += 1
        self.pending_count += 1
        room.add_pending(self._last_number, text, _now_microseconds())
        self._messages_changed(room)
        return ""

    def join(self, names: Iterable[str]) -> str:
        """Receive more rooms. Why that cannot be comes back, empty if it can."""
        new_names = [name for name in dict.fromkeys(names) if name not in self.rooms]
        for name in new_names:
            if error := name_error("room", name, self._stream.limits.name_bytes):
                return error
        if len(self.rooms) + len(new_names) > MAX_FILTERS:
            return f"these would be more than {MAX_FILTERS} rooms: leave some"
        self.rooms |= {name: Room(name, self.user) for name in new_names}
        if new_names:
            self._stream.set_rooms(list(self.rooms))
        return ""

    def leave(self, name: str) -> None:
        """Receive a room no more. What was sent there still gets its receipt."""
        del self.rooms[name]
        self.presence.pop(name, None)
        self._stream.set_rooms(list(self.rooms))

    def finish(self) -> None:
        """Send nothing more: `run` ends once all has its receipt."""
        self._stream.finish()

    async def stats(self) -> ServerStats:
        """The server's figures. Raises ChatError, and TimeoutError after some seconds."""
        async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
            return await self.client.stats(100)

    # --- what comes

    async def run(self) -> None:
        """Take everything that comes. Raises what ended the stream."""
        latency_task = asyncio.create_task(self._measure_latency())
        try:
            async for event in self._stream.events():
                self._handle_event(event)
                if isinstance(event, HistoryPage):
                    # Keys come first, however much comes. Only here: what comes next is then of the rooms as they are now.
                    await asyncio.sleep(0)
        finally:
            for task in (latency_task, *self._load_tasks):
                task.cancel()

    def _handle_event(self, event: object) -> None:
        match event:
            case HistoryPage():
                self._receive_page(event)
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
        if self.listener and not isinstance(event, HistoryPage):
            self.listener.state_changed()

    def _receive_page(self, page: HistoryPage) -> None:
        self._cursor_prefix = page.cursor_prefix
        changed_rooms = {run.room for run in page.runs}
        for room in self.rooms.values():
            room.live = True
            if room.name in changed_rooms:
                unread_lines = room.receive(page.runs)
                if self.listener and any(line.mention for line in unread_lines):
                    self.listener.mention_received(room)
                self._messages_changed(room)
            if room.visible and not room.load_requested:
                self.load_older(room)
        if self.search:
            if self.search.name in changed_rooms:
                self.search.receive(page.runs)
                self._messages_changed(self.search)
            if not self.search.load_requested:
                self.load_older(self.search)

    def _apply_report(self, report: DeliveryReport) -> None:
        self.pending_count -= report.receipt.count
        if room := self.rooms.get(report.room):
            room.apply_receipt(report.receipt, report.texts, _now_microseconds())
            self._messages_changed(room)
        elif report.receipt.status is ReceiptStatus.REJECTED and self.rooms:  # in a room that was left
            room = next(iter(self.rooms.values()))
            for text in report.texts:
                room.add_notice(f"not stored in {report.room}: {report.receipt.error}\n{text}", _now_microseconds())
            self._messages_changed(room)

    def _explain_offline(self, error: ChatError) -> None:
        """Whoever has just come is told in full why there is nothing; later the status line is enough."""
        if not self.server_seen and not self._offline_explained:
            self._offline_explained = True
            for room in self.rooms.values():
                room.add_notice(
                    f"{error}\nIt is tried again until there is one; what you send meanwhile waits.", _now_microseconds()
                )
                self._messages_changed(room)

    # --- older messages

    def load_older(self, message_list: MessageList) -> None:
        """Load messages before those that are held, unless that is under way or there are none."""
        room = self.rooms.get(message_list.name)
        if (
            room is None
            or not room.live
            or message_list.at_start
            or message_list.loading
            or message_list.full
            or self.last_error
        ):
            return
        message_list.loading = message_list.load_requested = True
        task = asyncio.create_task(self._fetch_older(message_list))
        self._load_tasks.add(task)
        task.add_done_callback(self._load_tasks.discard)

    async def _fetch_older(self, message_list: MessageList) -> None:
        oldest = message_list.oldest_sequence
        before = f"{self._cursor_prefix}{oldest}" if oldest else ""
        contains = message_list.needle if isinstance(message_list, Search) else ""
        query = Query(rooms=(message_list.name,), contains=contains, before=before, last=OLDER_PAGE_SIZE)
        lines: list[Line] = []
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(PAGE_TIMEOUT_SECONDS) as page_timeout, aclosing(self.client.read(query)) as pages:
                async for page in pages:
                    lines += message_list.lines_from_runs(page.runs)
                    page_timeout.reschedule(clock() + PAGE_TIMEOUT_SECONDS)
            message_list.prepend(lines, len(lines) < OLDER_PAGE_SIZE, oldest)
            if contains and not message_list.lines:
                message_list.add_notice(
                    f"no message here contains {contains}; new ones that do will show", _now_microseconds()
                )
        except (ChatError, TimeoutError) as error:
            if self.last_error is None:
                message_list.add_notice(
                    f"older messages did not load ({error or 'no answer'}): scroll up to try again", _now_microseconds()
                )
        finally:
            message_list.loading = False
        self._messages_changed(message_list)

    # --- the rest

    async def _measure_latency(self) -> None:
        """Measure the round trip, again and again while there is a server."""
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
                    await self.client.stats(1, list(self.rooms)[:1])  # which is cheap, however much goes on
                self.latency = time.perf_counter() - start
                if not self.server_rooms:
                    self.server_rooms = [name for name, *_ in (await self.stats()).stats.rooms]
            except (ChatError, TimeoutError):
                self.latency = None
            if self.listener:
                self.listener.state_changed()

    def _messages_changed(self, message_list: MessageList) -> None:
        if self.listener:
            self.listener.messages_changed(message_list)


def _now_microseconds() -> int:
    return time.time_ns() // 1000
