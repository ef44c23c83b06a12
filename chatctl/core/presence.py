"""Presence: the users in each room now. It is in memory only and not authenticated."""

import asyncio
import heapq
from collections.abc import Callable, Sequence

from chatctl.model.stats import RoomPresence

MAX_LISTED_USERS = 100  # of one room
MAX_LISTED_USERS_TOTAL = 10_000  # of all rooms in one response: with the longest names they are 1.3 MB
MAX_TRACKED = 100_000  # pairs of user and room; further ones are not tracked
# The interval between two publications: at least, and for each subscription that was notified.
PUBLISH_INTERVAL_SECONDS, PUBLISH_SECONDS_EACH = 0.5, 1e-3
PUBLISH_BATCH = 50  # subscriptions notified before other tasks of the event loop have a turn


class Presence:
    """The users in all rooms, and the subscriptions to changes. Belongs to one event loop."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, int]] = {}  # for each room and user, the number of streams
        self._num_tracked = 0
        self._subscriptions: dict[str, set[PresenceSubscription]] = {}
        self._changed_rooms: set[str] = set()
        self._published: dict[str, RoomPresence] = {}  # of rooms with subscriptions
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, user: str, rooms: Sequence[str]) -> Callable[[], None]:
        """Add the user to these rooms. The function returned removes the user again; call it once."""
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
        """Return the users in a room."""
        users = self._rooms.get(room, {})
        return RoomPresence(room, heapq.nsmallest(MAX_LISTED_USERS, users), len(users))

    def largest_rooms(self, top: int) -> list[RoomPresence]:
        """Return the rooms with most users, in descending order; after MAX_LISTED_USERS_TOTAL names only the counts."""
        rooms = heapq.nsmallest(top, self._rooms, key=lambda room: (-len(self._rooms[room]), room))
        found, remaining = [], MAX_LISTED_USERS_TOTAL
        for room in rooms:
            present = self.in_room(room)
            found.append(present._replace(users=present.users[:remaining]))
            remaining -= len(found[-1].users)
        return found

    # --- publishing changes

    def subscribe(self, rooms: Sequence[str], on_change: Callable[[], None]) -> "PresenceSubscription":
        """Subscribe to these rooms: `on_change` is called when `pop_changes` has something. Close the subscription later."""
        subscription = PresenceSubscription(self, rooms, on_change)
        for room in subscription.rooms:
            self._subscriptions.setdefault(room, set()).add(subscription)
            if room not in self._published:
                self._published[room] = self.in_room(room)
        return subscription

    def unsubscribe(self, subscription: "PresenceSubscription") -> None:
        """Remove a subscription."""
        for room in subscription.rooms:
            self._subscriptions[room].discard(subscription)
            if not self._subscriptions[room]:
                del self._subscriptions[room], self._published[room]

    def _mark_changed(self, room: str) -> None:
        """Schedule the publication of a change; it also covers changes that follow soon."""
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
            if present != self._published[room]:  # else a user came and left in between
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
        """Return the users in a room with subscriptions as last published: they are looked up once for all subscriptions."""
        return self._published[room]


class PresenceSubscription:
    """A subscription to the presence in some rooms."""

    def __init__(self, presence: Presence, rooms: Sequence[str], on_change: Callable[[], None]) -> None:
        """Use `Presence.subscribe`."""
        self._presence = presence
        self.rooms = tuple(dict.fromkeys(rooms))
        self._on_change = on_change
        self._changed_rooms = dict.fromkeys(self.rooms)
        self._lookup = presence.in_room

    def mark_changed(self, room: str) -> None:
        """Note that the presence in this room has changed."""
        self._changed_rooms[room] = None
        self._on_change()

    def pop_changes(self) -> list[RoomPresence]:
        """Return the presence in the rooms where it has changed since the last call; the first time in all of them."""
        changed, self._changed_rooms = self._changed_rooms, {}
        lookup, self._lookup = self._lookup, self._presence.published
        return [lookup(room) for room in changed]

    def close(self) -> None:
        """End the subscription."""
        self._presence.unsubscribe(self)
