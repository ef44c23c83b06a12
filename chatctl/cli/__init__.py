"""The command line: one Typer app, and a package for each command."""
