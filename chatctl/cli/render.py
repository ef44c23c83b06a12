"""Tables and progress for people: the only user of Rich. All text of others is escaped, and none is markup."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from chatctl.cli.formats import cells, person_time, say, visible

if TYPE_CHECKING:
    from chatctl.client import HistoryPage, ServerStats
    from chatctl.log import Figures

TABLE_ROWS, TABLE_CHARS = 1000, 1_000_000  # up to here a Rich table; longer output is never held in memory
NARROW_COLUMNS = 72  # a table in fewer would have columns of one or two letters, so there lines wrap instead
PIPE_COLUMNS = 1000  # in a pipe there is no width to keep to

Row = tuple[str, str, str, str, str]
COLUMNS = ("sequence", "time", "room", "user", "text")


class _Console(Console):
    """One that leaves a closed stdout to whoever decides on exit codes."""

    def on_broken_pipe(self) -> None:
        """See rich."""
        raise BrokenPipeError


def console(no_color: bool, stderr: bool = False) -> Console:
    """A console on stdout or stderr, with colour where a terminal is looking."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return _Console(
        stderr=stderr, color_system=None if no_color else "auto", width=width, highlight=False, markup=False, emoji=False
    )


def stats(answer: "ServerStats", utc: bool, no_color: bool) -> None:
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
        ("uptime", uptime(answer.uptime_seconds)),
        ("server", f"chatctl {visible(answer.version)}, store {visible(answer.store)}, log {visible(answer.log)}"),
        (
            "limits",
            f"text {size(limits.text_bytes)}, name {limits.name_bytes} bytes, streams {limits.streams:,}, "
            f"frame {limits.batch_messages:,} messages and {size(limits.batch_bytes)}",
        ),
    ):
        summary.add_row(name, value)
    _print(out, summary)
    for kind, figures, total in (("room", log.rooms, log.num_rooms), ("user", log.users, log.num_users)):
        if figures:
            print()
            _print(out, _figures(kind, figures, total, utc))


def _figures(kind: str, figures: "Sequence[Figures]", total: int, utc: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(kind, style="cyan", overflow="fold")
    table.add_column("messages", justify="right")
    table.add_column("last", style="dim")
    for name, count, time in figures:
        table.add_row(Text(visible(name)), f"{count:,}", person_time(time, utc))
    if len(figures) < total:
        table.caption = f"{len(figures):,} of {total:,} {kind}s"
    return table


def size(count: int) -> str:
    """Bytes for a person."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "bytes" or value == int(value) else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def uptime(seconds: float) -> str:
    """A duration for a person."""
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if value]
    return " ".join([*parts[:2], f"{rest}s"] if not days else parts[:2])


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
        for time, room, user in [(person_time(run.time, utc), visible(run.room), visible(run.user))]
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
    _print(console(no_color), table)


def _print(out: Console, table: Table) -> None:
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    # In a pipe nobody needs the blanks that pad every row to the longest.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


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


def progress(no_color: bool) -> Progress:
    """A line on stderr that tells how far `send` is; a context manager."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[done]:,} confirmed"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        console=console(no_color, stderr=True),
        transient=True,
    )
