"""The dashboard of `stats --watch` at a terminal: one screen, redrawn with every response, that fits any size."""

import sys
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from chatctl.cli.stats import charts
from chatctl.cli.streams.stdout import discard_output
from chatctl.cli.terminal.colours import CHART_COLOUR, UserColours
from chatctl.cli.terminal.console import format_duration, format_size, make_console
from chatctl.cli.terminal.escape import escape_text
from chatctl.cli.terminal.times import current_time_of_day

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

    from chatctl.model.stats import ServerStats

FIXED_ROWS = 11  # the header, the figures, the title and axis of the chart, the blank lines and the last line
MAX_CHART_ROWS = 12
SIDE_BY_SIDE_COLUMNS = 64  # from this width on, rooms and users are side by side


class Dashboard:
    """A StatsView that draws the whole screen."""

    def __init__(self, server: str, utc: bool, no_color: bool) -> None:
        self._server, self._utc = server, utc
        self._quit_hint = "q ends" if sys.stdin.isatty() else "Ctrl-C ends"
        self._server_stats: ServerStats | None = None
        self._notice = ""
        self._updated_at = ""
        self._user_colours = UserColours()
        self._live = Live(self, console=make_console(no_color), screen=True, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> "Dashboard":
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._live.stop()
        except OSError:  # the terminal was closed, or has stalled
            discard_output()

    def show(self, server_stats: "ServerStats") -> None:
        """Draw a response."""
        self._server_stats, self._notice, self._updated_at = server_stats, "", current_time_of_day(self._utc)
        self.draw()

    def notify(self, text: str) -> None:
        """Show in the last line why a response is missing, until the next one."""
        self._notice = text
        self.draw()

    def draw(self) -> None:
        """Redraw everything in the current size of the terminal."""
        self._live.refresh()

    def __rich_console__(self, console: Console, options: "ConsoleOptions") -> "RenderResult":
        rows, columns = options.size.height, options.size.width
        options = options.update(width=columns, height=None)
        parts = (
            self._parts(self._server_stats, columns, rows) if self._server_stats else [Text(f"asking {self._server} ...")]
        )
        lines = console.render_lines(Group(*parts), options, pad=False)
        last = Text(escape_text(self._notice), "bold red") if self._notice else Text(self._quit_hint, "dim")
        end = console.render_lines(last, options, pad=False)[:rows]
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
            _clock_line(server_stats),
            _figures_table(server_stats, side_by_side=columns >= SIDE_BY_SIDE_COLUMNS),
            Text(),
            Text(f"{charts.format_rate(activity.messages_per_second)} now", "bold"),
            *(_line(row, CHART_COLOUR) for row in charts.bar_chart(activity.messages, columns, chart_rows)),
            _line(charts.chart_axis(activity, columns), "dim"),
            Text(),
            self._rooms_and_presence(server_stats, columns, max(free_rows - chart_rows, 1)),
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

    def _rooms_and_presence(self, server_stats: "ServerStats", columns: int, rows: int) -> RenderableType:
        """Return the busiest rooms and the presence: side by side, or below each other with the same number of rows."""
        busy, present = server_stats.activity.rooms, server_stats.presence
        side_by_side = columns >= SIDE_BY_SIDE_COLUMNS
        width, height = ((columns - 3) // 2, rows) if side_by_side else (columns, max((rows - 2) // 2, 1))
        rooms = charts.busiest_rooms_table(busy, width, height) if busy else Text("none", "dim")
        users = charts.presence_table(present, width, height, self._user_colours) if present else Text("none", "dim")
        room_part, user_part = Group(Text("busiest rooms", "bold"), rooms), Group(Text("here now", "bold"), users)
        if not side_by_side:
            return Group(room_part, Text(), user_part)
        table = Table.grid(padding=(0, 3, 0, 0))
        table.add_column(width=width)
        table.add_column(width=width, overflow="crop")
        table.add_row(room_part, user_part)
        return table


def _clock_line(server_stats: "ServerStats") -> Text:
    if not server_stats.clock_lag_seconds:
        return Text()
    return _line(f"The server's clock is {charts.clock_text(server_stats)}.", "bold red")


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
