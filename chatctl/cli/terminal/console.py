"""Output through Rich. Text of other users is escaped and never markup."""

import sys

from rich.console import Console, ConsoleDimensions, RenderableType

from chatctl.cli.terminal import styling

PIPE_COLUMNS = 1000  # a pipe has no width to keep to


class _OutputConsole(Console):
    """Has the size of its stream, which may change. Raises BrokenPipeError when stdout is closed: it has an exit code."""

    @property  # type: ignore[misc]  # Rich's can be set, but nothing here does
    def size(self) -> ConsoleDimensions:
        """The columns and rows."""
        stream = sys.stderr if self.stderr else sys.stdout
        return ConsoleDimensions(styling.output_columns(stream) or PIPE_COLUMNS, styling.terminal_size(stream)[1])

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console(no_color: bool, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr, with styles if that is a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return _OutputConsole(
        stderr=stderr,
        color_system="auto" if styling.is_styled(stream) and not no_color else None,
        force_terminal=stream.isatty(),
        highlight=False,
        markup=False,
        emoji=False,
    )


def print_renderable(console: Console, renderable: RenderableType) -> None:
    """Print on stdout. If that is not a terminal, leave out the spaces that pad each row to the longest."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def format_size(count: int) -> str:
    """Format a number of bytes for people."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}" if unit == "bytes" or value == int(value) else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def format_duration(seconds: float) -> str:
    """Format seconds for people."""
    days, remainder = divmod(int(seconds), 86_400)
    hours, remainder = divmod(remainder, 3600)
    minutes, remainder = divmod(remainder, 60)
    parts = [f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if value]
    return " ".join([*parts[:2], f"{remainder}s"] if not days else parts[:2])
