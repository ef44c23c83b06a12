"""The progress line of `send`."""

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn

from chatctl.cli.terminal.colours import CHART_COLOUR
from chatctl.cli.terminal.console import make_console

BAR_COLUMNS = 24


class SendProgress(Progress):
    """A line on stderr; a context manager."""

    def __init__(self, total: int | None, no_color: bool) -> None:
        """`total` is the number of bytes in the input, if known."""
        rich_console: Console = make_console(no_color, stderr=True)
        columns: list[ProgressColumn] = [
            SpinnerColumn(style=CHART_COLOUR),
            TextColumn("{task.fields[done]:,} confirmed"),
            TextColumn("{task.fields[rate]:,.0f}/s", style="dim"),
        ]
        if total:
            columns[1:1] = [
                BarColumn(BAR_COLUMNS, "dim", complete_style=CHART_COLOUR, finished_style=CHART_COLOUR),
                TextColumn("{task.percentage:3.0f}% read"),
            ]
        super().__init__(*columns, console=rich_console, transient=True)
        self._task = self.add_task("", total=total, done=0, rate=0.0)

    def show(self, confirmed: int, rate: float, bytes_read: int | None) -> None:
        """Update the line. `rate` is in records per second. `bytes_read` is None when all input was read."""
        self.update(
            self._task,
            completed=self.tasks[0].total if bytes_read is None else bytes_read,
            done=confirmed,
            rate=rate,
            refresh=True,
        )
