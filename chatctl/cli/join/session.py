"""The rooms of one person and the stream behind them: what comes goes to its room, and what is typed goes out."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Protocol

from chatctl.chat import MAX_FILTERS, name_fault, utf8_size
from chatctl.cli.join.lines import Line
from chatctl.cli.join.room import Room, Search, View
from chatctl.client import ChatClient, Connected, Here, HistoryPage, Joining, Lost, Outcome, Query, ServerStats
from chatctl.errors import ChatError
from chatctl.log import Status

if TYPE_CHECKING:
    from chatctl.presence import Present

OLDER = 200  # messages loaded at once
ROUND_TRIP_SECONDS = 10.0
ANSWER_SECONDS = 5.0  # for what somebody waits for at the screen
PAGE_SECONDS = 30.0  # without any page; a search in much tells every second how far it is


class Screen(Protocol):
    """Who wants to know what happens. All calls are from the event loop, and must be quick."""

    def view_changed(self, view: View) -> None:
        """A room or a search has other lines, or others are unread."""

    def mentioned(self, room: Room) -> None:
        """Somebody mentions the user in a room that nobody looks at."""

    def state_changed(self) -> None:
        """The connection, who is here, or what is pending is another."""


class Session:
    """Rooms, and a Joining that it alone iterates over. `run` it; it ends after `finish`, or with what ended the stream."""

    def __init__(self, chat: ChatClient, joining: Joining, user: str, rooms: Sequence[str]) -> None:
        """`rooms` are those the joining was made with."""
        self.chat = chat
        self.user = user
        self.rooms = {name: Room(name, user) for name in rooms}
        self.present: dict[str, Present] = {}
        self.search: Search | None = None
        self.names: list[str] = []
        """Rooms of the server, those with most messages first."""
        self.round_trip: float | None = None
        """Seconds; None while it is not known."""
        self.met = False
        """Whether there was ever a server."""
        self.pending = 0
        """Texts without a receipt."""
        self.screen: Screen | None = None
        self._joining = joining
        self._numbers = 0  # texts put
        self._prefix = ""
        self._loads: set[asyncio.Task[None]] = set()
        self._ping = asyncio.Event()
        self._explained = False

    @property
    def server(self) -> str:
        """Its address."""
        return self.chat.server

    @property
    def trouble(self) -> ChatError | None:
        """What keeps it from going on at this moment."""
        return self._joining.trouble

    # --- what somebody does

    def put(self, room: Room, text: str) -> str:
        """Send a text; it is pending from here on. Why it cannot be sent comes back, empty if it can."""
        try:
            size, limit = utf8_size([text]), self._joining.limits.text_bytes
        except UnicodeEncodeError:
            return "not sent: it holds characters that UTF-8 cannot carry"
        if size > limit:
            return f"not sent: it has {size:,} bytes, the limit is {limit:,}; split it"
        self._joining.put(room.name, [text])
        self._numbers += 1
        self.pending += 1
        room.put(self._numbers, text, _now())
        self._tell(room)
        return ""

    def join(self, names: Iterable[str]) -> str:
        """Receive more rooms. Why that cannot be comes back, empty if it can."""
        new = [name for name in dict.fromkeys(names) if name not in self.rooms]
        for name in new:
            if fault := name_fault("room", name, self._joining.limits.name_bytes):
                return fault
        if len(self.rooms) + len(new) > MAX_FILTERS:
            return f"these would be more than {MAX_FILTERS} rooms: leave some"
        self.rooms |= {name: Room(name, self.user) for name in new}
        if new:
            self._joining.receive(list(self.rooms))
        return ""

    def leave(self, name: str) -> None:
        """Receive a room no more. What was sent there still gets its receipt."""
        del self.rooms[name]
        self.present.pop(name, None)
        self._joining.receive(list(self.rooms))

    def finish(self) -> None:
        """Send nothing more: `run` ends once all has its receipt."""
        self._joining.finish()

    async def stats(self) -> ServerStats:
        """The server's figures. Raises ChatError, and TimeoutError after some seconds."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self.chat.stats(100)

    # --- what comes

    async def run(self) -> None:
        """Take everything that comes. Raises what ended the stream."""
        pinging = asyncio.create_task(self._measure())
        try:
            async for event in self._joining.events():
                self._take(event)
                if isinstance(event, HistoryPage):
                    # Keys come first, however much comes. Only here: what comes next is then of the rooms as they are now.
                    await asyncio.sleep(0)
        finally:
            for task in (pinging, *self._loads):
                task.cancel()

    def _take(self, event: object) -> None:
        match event:
            case HistoryPage():
                self._receive(event)
            case Outcome():
                self._settle(event)
            case Here():
                self.present |= {present.room: present for present in event.present if present.room in self.rooms}
            case Connected():
                self.met = True
                for view in (*self.rooms.values(), *([self.search] if self.search else [])):
                    view.tried = view.loaded
                self._ping.set()
            case Lost(error):
                self.round_trip = None
                self._explain(error)
        if self.screen and not isinstance(event, HistoryPage):
            self.screen.state_changed()

    def _receive(self, page: HistoryPage) -> None:
        self._prefix = page.cursor_prefix
        named = {run.room for run in page.runs}
        for room in self.rooms.values():
            room.live = True
            if room.name in named:
                fresh = room.receive(page.runs)
                if self.screen and any(line.mention for line in fresh):
                    self.screen.mentioned(room)
                self._tell(room)
            if room.watched and not room.tried:
                self.load_older(room)
        if self.search:
            if self.search.name in named:
                self.search.receive(page.runs)
                self._tell(self.search)
            if not self.search.tried:
                self.load_older(self.search)

    def _settle(self, outcome: Outcome) -> None:
        self.pending -= outcome.receipt.count
        if room := self.rooms.get(outcome.room):
            room.settle(outcome.receipt, outcome.texts, _now())
            self._tell(room)
        elif outcome.receipt.status is Status.REJECTED and self.rooms:  # in a room that was left
            room = next(iter(self.rooms.values()))
            for text in outcome.texts:
                room.tell(f"not stored in {outcome.room}: {outcome.receipt.error}\n{text}", _now())
            self._tell(room)

    def _explain(self, error: ChatError) -> None:
        """Whoever has just come is told in full why there is nothing; later the status line is enough."""
        if not self.met and not self._explained:
            self._explained = True
            for room in self.rooms.values():
                room.tell(f"{error}\nIt is tried again until there is one; what you send meanwhile waits.", _now())
                self._tell(room)

    # --- older messages

    def load_older(self, view: View) -> None:
        """Load messages before those that are held, unless that is under way or there are none."""
        room = self.rooms.get(view.name)
        if room is None or not room.live or view.begins or view.loading or view.full or self.trouble:
            return
        view.loading = view.tried = True
        task = asyncio.create_task(self._load(view))
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _load(self, view: View) -> None:
        oldest = view.oldest
        before = f"{self._prefix}{oldest}" if oldest else ""
        contains = view.needle if isinstance(view, Search) else ""
        query = Query(rooms=(view.name,), contains=contains, before=before, last=OLDER)
        lines: list[Line] = []
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(PAGE_SECONDS) as silence, aclosing(self.chat.read(query)) as pages:
                async for page in pages:
                    lines += view.lines_of(page.runs)
                    silence.reschedule(clock() + PAGE_SECONDS)
            view.older(lines, len(lines) < OLDER, oldest)
            if contains and not view.lines:
                view.tell(f"no message here contains {contains}; new ones that do will show", _now())
        except (ChatError, TimeoutError) as error:
            if self.trouble is None:
                view.tell(f"older messages did not load ({error or 'no answer'}): scroll up to try again", _now())
        finally:
            view.loading = False
        self._tell(view)

    # --- the rest

    async def _measure(self) -> None:
        """Measure the round trip, again and again while there is a server."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ROUND_TRIP_SECONDS):
                    await self._ping.wait()
            self._ping.clear()
            if not self.met or self.trouble:
                continue
            began = time.perf_counter()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self.chat.stats(1, list(self.rooms)[:1])  # which is cheap, however much goes on
                self.round_trip = time.perf_counter() - began
                if not self.names:
                    self.names = [name for name, *_ in (await self.stats()).stats.rooms]
            except (ChatError, TimeoutError):
                self.round_trip = None
            if self.screen:
                self.screen.state_changed()

    def _tell(self, view: View) -> None:
        if self.screen:
            self.screen.view_changed(view)


def _now() -> int:
    return time.time_ns() // 1000
