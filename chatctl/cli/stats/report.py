"""`stats` for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chatctl.cli.stats import charts
from chatctl.cli.terminal import colours
from chatctl.cli.terminal.console import format_duration, format_size, make_console, print_renderable
from chatctl.cli.terminal.escape import escape_name, escape_text
from chatctl.cli.terminal.times import display_time

if TYPE_CHECKING:
    from chatctl.model.stats import NameStats, ServerStats

LABEL_COLUMNS = 13  # of what stands before the figures, with the blanks behind it
ROOMS_SHOWN, USERS_SHOWN = 10, 20  # of those that somebody is in


def print_stats(server_stats: "ServerStats", utc: bool, no_color: bool) -> None:
    """Print what a server keeps."""
    out = make_console(no_color)
    _print_summary(out, server_stats)
    _print_activity(out, server_stats)
    log = server_stats.stats
    for kind, figures, total in (("room", log.rooms, log.num_rooms), ("user", log.users, log.num_users)):
        if figures:
            print()
            print_renderable(out, _name_table(kind, figures, total, utc))


def _label_grid() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True, min_width=LABEL_COLUMNS - 2)
    table.add_column()
    return table


def _print_summary(out: Console, server_stats: "ServerStats") -> None:
    summary, log, limits = _label_grid(), server_stats.stats, server_stats.limits
    for name, value in (
        ("messages", f"{log.num_messages:,}"),
        ("rooms", f"{log.num_rooms:,}"),
        ("users", f"{log.num_users:,}"),
        ("stored text", format_size(log.stored_bytes)),
        ("uptime", format_duration(server_stats.uptime_seconds)),
        (
            "server",
            f"chatctl {escape_text(server_stats.version)}, store {escape_text(server_stats.store)}, log {escape_text(server_stats.log)}",
        ),
        (
            "limits",
            f"text {format_size(limits.text_bytes)}, name {limits.name_bytes} bytes, streams {limits.streams:,}, "
            f"frame {limits.batch_messages:,} messages and {format_size(limits.batch_bytes)}",
        ),
    ):
        summary.add_row(name, value)
    print_renderable(out, summary)


def _print_activity(out: Console, server_stats: "ServerStats") -> None:
    """Print the server's activity, or that it does not report any."""
    activity, table = server_stats.activity, _label_grid()
    if not server_stats.has_activity:
        table.add_row("activity", charts.unreported_text(server_stats.version))
        print_renderable(out, table)
        return
    print()
    columns = min(out.width - LABEL_COLUMNS, len(activity.messages))
    if out.is_terminal and columns > 0:
        table.add_row(
            "15 minutes", Text(charts.bar_chart(activity.messages, columns)[0], colours.CHART_COLOUR, no_wrap=True)
        )
    table.add_row("rate", charts.rate_text(activity))
    table.add_row("streams", charts.streams_text(activity))
    table.add_row("commit", charts.commit_text(activity))
    for room, users, count in server_stats.presence[:ROOMS_SHOWN]:
        presence_text = Text(f"{escape_name(room)}: ").append(charts.user_names(users[:USERS_SHOWN], count))
        table.add_row("here now" if room == server_stats.presence[0].room else "", presence_text)
    if (more := len(server_stats.presence) - ROOMS_SHOWN) > 0:
        table.add_row("", Text(f"and {more:,} more rooms", "dim"))
    print_renderable(out, table)


def _name_table(kind: str, name_stats: "Sequence[NameStats]", total: int, utc: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(kind, overflow="fold")
    table.add_column("messages", justify="right")
    table.add_column("last", style="dim")
    for name, count, time in name_stats:
        table.add_row(
            Text(escape_name(name), charts.user_colour(name) if kind == "user" else ""),
            f"{count:,}",
            display_time(time, utc),
        )
    if len(name_stats) < total:
        table.caption = f"{len(name_stats):,} of {total:,} {kind}s"
    return table
