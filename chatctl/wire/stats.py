"""Convert statistics, activity and presence between `model` and the contract."""

import math
from collections.abc import Collection, Iterable, Sequence

from google.protobuf.duration_pb2 import Duration

from chatctl.model import stats
from chatctl.model.cursor import cursor_prefix
from chatctl.model.limits import MAX_TOP
from chatctl.model.stats import Activity, RoomActivity, RoomPresence
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import checks
from chatctl.wire.convert import limits_from_pb, limits_to_pb, time_from_pb, time_to_pb

MAX_INTERVALS, MAX_ACTIVE_ROOMS, MAX_PRESENT_USERS = 90, 20, 100
MAX_DURATION_SECONDS = 10_000 * 366 * 86_400  # as the contract of google.protobuf.Duration, about 10,000 years


def room_stats_to_pb(rooms: Sequence[stats.NameStats]) -> list[pb.RoomStats]:
    """Return the figures of rooms for a response."""
    return [pb.RoomStats(room=name, num_messages=count, last_time=time_to_pb(time)) for name, count, time in rooms]


def user_stats_to_pb(users: Sequence[stats.NameStats]) -> list[pb.UserStats]:
    """Return the figures of users for a response."""
    return [pb.UserStats(user=name, num_messages=count, last_time=time_to_pb(time)) for name, count, time in users]


def stats_from_pb(response: pb.GetStatsResponse) -> stats.LogStats:
    """Return the log's figures of a response. Raises IncompatibleServer."""
    checks.check_count("rooms", response.rooms, MAX_TOP)
    checks.check_count("users", response.users, MAX_TOP)
    return stats.LogStats(
        _count("num_messages", response.num_messages),
        _count("num_rooms", response.num_rooms),
        _count("num_users", response.num_users),
        _count("stored_bytes", response.stored_bytes),
        [_name_stats("room", room.room, room) for room in response.rooms],
        [_name_stats("user", user.user, user) for user in response.users],
    )


def _name_stats(what: str, name: str, figures: pb.RoomStats | pb.UserStats) -> stats.NameStats:
    checks.check_name(what, name)
    return stats.NameStats(name, _count("num_messages", figures.num_messages), time_from_pb(figures.last_time))


def _count(what: str, number: int) -> int:
    """Return a number that counts something."""
    checks.check_range(what, number, 0, math.inf)
    return number


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
    """Return the activity of a response. Raises IncompatibleServer."""
    checks.check_count("intervals", message.num_messages, MAX_INTERVALS)
    checks.check_count("active rooms", message.rooms, MAX_ACTIVE_ROOMS)
    rate = message.messages_per_second if math.isfinite(message.messages_per_second) else 0.0
    checks.check_range("messages_per_second", rate, 0, math.inf)
    for room in message.rooms:
        checks.check_name("room", room.room)
    return Activity(
        rate,
        [_count("num_messages", count) for count in message.num_messages],
        [RoomActivity(room.room, _count("num_messages", room.num_messages)) for room in message.rooms],
        _count("followers", message.followers),
        _count("senders", message.senders),
        _seconds("commit_median", message.commit_median) if message.HasField("commit_median") else None,
        _seconds("commit_p99", message.commit_p99) if message.HasField("commit_p99") else None,
    )


def _seconds(what: str, duration: Duration) -> float:
    checks.check_range(what, duration.seconds, 0, MAX_DURATION_SECONDS)
    return duration.seconds + duration.nanos / 1e9


def presence_to_pb(present: Iterable[RoomPresence]) -> list[pb.Presence]:
    """Return the presence for a response."""
    return [pb.Presence(room=room, users=users, num_users=count) for room, users, count in present]


def presence_from_pb(messages: Collection[pb.Presence], rooms: Collection[str] = ()) -> list[RoomPresence]:
    """Return the presence of a response, in these rooms if any are given. Raises IncompatibleServer."""
    checks.check_count("occupied rooms", messages, MAX_TOP)
    for message in messages:
        checks.check_count("users in a room", message.users, MAX_PRESENT_USERS)
        if rooms and message.room not in rooms:
            raise checks.contract_error(f"presence that was not asked for: {checks.shown(message.room)}")
        checks.check_name("room", message.room)
        for user in message.users:
            checks.check_name("user", user)
    return [RoomPresence(message.room, list(message.users), _count("num_users", message.num_users)) for message in messages]


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
    checks.check_cursor(response.head, cursor_prefix(response.log))
    checks.check_word("version", response.version)
    checks.check_word("kind of store", response.store)
    return stats.ServerStats(
        stats=stats_from_pb(response),
        uptime_seconds=round(_seconds("uptime", response.uptime), 3),
        version=response.version,
        log=response.log,
        store=response.store,
        limits=limits_from_pb(response.limits),
        head=response.head,
        activity=activity_from_pb(response.activity),
        presence=presence_from_pb(response.present),
        clock_lag_seconds=round(_seconds("clock_lag", response.clock_lag), 3),
    )
