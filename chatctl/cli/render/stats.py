"""`stats` for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chatctl.cli.formats import person_time, visible, visible_name
from chatctl.cli.render import activity as drawn
from chatctl.cli.render import console, duration, show, size

if TYPE_CHECKING:
    from chatctl.client import ServerStats
    from chatctl.log import Figures

LABEL_COLUMNS = 13  # of what stands before the figures, with the blanks behind it
ROOMS_SHOWN, USERS_SHOWN = 10, 20  # of those that somebody is in


def show_stats(answer: "ServerStats", utc: bool, no_color: bool) -> None:
    """Print what a server keeps."""
    out = console(no_color)
    _print_summary(out, answer)
    _print_activity(out, answer)
    log = answer.stats
    for kind, figures, total in (("room", log.rooms, log.num_rooms), ("user", log.users, log.num_users)):
        if figures:
            print()
            show(out, _figures(kind, figures, total, utc))


def _grid() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True, min_width=LABEL_COLUMNS - 2)
    table.add_column()
    return table


def _print_summary(out: Console, answer: "ServerStats") -> None:
    summary, log, limits = _grid(), answer.stats, answer.limits
    for name, value in (
        ("messages", f"{log.num_messages:,}"),
        ("rooms", f"{log.num_rooms:,}"),
        ("users", f"{log.num_users:,}"),
        ("stored text", size(log.stored_bytes)),
        ("uptime", duration(answer.uptime_seconds)),
        ("server", f"chatctl {visible(answer.version)}, store {visible(answer.store)}, log {visible(answer.log)}"),
        (
            "limits",
            f"text {size(limits.text_bytes)}, name {limits.name_bytes} bytes, streams {limits.streams:,}, "
            f"frame {limits.batch_messages:,} messages and {size(limits.batch_bytes)}",
        ),
    ):
        summary.add_row(name, value)
    show(out, summary)


def _print_activity(out: Console, answer: "ServerStats") -> None:
    """Print the server's activity, or that it does not report any."""
    activity, table = answer.activity, _grid()
    if not answer.has_activity:
        table.add_row("activity", drawn.unreported(answer.version))
        show(out, table)
        return
    print()
    columns = min(out.width - LABEL_COLUMNS, len(activity.messages))
    if out.is_terminal and columns > 0:
        table.add_row("15 minutes", Text(drawn.graph(activity.messages, columns)[0], drawn.DRAWN, no_wrap=True))
    table.add_row("rate", drawn.rates(activity))
    table.add_row("streams", drawn.streams(activity))
    table.add_row("commit", drawn.commits(activity))
    for room, users, count in answer.present[:ROOMS_SHOWN]:
        who = Text(f"{visible_name(room)}: ").append(drawn.names(users[:USERS_SHOWN], count))
        table.add_row("here now" if room == answer.present[0].room else "", who)
    if (more := len(answer.present) - ROOMS_SHOWN) > 0:
        table.add_row("", Text(f"and {more:,} more rooms", "dim"))
    show(out, table)


def _figures(kind: str, figures: "Sequence[Figures]", total: int, utc: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(kind, overflow="fold")
    table.add_column("messages", justify="right")
    table.add_column("last", style="dim")
    for name, count, time in figures:
        table.add_row(
            Text(visible_name(name), drawn.colour(name) if kind == "user" else ""), f"{count:,}", person_time(time, utc)
        )
    if len(figures) < total:
        table.caption = f"{len(figures):,} of {total:,} {kind}s"
    return table
