"""What GetStats and presence tell, for the core and for the contract: a part of `wire`."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from google.protobuf.duration_pb2 import Duration

from chatctl import log
from chatctl.activity import Activity, RoomActivity
from chatctl.presence import Present
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import time_of, timestamp


def room_stats(figures: Sequence[log.Figures]) -> list[pb.RoomStats]:
    """Figures of rooms for a response."""
    return [pb.RoomStats(room=name, num_messages=count, last_time=timestamp(time)) for name, count, time in figures]


def user_stats(figures: Sequence[log.Figures]) -> list[pb.UserStats]:
    """Figures of users for a response."""
    return [pb.UserStats(user=name, num_messages=count, last_time=timestamp(time)) for name, count, time in figures]


def stats(response: pb.GetStatsResponse) -> log.Stats:
    """The log's figures of a response."""
    return log.Stats(
        response.num_messages,
        response.num_rooms,
        response.num_users,
        response.stored_bytes,
        [log.Figures(room.room, room.num_messages, time_of(room.last_time)) for room in response.rooms],
        [log.Figures(user.user, user.num_messages, time_of(user.last_time)) for user in response.users],
    )


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def activity_message(activity: Activity) -> pb.Activity:
    """What goes on, for a response."""
    return pb.Activity(
        messages_per_second=activity.messages_per_second,
        num_messages=activity.messages,
        rooms=[pb.RoomActivity(room=room, num_messages=count) for room, count in activity.rooms],
        followers=activity.followers,
        senders=activity.senders,
        commit_median=_duration(activity.commit_median),
        commit_p99=_duration(activity.commit_p99),
    )


def activity(message: pb.Activity) -> Activity:
    """What goes on, of a response."""

    def seconds(field: Literal["commit_median", "commit_p99"]) -> float | None:
        return getattr(message, field).ToNanoseconds() / 1e9 if message.HasField(field) else None

    return Activity(
        message.messages_per_second if math.isfinite(message.messages_per_second) else 0.0,
        list(message.num_messages),
        [RoomActivity(room.room, room.num_messages) for room in message.rooms],
        message.followers,
        message.senders,
        seconds("commit_median"),
        seconds("commit_p99"),
    )


def presence_messages(present: Iterable[Present]) -> list[pb.Presence]:
    """Who is where, for a response."""
    return [pb.Presence(room=room, users=users, num_users=count) for room, users, count in present]


def presence(messages: Iterable[pb.Presence]) -> list[Present]:
    """Who is where, of a response."""
    return [Present(message.room, list(message.users), message.num_users) for message in messages]
