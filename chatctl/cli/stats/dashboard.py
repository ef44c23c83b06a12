"""`stats --watch` at a terminal: one screen that is drawn anew with every answer and fits whatever size there is."""

import sys
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from chatctl.cli.stats import charts
from chatctl.cli.terminal import colours
from chatctl.cli.terminal.console import format_duration, format_size, make_console
from chatctl.cli.terminal.escape import escape_text
from chatctl.cli.terminal.times import current_time_of_day

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

    from chatctl.model.stats import ServerStats

FIXED_ROWS = 11  # of the header, the figures, the graph's title and scale, the blanks and the last line
MAX_CHART_ROWS = 12  # at most
SIDE_BY_SIDE_COLUMNS = 64  # columns, from which on rooms and users stand side by side


class Dashboard:
    """The live view; a View."""

    def __init__(self, server: str, utc: bool, no_color: bool) -> None:
        self._server, self._utc = server, utc
        self._quit_hint = "q ends" if sys.stdin.isatty() else "Ctrl-C ends"
        self._server_stats: ServerStats | None = None
        self._notice = ""
        self._updated_at = ""
        out = make_console(no_color)
        self._live = Live(self, console=out, screen=True, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> "Dashboard":
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, server_stats: "ServerStats") -> None:
        """Draw an answer."""
        self._server_stats, self._notice, self._updated_at = server_stats, "", current_time_of_day(self._utc)
        self.draw()

    def notify(self, text: str) -> None:
        """Tell what keeps the next answer from coming."""
        self._notice = text
        self.draw()

    def draw(self) -> None:
        """Draw all again, in the size that the terminal has now."""
        self._live.refresh()

    def __rich_console__(self, out: Console, options: "ConsoleOptions") -> "RenderResult":
        rows, columns = options.size.height, options.size.width
        options = options.update(width=columns, height=None)
        parts = (
            self._parts(self._server_stats, columns, rows) if self._server_stats else [Text(f"asking {self._server} ...")]
        )
        lines = out.render_lines(Group(*parts), options, pad=False)
        last = Text(escape_text(self._notice), "bold red") if self._notice else Text(self._quit_hint, "dim")
        end = out.render_lines(last, options, pad=False)[:rows]
        body = (lines + [[]] * rows)[: rows - len(end)]
        for at, line in enumerate([*body, *end], 1):
            yield from line
            yield Segment("\n" if at < rows else "")

    def _parts(self, server_stats: "ServerStats", columns: int, rows: int) -> list[RenderableType]:
        activity = server_stats.activity
        if not server_stats.has_activity:
            return [
                self._header(server_stats, columns),
                Text(),
                *map(Text, _totals(server_stats)),
                Text(),
                _labelled("activity", charts.unreported_text(server_stats.version)),
            ]
        free_rows = max(rows - FIXED_ROWS - (0 if columns >= SIDE_BY_SIDE_COLUMNS else 2), 2)
        chart_rows = max(min(MAX_CHART_ROWS, free_rows // 2, free_rows // 5 + 3), 1)
        return [
            self._header(server_stats, columns),
            Text(),
            _figures_table(server_stats, side_by_side=columns >= SIDE_BY_SIDE_COLUMNS),
            Text(),
            Text(f"{charts.format_rate(activity.messages_per_second)} now", "bold"),
            *(_line(row, colours.CHART_COLOUR) for row in charts.bar_chart(activity.messages, columns, chart_rows)),
            _line(charts.chart_axis(activity, columns), "dim"),
            Text(),
            _rooms_and_presence(server_stats, columns, max(free_rows - chart_rows, 1)),
        ]

    def _header(self, server_stats: "ServerStats", columns: int) -> Text:
        header = Text(self._server, "bold", no_wrap=True)
        header.append(
            f"  chatctl {escape_text(server_stats.version)}  up {format_duration(server_stats.uptime_seconds)}", "dim"
        )
        if header.cell_len + len(self._updated_at) < columns:
            header.append(self._updated_at.rjust(columns - header.cell_len), "dim")
        header.truncate(columns, overflow="ellipsis")
        return header


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="crop")


def _totals(server_stats: "ServerStats") -> list[str]:
    log = server_stats.stats
    return [
        f"{log.num_messages:,} messages, {format_size(log.stored_bytes)}",
        f"{log.num_rooms:,} rooms, {log.num_users:,} users",
    ]


def _figures_table(server_stats: "ServerStats", side_by_side: bool) -> Table:
    table = Table.grid(padding=(0, 3))
    totals = _totals(server_stats)
    current = [
        _labelled("streams", charts.streams_text(server_stats.activity)),
        _labelled("commit", charts.commit_text(server_stats.activity)),
    ]
    for _ in range(1 + side_by_side):
        table.add_column(no_wrap=True, overflow="ellipsis")
    for row in zip(totals, current, strict=True) if side_by_side else ((part,) for part in (*totals, *current)):
        table.add_row(*row)
    return table


def _labelled(name: str, value: str) -> Text:
    return Text.assemble((f"{name} ", "dim"), value)


def _rooms_and_presence(server_stats: "ServerStats", columns: int, rows: int) -> RenderableType:
    """The busiest rooms and who is here: side by side, or below each other with as many rows for each."""
    busy, present = server_stats.activity.rooms, server_stats.presence
    side_by_side = columns >= SIDE_BY_SIDE_COLUMNS
    width, height = ((columns - 3) // 2, rows) if side_by_side else (columns, max((rows - 2) // 2, 1))
    rooms = Group(
        Text("busiest rooms", "bold"), charts.busiest_rooms_table(busy, width, height) if busy else Text("none", "dim")
    )
    users = Group(
        Text("here now", "bold"), charts.presence_table(present, width, height) if present else Text("nobody", "dim")
    )
    if not side_by_side:
        return Group(rooms, Text(), users)
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(width=width)
    table.add_column(width=width, overflow="crop")
    table.add_row(rooms, users)
    return table
