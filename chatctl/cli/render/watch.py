"""`stats --watch` at a terminal: one screen that is drawn anew with every answer and fits whatever size there is."""

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chatctl.cli.formats import visible
from chatctl.cli.render import activity as drawn
from chatctl.cli.render import console, duration, size

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

    from chatctl.client import ServerStats

ROWS_AROUND = 11  # of the header, the figures, the graph's title and scale, the blanks and the last line
GRAPH_ROWS = 5  # at most
TWO_SIDES = 64  # columns, from which on rooms and users stand side by side


class Screen:
    """The live view; a View."""

    def __init__(self, server: str, no_color: bool) -> None:
        self._server = server
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
        self._answer, self._trouble, self._at = answer, "", time.strftime("%H:%M:%S")
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
        last = Text(f"{self._trouble}" if self._trouble else "q ends", "bold red" if self._trouble else "dim")
        last.truncate(max(columns - 1, 1), overflow="ellipsis")
        parts = self._parts(self._answer, columns, rows) if self._answer else [Text(f"asking {self._server} ...")]
        lines = out.render_lines(Group(*parts), options.update(width=columns, height=None), pad=False)[: max(rows - 1, 0)]
        for line in lines:
            yield from line
            yield Text("\n", end="")
        yield Text("\n" * (rows - 1 - len(lines)), end="")
        last.end = ""
        yield last

    def _parts(self, answer: "ServerStats", columns: int, rows: int) -> list[RenderableType]:
        activity = answer.activity
        left = max(rows - ROWS_AROUND, 2)
        high = max(min(GRAPH_ROWS, left // 2), 1)
        return [
            self._header(answer, columns),
            Text(),
            _figures(answer),
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
        words.append(self._at.rjust(columns - words.cell_len), "dim")
        words.truncate(columns, overflow="ellipsis")
        return words


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="crop")


def _figures(answer: "ServerStats") -> Table:
    log, table = answer.stats, Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, overflow="ellipsis")
    stored = f"{log.num_messages:,} messages, {size(log.stored_bytes)}"
    table.add_row(stored, _named("streams", drawn.streams(answer.activity)))
    table.add_row(f"{log.num_rooms:,} rooms, {log.num_users:,} users", _named("commit", drawn.commits(answer.activity)))
    return table


def _named(name: str, value: str) -> Text:
    return Text.assemble((f"{name} ", "dim"), value)


def _sides(answer: "ServerStats", columns: int, rows: int) -> RenderableType:
    """The busiest rooms and who is here: side by side, or below each other with as many rows for each."""
    busy, present = answer.activity.rooms, answer.present
    both = columns >= TWO_SIDES
    wide, high = ((columns - 3) // 2, rows) if both else (columns, max((rows - 2) // 2, 1))
    rooms = Group(Text("busiest rooms", "bold"), drawn.busiest(busy, wide, high) if busy else Text("none", "dim"))
    users = Group(Text("here now", "bold"), drawn.here(present, high) if present else Text("nobody", "dim"))
    if not both:
        return Group(rooms, Text(), users)
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(width=wide)
    table.add_column(width=wide, overflow="crop")
    table.add_row(rooms, users)
    return table
