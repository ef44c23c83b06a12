"""How far `send` is."""

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn

from chatctl.cli.render import console
from chatctl.cli.render.activity import DRAWN

BAR_COLUMNS = 24


class Sent(Progress):
    """A line on stderr; a context manager."""

    def __init__(self, total: int | None, no_color: bool) -> None:
        """`total` is the bytes of the input, if that is known."""
        out: Console = console(no_color, stderr=True)
        columns: list[ProgressColumn] = [
            SpinnerColumn(style=DRAWN),
            TextColumn("{task.fields[done]:,} confirmed"),
            TextColumn("{task.fields[rate]:,.0f}/s", style="dim"),
        ]
        if total:
            columns[1:1] = [
                BarColumn(BAR_COLUMNS, "dim", complete_style=DRAWN, finished_style=DRAWN),
                TextColumn("{task.percentage:3.0f}% read"),
            ]
        super().__init__(*columns, console=out, transient=True)
        self._task = self.add_task("", total=total, done=0, rate=0.0)

    def show(self, done: int, rate: float, read: int | None) -> None:
        """So many records have a receipt, so many a second; of the input so many bytes are read, None for all."""
        self.update(self._task, completed=self.tasks[0].total if read is None else read, done=done, rate=rate, refresh=True)
