"""What people see at a terminal: the only users of Rich beside `join`. All text of others is escaped, and none is markup."""

import os
import sys

from rich.console import Console, RenderableType

PIPE_COLUMNS = 1000  # in a pipe there is no width to keep to


class _PipeAwareConsole(Console):
    """One that leaves a closed stdout to whoever decides on exit codes."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console(no_color: bool, stderr: bool = False) -> Console:
    """A console on stdout or stderr, with colour where a terminal is looking."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return _PipeAwareConsole(
        stderr=stderr, color_system=None if no_color else "auto", width=width, highlight=False, markup=False, emoji=False
    )


def print_renderable(console: Console, renderable: RenderableType) -> None:
    """Print something on stdout, without the blanks that pad every row to the longest if it is no terminal."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def format_size(count: int) -> str:
    """Bytes for a person."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "bytes" or value == int(value) else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def format_duration(seconds: float) -> str:
    """Seconds for a person."""
    days, remainder = divmod(int(seconds), 86_400)
    hours, remainder = divmod(remainder, 3600)
    minutes, remainder = divmod(remainder, 60)
    parts = [f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if value]
    return " ".join([*parts[:2], f"{remainder}s"] if not days else parts[:2])
