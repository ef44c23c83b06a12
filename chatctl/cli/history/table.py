"""The table of `history` in a pipe or file: a Rich table, or lines with the same columns for long output."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from chatctl.cli.terminal.console import make_console, print_renderable
from chatctl.cli.terminal.escape import escape_name, escape_text
from chatctl.cli.terminal.times import display_time

if TYPE_CHECKING:
    from chatctl.client import HistoryPage


MAX_TABLE_ROWS, MAX_TABLE_CHARS = (
    1000,
    1_000_000,
)  # of a Rich table; longer output is written as lines and not kept in memory
MIN_TABLE_COLUMNS = 72  # a narrower table would have columns of one or two letters, so lines are written instead

TableRow = tuple[str, str, str, str, str]
HEADER = ("sequence", "time", "room", "user", "text")


class TablePrinter:
    """A Printer that prints a table, and after MAX_TABLE_ROWS, MAX_TABLE_CHARS or `flush` lines with the same columns."""

    for_people = True

    def __init__(self, utc: bool, no_color: bool) -> None:
        self._utc, self._no_color = utc, no_color
        self._rows: list[TableRow] | None = []  # not yet printed; None once lines are written
        self._chars = 0
        self._widths: tuple[int, ...] = ()

    def print_page(self, page: "HistoryPage") -> bool:
        new_rows = _rows(page, self._utc)
        if self._rows is None:
            _write_lines(new_rows, self._widths)
            return True
        self._rows += new_rows
        self._chars += sum(len(row[-1]) for row in new_rows)
        if len(self._rows) <= MAX_TABLE_ROWS and self._chars <= MAX_TABLE_CHARS:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Write all rows as lines, and later rows at once. Before the first message it does nothing."""
        if self._rows:
            rows, self._widths = _with_header(self._rows)
            self._rows = None
            _write_lines(rows, self._widths)

    def finish(self) -> None:
        if self._rows and make_console(self._no_color).width < MIN_TABLE_COLUMNS:
            self.flush()
        elif self._rows:
            _print_table(self._rows, self._no_color)


def _rows(page: "HistoryPage", utc: bool) -> list[TableRow]:
    return [
        (str(sequence), time, room, user, escape_text(text))
        for run in page.runs
        for time, room, user in [(display_time(run.time, utc), escape_name(run.room), escape_name(run.user))]
        for sequence, text in enumerate(run.texts, run.sequence)
    ]


def _with_header(rows: list[TableRow]) -> tuple[list[TableRow], tuple[int, ...]]:
    """Return the rows below their header, and the widths of all columns but the last."""
    all_rows = [HEADER, *rows]
    return all_rows, tuple(max(cell_len(row[i]) for row in all_rows) for i in range(4))


def _print_table(rows: list[TableRow], no_color: bool) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("sequence", justify="right", style="dim", no_wrap=True)
    table.add_column("time", style="dim", no_wrap=True)
    table.add_column("room", style="cyan", overflow="fold")
    table.add_column("user", style="green", overflow="fold")
    table.add_column("text", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    print_renderable(make_console(no_color), table)


def _write_lines(rows: "Sequence[TableRow]", widths: tuple[int, ...]) -> None:
    """Write aligned lines. A name that is longer than all names of the first page shifts the text of its line only."""
    number_width, time_width, room_width, user_width = widths
    lines = []
    cache: dict[tuple[str, str, str], str] = {}  # most rows of a page have the same few values
    for sequence, time, room, user, text in rows:
        middle = cache.get(key := (time, room, user))
        if middle is None:
            padded_room, padded_user = _pad(room, room_width), _pad(user, user_width)
            middle = cache[key] = f"{time:<{time_width}}  {padded_room}  {padded_user}"
        lines.append(f"{sequence:>{number_width}}  {middle}  {text}\n")
    sys.stdout.buffer.write("".join(lines).encode())
    sys.stdout.buffer.flush()


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
