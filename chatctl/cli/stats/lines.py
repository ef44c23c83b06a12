"""Responses as lines: JSON for programs, and the text of `stats --watch` in a pipe. Loads no Rich: starting is fast."""

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chatctl.cli.terminal import times

if TYPE_CHECKING:
    from chatctl.model.stats import ServerStats


def json_line(server_stats: "ServerStats") -> str:
    """Return the object of `stats --json`."""
    return json.dumps(_to_json(server_stats), ensure_ascii=False)


def watch_json_line(server_stats: "ServerStats") -> str:
    """Return the object of `stats --json --watch`, which has the time of the response."""
    now = times.rfc3339(time.time_ns() // 1000)
    return json.dumps({"time": now, **_to_json(server_stats)}, ensure_ascii=False)


def watch_text_line(server_stats: "ServerStats", utc: bool) -> str:
    """Return the line of `stats --watch` for stdout that is not a terminal."""
    from chatctl.cli.stats.charts import clock_text, format_latency, format_rate, unreported_text

    log, activity = server_stats.stats, server_stats.activity
    now = times.current_time_of_day(utc)
    totals = f"{log.num_messages} messages  {log.num_rooms} rooms  {log.num_users} users"
    if not server_stats.has_activity:
        return f"{now}  {totals}  activity {unreported_text(server_stats.version)}"
    streams = f"{activity.followers} receiving  {activity.senders} sending"
    commit = f"commit {format_latency(activity.commit_median)} {format_latency(activity.commit_p99)}"
    clock = f"  clock {clock_text(server_stats)}" if server_stats.clock_lag_seconds else ""
    return f"{now}  {format_rate(activity.messages_per_second)}  {totals}  {streams}  {commit}{clock}"


def _to_json(server_stats: "ServerStats") -> dict[str, Any]:
    log = server_stats.stats
    return {
        "num_messages": log.num_messages,
        "num_rooms": log.num_rooms,
        "num_users": log.num_users,
        "stored_bytes": log.stored_bytes,
        "rooms": _names_to_json("room", log.rooms),
        "users": _names_to_json("user", log.users),
        "uptime_seconds": server_stats.uptime_seconds,
        "version": server_stats.version,
        "log": server_stats.log,
        "head": server_stats.head,
        "store": server_stats.store,
        "clock_lag_seconds": server_stats.clock_lag_seconds if server_stats.has_activity else None,
        "limits": asdict(server_stats.limits),
        "activity": _activity_to_json(server_stats) if server_stats.has_activity else None,
        "present": [present._asdict() for present in server_stats.presence] if server_stats.has_activity else None,
    }


def _names_to_json(kind: str, name_stats: Any) -> list[dict[str, Any]]:
    return [{kind: name, "num_messages": count, "last_time": times.rfc3339(time)} for name, count, time in name_stats]


def _activity_to_json(server_stats: "ServerStats") -> dict[str, Any]:
    activity = server_stats.activity
    fields = {name: getattr(activity, name) for name in activity.__slots__}
    return {**fields, "rooms": [room._asdict() for room in activity.rooms]}
