"""`history` for people where no terminal is looking: a table, or lines of the same columns if it is long."""

import sys
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from chatctl.cli.terminal.console import make_console, print_renderable
from chatctl.cli.terminal.escape import escape_name, escape_text
from chatctl.cli.terminal.messages import say
from chatctl.cli.terminal.times import display_time

if TYPE_CHECKING:
    from chatctl.client import HistoryPage


def text_columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


MAX_TABLE_ROWS, MAX_TABLE_CHARS = 1000, 1_000_000  # up to here a Rich table; longer output is never held in memory
MIN_TABLE_COLUMNS = 72  # a table in fewer would have columns of one or two letters, so there lines wrap instead

TableRow = tuple[str, str, str, str, str]
HEADER = ("sequence", "time", "room", "user", "text")


class TablePrinter:
    """Prints messages as a table; what follows MAX_TABLE_ROWS, MAX_TABLE_CHARS or `flush` as lines of the same columns."""

    def __init__(self, utc: bool, no_color: bool) -> None:
        self._utc, self._no_color = utc, no_color
        self._rows: list[TableRow] | None = []
        self._chars = 0
        self._widths: tuple[int, ...] = ()

    def print_page(self, page: "HistoryPage") -> bool:
        """Take a page; whether all so far is printed."""
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
        """Hold nothing back any more: nobody knows how much more comes. Without any message yet, it waits for the first."""
        if self._rows:
            rows, self._widths = _with_header(self._rows)
            self._rows = None
            _write_lines(rows, self._widths)

    def finish(self) -> None:
        """Print what was held back."""
        if self._rows and make_console(self._no_color).width < MIN_TABLE_COLUMNS:
            self.flush()
        elif self._rows:
            _print_table(self._rows, self._no_color)
        elif self._rows is not None:
            say("no messages")


def _rows(page: "HistoryPage", utc: bool) -> list[TableRow]:
    return [
        (str(sequence), time, room, user, escape_text(text))
        for run in page.runs
        for time, room, user in [(display_time(run.time, utc), escape_name(run.room), escape_name(run.user))]
        for sequence, text in enumerate(run.texts, run.sequence)
    ]


def _with_header(rows: list[TableRow]) -> tuple[list[TableRow], tuple[int, ...]]:
    """The rows under their headings, and how wide the columns but the last are."""
    all_rows = [HEADER, *rows]
    return all_rows, tuple(max(text_columns(row[i]) for row in all_rows) for i in range(4))


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
    """Aligned lines; a name longer than all in the first page moves its line's text, no more."""
    number, time, room, user = widths
    lines = []
    pads: dict[str, str] = {}
    for sequence, when, where, who, text in rows:
        middle = pads.get(key := f"{when}\0{where}\0{who}")
        if middle is None:
            middle = f"{when:<{time}}  {where}{' ' * (room - text_columns(where))}  {who}{' ' * (user - text_columns(who))}"
            pads[key] = middle
        lines.append(f"{sequence:>{number}}  {middle}  {text}\n")
    sys.stdout.buffer.write("".join(lines).encode())
    sys.stdout.buffer.flush()
