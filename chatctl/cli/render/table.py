"""`history` for people where no terminal is looking: a table, or lines of the same columns if it is long."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from chatctl.cli.formats import cells, person_time, say, visible, visible_name
from chatctl.cli.render import console, show

if TYPE_CHECKING:
    from chatctl.client import HistoryPage

TABLE_ROWS, TABLE_CHARS = 1000, 1_000_000  # up to here a Rich table; longer output is never held in memory
NARROW_COLUMNS = 72  # a table in fewer would have columns of one or two letters, so there lines wrap instead

Row = tuple[str, str, str, str, str]
COLUMNS = ("sequence", "time", "room", "user", "text")


class HistoryTable:
    """Prints messages as a table; what follows TABLE_ROWS, TABLE_CHARS or `settle` as lines of the same columns."""

    def __init__(self, utc: bool, no_color: bool) -> None:
        self._utc, self._no_color = utc, no_color
        self._rows: list[Row] | None = []
        self._chars = 0
        self._widths: tuple[int, ...] = ()

    def show(self, page: "HistoryPage") -> bool:
        """Take a page; whether all so far is printed."""
        fresh = _rows(page, self._utc)
        if self._rows is None:
            _write_lines(fresh, self._widths)
            return True
        self._rows += fresh
        self._chars += sum(len(row[-1]) for row in fresh)
        if len(self._rows) <= TABLE_ROWS and self._chars <= TABLE_CHARS:
            return False
        self.settle()
        return True

    def settle(self) -> None:
        """Hold nothing back any more: nobody knows how much more comes. Without any message yet, it waits for the first."""
        if self._rows:
            rows, self._widths = _aligned(self._rows)
            self._rows = None
            _write_lines(rows, self._widths)

    def end(self) -> None:
        """Print what was held back."""
        if self._rows and console(self._no_color).width < NARROW_COLUMNS:
            self.settle()
        elif self._rows:
            _print_table(self._rows, self._no_color)
        elif self._rows is not None:
            say("no messages")


def _rows(page: "HistoryPage", utc: bool) -> list[Row]:
    return [
        (str(sequence), time, room, user, visible(text))
        for run in page.runs
        for time, room, user in [(person_time(run.time, utc), visible_name(run.room), visible_name(run.user))]
        for sequence, text in enumerate(run.texts, run.sequence)
    ]


def _aligned(rows: list[Row]) -> tuple[list[Row], tuple[int, ...]]:
    """The rows under their headings, and how wide the columns but the last are."""
    headed = [COLUMNS, *rows]
    return headed, tuple(max(cells(row[i]) for row in headed) for i in range(4))


def _print_table(rows: list[Row], no_color: bool) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("sequence", justify="right", style="dim", no_wrap=True)
    table.add_column("time", style="dim", no_wrap=True)
    table.add_column("room", style="cyan", overflow="fold")
    table.add_column("user", style="green", overflow="fold")
    table.add_column("text", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    show(console(no_color), table)


def _write_lines(rows: "Sequence[Row]", widths: tuple[int, ...]) -> None:
    """Aligned lines; a name longer than all in the first page moves its line's text, no more."""
    number, time, room, user = widths
    lines = []
    pads: dict[str, str] = {}
    for sequence, when, where, who, text in rows:
        middle = pads.get(key := f"{when}\0{where}\0{who}")
        if middle is None:
            middle = f"{when:<{time}}  {where}{' ' * (room - cells(where))}  {who}{' ' * (user - cells(who))}"
            pads[key] = middle
        lines.append(f"{sequence:>{number}}  {middle}  {text}\n")
    sys.stdout.buffer.write("".join(lines).encode())
    sys.stdout.buffer.flush()
