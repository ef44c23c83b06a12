"""What is stored, and the seam to the stores that keep it.

Times are whole microseconds since 1970 in UTC, sizes are bytes of UTF-8.
"""

from dataclasses import dataclass
from typing import NamedTuple

from chatctl.model.limits import Limits


class NameStats(NamedTuple):
    """What one room or user amounts to; `last_time` is when their newest message was stored."""

    name: str
    num_messages: int
    last_time: int


@dataclass(frozen=True, slots=True)
class LogStats:
    """What the log amounts to. `rooms` and `users` are those with most messages, most first."""

    num_messages: int
    num_rooms: int
    num_users: int
    stored_bytes: int
    rooms: list[NameStats]
    users: list[NameStats]


class RoomActivity(NamedTuple):
    """How many messages were stored in a room in the last 15 minutes."""

    room: str
    num_messages: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What was stored of late, see the contract: `messages` in each of the last 90 spans of 10 s. Durations are seconds."""

    messages_per_second: float
    messages: list[int]
    rooms: list[RoomActivity]
    followers: int
    senders: int
    commit_median: float | None
    commit_p99: float | None


class RoomPresence(NamedTuple):
    """Who is in a room: names, sorted, the first 100 of them; and how many they are."""

    room: str
    users: list[str]
    num_users: int


@dataclass(frozen=True, slots=True)
class ServerStats:
    """What GetStats answers: the log's figures and the server's."""

    stats: LogStats
    uptime_seconds: float
    version: str
    log: str
    store: str
    limits: Limits
    head: str
    activity: Activity
    presence: list[RoomPresence]

    @property
    def has_activity(self) -> bool:
        """Whether the server reports `activity` and `presence`; servers of 0.1.0 do not."""
        return bool(self.activity.messages)
