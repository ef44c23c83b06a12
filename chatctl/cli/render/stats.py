"""`stats` for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from chatctl.cli.formats import person_time, visible, visible_name
from chatctl.cli.render import console, duration, show, size

if TYPE_CHECKING:
    from chatctl.client import ServerStats
    from chatctl.log import Figures


def show_stats(answer: "ServerStats", utc: bool, no_color: bool) -> None:
    """Print what a server keeps."""
    out = console(no_color)
    log, limits = answer.stats, answer.limits
    summary = Table(box=None, show_header=False, pad_edge=False)
    summary.add_column(style="bold")
    summary.add_column()
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
    for kind, figures, total in (("room", log.rooms, log.num_rooms), ("user", log.users, log.num_users)):
        if figures:
            print()
            show(out, _figures(kind, figures, total, utc))


def _figures(kind: str, figures: "Sequence[Figures]", total: int, utc: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(kind, style="cyan", overflow="fold")
    table.add_column("messages", justify="right")
    table.add_column("last", style="dim")
    for name, count, time in figures:
        table.add_row(Text(visible_name(name)), f"{count:,}", person_time(time, utc))
    if len(figures) < total:
        table.caption = f"{len(figures):,} of {total:,} {kind}s"
    return table
