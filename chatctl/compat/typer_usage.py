"""The command line: one Typer app, one file for each command, and the one place where errors become exit codes.

The commands import grpc, the stubs and rich only when they run: starting costs.
"""

import typer

UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]
"""The parent of every error in how a command was called, which Typer does not export."""
