"""Convert statistics, activity and presence between `model` and the contract."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from google.protobuf.duration_pb2 import Duration

from chatctl.model import stats
from chatctl.model.stats import Activity, RoomActivity, RoomPresence
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire.convert import limits_from_pb, limits_to_pb, time_from_pb, time_to_pb


def room_stats_to_pb(rooms: Sequence[stats.NameStats]) -> list[pb.RoomStats]:
    """Return the figures of rooms for a response."""
    return [pb.RoomStats(room=name, num_messages=count, last_time=time_to_pb(time)) for name, count, time in rooms]


def user_stats_to_pb(users: Sequence[stats.NameStats]) -> list[pb.UserStats]:
    """Return the figures of users for a response."""
    return [pb.UserStats(user=name, num_messages=count, last_time=time_to_pb(time)) for name, count, time in users]


def stats_from_pb(response: pb.GetStatsResponse) -> stats.LogStats:
    """Return the log's figures of a response. Raises IncompatibleServer."""
    return stats.LogStats(
        response.num_messages,
        response.num_rooms,
        response.num_users,
        response.stored_bytes,
        [stats.NameStats(room.room, room.num_messages, time_from_pb(room.last_time)) for room in response.rooms],
        [stats.NameStats(user.user, user.num_messages, time_from_pb(user.last_time)) for user in response.users],
    )


def _duration_to_pb(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def activity_to_pb(activity: Activity) -> pb.Activity:
    """Return the activity for a response."""
    return pb.Activity(
        messages_per_second=activity.messages_per_second,
        num_messages=activity.messages,
        rooms=[pb.RoomActivity(room=room, num_messages=count) for room, count in activity.rooms],
        followers=activity.followers,
        senders=activity.senders,
        commit_median=_duration_to_pb(activity.commit_median),
        commit_p99=_duration_to_pb(activity.commit_p99),
    )


def activity_from_pb(message: pb.Activity) -> Activity:
    """Return the activity of a response."""

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


def presence_to_pb(present: Iterable[RoomPresence]) -> list[pb.Presence]:
    """Return the presence for a response."""
    return [pb.Presence(room=room, users=users, num_users=count) for room, users, count in present]


def presence_from_pb(messages: Iterable[pb.Presence]) -> list[RoomPresence]:
    """Return the presence of a response."""
    return [RoomPresence(message.room, list(message.users), message.num_users) for message in messages]


def server_stats_to_pb(server_stats: stats.ServerStats) -> pb.GetStatsResponse:
    """Return the response for the statistics, with the promises of every server."""
    log_stats = server_stats.stats
    uptime = Duration()
    uptime.FromMilliseconds(int(server_stats.uptime_seconds * 1000))
    return pb.GetStatsResponse(
        num_messages=log_stats.num_messages,
        num_rooms=log_stats.num_rooms,
        num_users=log_stats.num_users,
        stored_bytes=log_stats.stored_bytes,
        rooms=room_stats_to_pb(log_stats.rooms),
        users=user_stats_to_pb(log_stats.users),
        uptime=uptime,
        version=server_stats.version,
        log=server_stats.log,
        store=server_stats.store,
        limits=limits_to_pb(server_stats.limits),
        promises=pb.Promises(durable_receipts=True),
        head=server_stats.head,
        activity=activity_to_pb(server_stats.activity),
        present=presence_to_pb(server_stats.presence),
        clock_lag=_duration_to_pb(server_stats.clock_lag_seconds or None),
    )


def server_stats_from_pb(response: pb.GetStatsResponse) -> stats.ServerStats:
    """Return the statistics in a response. Raises IncompatibleServer."""
    return stats.ServerStats(
        stats=stats_from_pb(response),
        uptime_seconds=round(response.uptime.seconds + response.uptime.nanos / 1e9, 3),
        version=response.version,
        log=response.log,
        store=response.store,
        limits=limits_from_pb(response.limits),
        head=response.head,
        activity=activity_from_pb(response.activity),
        presence=presence_from_pb(response.present),
        clock_lag_seconds=round(response.clock_lag.seconds + response.clock_lag.nanos / 1e9, 3),
    )
