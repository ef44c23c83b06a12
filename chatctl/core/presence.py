"""Who is in which room right now: a hint, stored nowhere."""

import asyncio
import heapq
from collections.abc import Callable, Sequence

from chatctl.model.stats import RoomPresence

MAX_LISTED_USERS = 100  # of one room
MAX_LISTED_USERS_TOTAL = 10_000  # of all rooms told of at once: so many of the longest names are 1.3 MB
MAX_TRACKED = 100_000  # users in rooms, all together: whoever comes on top of them is not told of
PUBLISH_INTERVAL_SECONDS, PUBLISH_SECONDS_EACH = (
    0.5,
    1e-3,
)  # between two rounds of telling: at least, and for each who was told
PUBLISH_BATCH = 50  # then whoever else waits for the event loop has a turn


class Presence:
    """The users in all rooms, and those who want to know. Belongs to the event loop it is used in."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, int]] = {}  # and as how many a user is there
        self._num_tracked = 0
        self._subscriptions: dict[str, set[PresenceSubscription]] = {}
        self._changed_rooms: set[str] = set()
        self._published: dict[str, RoomPresence] = {}  # of rooms that are watched
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
            if self._num_tracked >= MAX_TRACKED:
                return False
            self._num_tracked += 1
            self._mark_changed(room)
        self._rooms[room] = users
        users[user] = users.get(user, 0) + 1
        return True

    def _remove(self, user: str, room: str) -> None:
        users = self._rooms[room]
        users[user] -= 1
        if not users[user]:
            del users[user]
            self._num_tracked -= 1
            self._mark_changed(room)
        if not users:
            del self._rooms[room]

    def in_room(self, room: str) -> RoomPresence:
        """Who is in a room."""
        users = self._rooms.get(room, {})
        return RoomPresence(room, heapq.nsmallest(MAX_LISTED_USERS, users), len(users))

    def largest_rooms(self, top: int) -> list[RoomPresence]:
        """Who is in the rooms with most users, most first; of the later ones only how many, if the names are too many."""
        rooms = heapq.nsmallest(top, self._rooms, key=lambda room: (-len(self._rooms[room]), room))
        found, remaining = [], MAX_LISTED_USERS_TOTAL
        for room in rooms:
            present = self.in_room(room)
            found.append(present._replace(users=present.users[:remaining]))
            remaining -= len(found[-1].users)
        return found

    # --- telling

    def subscribe(self, rooms: Sequence[str], on_change: Callable[[], None]) -> "PresenceSubscription":
        """Want to know who is in these rooms: `on_change` is called when `PresenceSubscription.pop_changes` has something. Close it in the end."""
        subscription = PresenceSubscription(self, rooms, on_change)
        for room in subscription.rooms:
            self._subscriptions.setdefault(room, set()).add(subscription)
            if room not in self._published:
                self._published[room] = self.in_room(room)
        return subscription

    def unsubscribe(self, subscription: "PresenceSubscription") -> None:
        for room in subscription.rooms:
            self._subscriptions[room].discard(subscription)
            if not self._subscriptions[room]:
                del self._subscriptions[room], self._published[room]

    def _mark_changed(self, room: str) -> None:
        """Somebody came or went: those who want to know are told soon, and not of each."""
        if room in self._subscriptions:
            self._changed_rooms.add(room)
            if self._timer is None:
                self._schedule_publish(PUBLISH_INTERVAL_SECONDS)

    def _schedule_publish(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._publish)

    def _publish(self) -> None:
        self._timer = None
        changed, self._changed_rooms = self._changed_rooms & self._subscriptions.keys(), set()
        pending = []
        for room in changed:
            present = self.in_room(room)
            if present != self._published[room]:  # who came and went in one moment is no news
                self._published[room] = present
                pending += [(subscription, room) for subscription in self._subscriptions[room]]
        if pending:
            self._publish_batch(pending, len(pending))

    def _publish_batch(self, pending: "list[tuple[PresenceSubscription, str]]", count: int) -> None:
        for subscription, room in pending[:PUBLISH_BATCH]:
            subscription.mark_changed(room)
        if rest := pending[PUBLISH_BATCH:]:
            self._timer = asyncio.get_running_loop().call_later(
                PUBLISH_BATCH * PUBLISH_SECONDS_EACH / 2, self._publish_batch, rest, count
            )
        else:
            self._schedule_publish(max(PUBLISH_INTERVAL_SECONDS, count * PUBLISH_SECONDS_EACH))

    def published(self, room: str) -> RoomPresence:
        """Who is in a room that is watched, as was told last; so what many are told of is looked up once."""
        return self._published[room]


class PresenceSubscription:
    """One who wants to know who is in some rooms."""

    def __init__(self, presence: Presence, rooms: Sequence[str], on_change: Callable[[], None]) -> None:
        """Use `Presence.subscribe`."""
        self._presence = presence
        self.rooms = tuple(dict.fromkeys(rooms))
        self._on_change = on_change
        self._changed_rooms = dict.fromkeys(self.rooms)
        self._lookup = presence.in_room

    def mark_changed(self, room: str) -> None:
        """Who is in this room has changed."""
        self._changed_rooms[room] = None
        self._on_change()

    def pop_changes(self) -> list[RoomPresence]:
        """Who is in the rooms where that has changed since the last time; at first in all of them."""
        changed, self._changed_rooms = self._changed_rooms, {}
        lookup, self._lookup = self._lookup, self._presence.published
        return [lookup(room) for room in changed]

    def close(self) -> None:
        """Want to know no more."""
        self._presence.unsubscribe(self)
