"""How far `send` is."""

from rich.progress import Progress, SpinnerColumn, TextColumn

from chatctl.cli.render import console


def progress(no_color: bool) -> Progress:
    """A line on stderr that tells how far `send` is; a context manager."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[done]:,} confirmed"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        console=console(no_color, stderr=True),
        transient=True,
    )
