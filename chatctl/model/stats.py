"""Statistics of a log and its server.

Times are whole microseconds since 1970 in UTC, sizes are bytes of UTF-8.
"""

from dataclasses import dataclass
from typing import NamedTuple

from chatctl.model.limits import Limits


class NameStats(NamedTuple):
    """The figures of one room or user. `last_time` is that of its newest message."""

    name: str
    num_messages: int
    last_time: int


@dataclass(frozen=True, slots=True)
class LogStats:
    """The figures of a log. `rooms` and `users` are those with most messages, in descending order."""

    num_messages: int
    num_rooms: int
    num_users: int
    stored_bytes: int
    rooms: list[NameStats]
    users: list[NameStats]


class RoomActivity(NamedTuple):
    """The number of messages stored in a room in the last 15 minutes."""

    room: str
    num_messages: int


@dataclass(frozen=True, slots=True)
class Activity:
    """The activity of the last 15 minutes, see the contract. Durations are in seconds.

    `messages` has the number of messages in each of the last 90 intervals of 10 s.
    """

    messages_per_second: float
    messages: list[int]
    rooms: list[RoomActivity]
    followers: int
    senders: int
    commit_median: float | None
    commit_p99: float | None


class RoomPresence(NamedTuple):
    """The users in a room: the first 100 names in order, and the number of all."""

    room: str
    users: list[str]
    num_users: int


@dataclass(frozen=True, slots=True)
class ServerStats:
    """The response to GetStats: figures of the log and of the server.

    `clock_lag_seconds` is how far the server's clock is behind the newest message, or 0.
    """

    stats: LogStats
    uptime_seconds: float
    version: str
    log: str
    store: str
    limits: Limits
    head: str
    activity: Activity
    presence: list[RoomPresence]
    clock_lag_seconds: float = 0.0

    @property
    def has_activity(self) -> bool:
        """True if the server reports `activity` and `presence`; servers of 0.1.0 do not."""
        return bool(self.activity.messages)
