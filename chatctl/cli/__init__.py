"""The command line: one Typer app, one file for each command."""


def run(arguments: list[str]) -> int:
    """Run a command; its exit code comes back."""
    return len(arguments)
