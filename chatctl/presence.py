"""Who is in which room right now: a hint, stored nowhere."""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

SHOWN_USERS = 100  # of one room
SHOWN_IN_ALL = 10_000  # of all rooms told of at once: so many of the longest names are 1.3 MB
MOST = 100_000  # users in rooms, all together: whoever comes on top of them is not told of
REST_SECONDS, REST_EACH = 0.5, 1e-3  # between two rounds of telling: at least, and for each who was told
TOLD_AT_ONCE = 50  # then whoever else waits for the event loop has a turn


class Present(NamedTuple):
    """Who is in a room: names, sorted, the first 100 of them; and how many they are."""

    room: str
    users: list[str]
    num_users: int


class Presence:
    """The users in all rooms, and those who want to know. Belongs to the event loop it is used in."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, int]] = {}  # and as how many a user is there
        self._size = 0
        self._watches: dict[str, set[Watch]] = {}
        self._changed: set[str] = set()
        self._told: dict[str, Present] = {}  # of rooms that are watched
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, user: str, rooms: Sequence[str]) -> Callable[[], None]:
        """The user is in these rooms; what comes back ends this: call it once."""
        entered = [room for room in dict.fromkeys(rooms) if self._add(user, room)]

        def leave() -> None:
            for room in entered:
                self._remove(user, room)

        return leave

    def _add(self, user: str, room: str) -> bool:
        users = self._rooms.get(room, {})
        if user not in users:
            if self._size >= MOST:
                return False
            self._size += 1
            self._move(room)
        self._rooms[room] = users
        users[user] = users.get(user, 0) + 1
        return True

    def _remove(self, user: str, room: str) -> None:
        users = self._rooms[room]
        users[user] -= 1
        if not users[user]:
            del users[user]
            self._size -= 1
            self._move(room)
        if not users:
            del self._rooms[room]

    def of(self, room: str) -> Present:
        """Who is in a room."""
        users = self._rooms.get(room, {})
        return Present(room, heapq.nsmallest(SHOWN_USERS, users), len(users))

    def fullest(self, top: int) -> list[Present]:
        """Who is in the rooms with most users, most first; of the later ones only how many, if the names are too many."""
        rooms = heapq.nsmallest(top, self._rooms, key=lambda room: (-len(self._rooms[room]), room))
        found, left = [], SHOWN_IN_ALL
        for room in rooms:
            present = self.of(room)
            found.append(present._replace(users=present.users[:left]))
            left -= len(found[-1].users)
        return found

    # --- telling

    def watch(self, rooms: Sequence[str], wake: Callable[[], None]) -> "Watch":
        """Want to know who is in these rooms: `wake` is called when `Watch.take` has something. Close it in the end."""
        watch = Watch(self, rooms, wake)
        for room in watch.rooms:
            self._watches.setdefault(room, set()).add(watch)
            if room not in self._told:
                self._told[room] = self.of(room)
        return watch

    def forget(self, watch: "Watch") -> None:
        """See `Watch.close`."""
        for room in watch.rooms:
            self._watches[room].discard(watch)
            if not self._watches[room]:
                del self._watches[room], self._told[room]

    def _move(self, room: str) -> None:
        """Somebody came or went: those who want to know are told soon, and not of each."""
        if room in self._watches:
            self._changed.add(room)
            if self._timer is None:
                self._rest(REST_SECONDS)

    def _rest(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tell)

    def _tell(self) -> None:
        self._timer = None
        changed, self._changed = self._changed & self._watches.keys(), set()
        due = []
        for room in changed:
            now = self.of(room)
            if now != self._told[room]:  # who came and went in one moment is no news
                self._told[room] = now
                due += [(watch, room) for watch in self._watches[room]]
        if due:
            self._tell_some(due, len(due))

    def _tell_some(self, due: "list[tuple[Watch, str]]", count: int) -> None:
        for watch, room in due[:TOLD_AT_ONCE]:
            watch.move(room)
        if rest := due[TOLD_AT_ONCE:]:
            self._timer = asyncio.get_running_loop().call_later(TOLD_AT_ONCE * REST_EACH / 2, self._tell_some, rest, count)
        else:
            self._rest(max(REST_SECONDS, count * REST_EACH))

    def told(self, room: str) -> Present:
        """Who is in a room that is watched, as was told last; so what many are told of is looked up once."""
        return self._told[room]


class Watch:
    """One who wants to know who is in some rooms."""

    def __init__(self, presence: Presence, rooms: Sequence[str], wake: Callable[[], None]) -> None:
        """Use `Presence.watch`."""
        self._presence = presence
        self.rooms = tuple(dict.fromkeys(rooms))
        self._wake = wake
        self._changed = dict.fromkeys(self.rooms)
        self._look = presence.of

    def move(self, room: str) -> None:
        """Who is in this room has changed."""
        self._changed[room] = None
        self._wake()

    def take(self) -> list[Present]:
        """Who is in the rooms where that has changed since the last time; at first in all of them."""
        changed, self._changed = self._changed, {}
        look, self._look = self._look, self._presence.told
        return [look(room) for room in changed]

    def close(self) -> None:
        """Want to know no more."""
        self._presence.forget(self)
