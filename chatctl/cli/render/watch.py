"""`stats --watch` at a terminal: one screen that is drawn anew with every answer and fits whatever size there is."""

import sys
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from chatctl.cli.formats import time_of_day, visible
from chatctl.cli.render import activity as drawn
from chatctl.cli.render import console, duration, size

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

    from chatctl.client import ServerStats

ROWS_AROUND = 11  # of the header, the figures, the graph's title and scale, the blanks and the last line
GRAPH_ROWS = 12  # at most
TWO_SIDES = 64  # columns, from which on rooms and users stand side by side


class Screen:
    """The live view; a View."""

    def __init__(self, server: str, utc: bool, no_color: bool) -> None:
        self._server, self._utc = server, utc
        self._ending = "q ends" if sys.stdin.isatty() else "Ctrl-C ends"
        self._answer: ServerStats | None = None
        self._trouble = ""
        self._at = ""
        out = console(no_color)
        self._live = Live(self, console=out, screen=True, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> "Screen":
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, answer: "ServerStats") -> None:
        """Draw an answer."""
        self._answer, self._trouble, self._at = answer, "", time_of_day(self._utc)
        self.draw()

    def say(self, text: str) -> None:
        """Tell what keeps the next answer from coming."""
        self._trouble = text
        self.draw()

    def draw(self) -> None:
        """Draw all again, in the size that the terminal has now."""
        self._live.refresh()

    def __rich_console__(self, out: Console, options: "ConsoleOptions") -> "RenderResult":
        rows, columns = options.size.height, options.size.width
        options = options.update(width=columns, height=None)
        parts = self._parts(self._answer, columns, rows) if self._answer else [Text(f"asking {self._server} ...")]
        lines = out.render_lines(Group(*parts), options, pad=False)
        last = Text(visible(self._trouble), "bold red") if self._trouble else Text(self._ending, "dim")
        end = out.render_lines(last, options, pad=False)[:rows]
        kept = (lines + [[]] * rows)[: rows - len(end)]
        for at, line in enumerate([*kept, *end], 1):
            yield from line
            yield Segment("\n" if at < rows else "")

    def _parts(self, answer: "ServerStats", columns: int, rows: int) -> list[RenderableType]:
        activity = answer.activity
        if not answer.has_activity:
            return [
                self._header(answer, columns),
                Text(),
                *_kept(answer),
                Text(),
                _named("activity", drawn.unreported(answer.version)),
            ]
        left = max(rows - ROWS_AROUND - (0 if columns >= TWO_SIDES else 2), 2)
        high = max(min(GRAPH_ROWS, left // 2, left // 5 + 3), 1)
        return [
            self._header(answer, columns),
            Text(),
            _figures(answer, side_by_side=columns >= TWO_SIDES),
            Text(),
            Text(f"{drawn.rate(activity.messages_per_second)} now", "bold"),
            *(_line(row, drawn.DRAWN) for row in drawn.graph(activity.messages, columns, high)),
            _line(drawn.scale(activity, columns), "dim"),
            Text(),
            _sides(answer, columns, max(left - high, 1)),
        ]

    def _header(self, answer: "ServerStats", columns: int) -> Text:
        words = Text(self._server, "bold", no_wrap=True)
        words.append(f"  chatctl {visible(answer.version)}  up {duration(answer.uptime_seconds)}", "dim")
        if words.cell_len + len(self._at) < columns:
            words.append(self._at.rjust(columns - words.cell_len), "dim")
        words.truncate(columns, overflow="ellipsis")
        return words


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="crop")


def _kept(answer: "ServerStats") -> list[Text]:
    log = answer.stats
    return [
        Text(f"{log.num_messages:,} messages, {size(log.stored_bytes)}"),
        Text(f"{log.num_rooms:,} rooms, {log.num_users:,} users"),
    ]


def _figures(answer: "ServerStats", side_by_side: bool) -> Table:
    kept, table = _kept(answer), Table.grid(padding=(0, 3))
    doing = [_named("streams", drawn.streams(answer.activity)), _named("commit", drawn.commits(answer.activity))]
    for _ in range(1 + side_by_side):
        table.add_column(no_wrap=True, overflow="ellipsis")
    for row in zip(kept, doing, strict=True) if side_by_side else ((part,) for part in (*kept, *doing)):
        table.add_row(*row)
    return table


def _named(name: str, value: str) -> Text:
    return Text.assemble((f"{name} ", "dim"), value)


def _sides(answer: "ServerStats", columns: int, rows: int) -> RenderableType:
    """The busiest rooms and who is here: side by side, or below each other with as many rows for each."""
    busy, present = answer.activity.rooms, answer.present
    both = columns >= TWO_SIDES
    wide, high = ((columns - 3) // 2, rows) if both else (columns, max((rows - 2) // 2, 1))
    rooms = Group(Text("busiest rooms", "bold"), drawn.busiest(busy, wide, high) if busy else Text("none", "dim"))
    users = Group(Text("here now", "bold"), drawn.here(present, wide, high) if present else Text("nobody", "dim"))
    if not both:
        return Group(rooms, Text(), users)
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(width=wide)
    table.add_column(width=wide, overflow="crop")
    table.add_row(rooms, users)
    return table
