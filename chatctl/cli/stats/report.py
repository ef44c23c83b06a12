"""The report of `stats` for people: totals, activity, and tables of rooms and users."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chatctl.cli.stats import charts
from chatctl.cli.terminal.colours import CHART_COLOUR, UserColours
from chatctl.cli.terminal.console import format_duration, format_size, make_console, print_renderable
from chatctl.cli.terminal.escape import escape_name, escape_text
from chatctl.cli.terminal.times import display_time

if TYPE_CHECKING:
    from chatctl.model.stats import NameStats, ServerStats

LABEL_COLUMNS = 13  # of the label before each value, with the blanks behind it
MAX_PRESENCE_ROOMS, MAX_PRESENCE_USERS = 10, 20  # shown: rooms with users in them, and users of each


def print_stats(server_stats: "ServerStats", utc: bool, no_color: bool) -> None:
    """Print the report on stdout."""
    console, user_colours = make_console(no_color), UserColours()
    _print_summary(console, server_stats)
    _print_activity(console, server_stats, user_colours)
    log = server_stats.stats
    if log.rooms:
        print()
        print_renderable(console, _name_table("room", log.rooms, log.num_rooms, utc, None))
    if log.users:
        print()
        print_renderable(console, _name_table("user", log.users, log.num_users, utc, user_colours))


def _label_grid() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True, min_width=LABEL_COLUMNS - 2)
    table.add_column()
    return table


def _print_summary(console: Console, server_stats: "ServerStats") -> None:
    table, log, limits = _label_grid(), server_stats.stats, server_stats.limits
    version, store, log_id = map(escape_text, (server_stats.version, server_stats.store, server_stats.log))
    limits_text = (
        f"text {format_size(limits.text_bytes)}, name {limits.name_bytes} bytes, streams {limits.streams:,}, "
        f"batch {limits.batch_messages:,} messages and {format_size(limits.batch_bytes)}"
    )
    for label, value in (
        ("messages", f"{log.num_messages:,}"),
        ("rooms", f"{log.num_rooms:,}"),
        ("users", f"{log.num_users:,}"),
        ("stored text", format_size(log.stored_bytes)),
        ("uptime", format_duration(server_stats.uptime_seconds)),
        ("server", f"chatctl {version}, store {store}, log {log_id}"),
        ("limits", limits_text),
    ):
        table.add_row(label, value)
    if server_stats.clock_lag_seconds:
        table.add_row("clock", Text(f"{charts.clock_text(server_stats)}: new messages get its time", "bold red"))
    print_renderable(console, table)


def _print_activity(console: Console, server_stats: "ServerStats", user_colours: UserColours) -> None:
    activity, table = server_stats.activity, _label_grid()
    if not server_stats.has_activity:
        table.add_row("activity", charts.unreported_text(server_stats.version))
        print_renderable(console, table)
        return
    print()
    columns = min(console.width - LABEL_COLUMNS, len(activity.messages))
    if console.is_terminal and columns > 0:
        table.add_row("15 minutes", Text(charts.bar_chart(activity.messages, columns)[0], CHART_COLOUR, no_wrap=True))
    table.add_row("rate", charts.rate_text(activity))
    table.add_row("streams", charts.streams_text(activity))
    table.add_row("commit", charts.commit_text(activity))
    presence = server_stats.presence
    for label, (room, users, count) in zip(
        ["here now", *[""] * MAX_PRESENCE_ROOMS], presence[:MAX_PRESENCE_ROOMS], strict=False
    ):
        users_text = charts.user_names(users[:MAX_PRESENCE_USERS], count, user_colours)
        table.add_row(label, Text(f"{escape_name(room)}: ").append(users_text))
    if (more := len(presence) - MAX_PRESENCE_ROOMS) > 0:
        table.add_row("", Text(f"and {more:,} more rooms", "dim"))
    print_renderable(console, table)


def _name_table(
    kind: str, name_stats: "Sequence[NameStats]", total: int, utc: bool, user_colours: UserColours | None
) -> Table:
    """Return a table of rooms or users. `total` is how many there are, listed or not."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(kind, overflow="fold")
    table.add_column("messages", justify="right")
    table.add_column("last", style="dim")
    for name, count, time in name_stats:
        style = user_colours.style_256(name) if user_colours else ""
        table.add_row(Text(escape_name(name), style), f"{count:,}", display_time(time, utc))
    if len(name_stats) < total:
        table.caption = f"{len(name_stats):,} of {total:,} {kind}s"
    return table
