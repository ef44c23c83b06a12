"""The command line: one Typer app, with a package for each command.

The app imports only the command that is called, and a command imports grpc, the stubs and rich only when it runs:
imports are most of the start-up time.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout, suppress
from importlib import import_module
from itertools import pairwise

import typer

from chatctl.cli import failures, options, usage
from chatctl.cli.exit_codes import FAILED
from chatctl.cli.streams import descriptors, process
from chatctl.cli.terminal import notices

app = typer.Typer(
    name="chatctl",
    help="Send and read durable messages. A receipt means that the message is on disk.",
    epilog="Exit codes: 0 done, 1 done in part or failed, 2 wrong usage, 3 no message within --wait, "
    "64 + N gRPC status N (78: no server), 128 + N signal N (130: Ctrl-C).",
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from chatctl.version import full_version

        print(f"chatctl {full_version()}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


COMPLETION_VARIABLE = "_CHATCTL_COMPLETE"  # shells set it to get completions, without arguments
COMMANDS = ("serve", "join", "send", "history", "stats", "verify")


def register_commands(names: Iterable[str]) -> None:
    """Add commands to the app. Each costs some milliseconds, so `run` adds only the one that is called."""
    for name in names:
        app.command(cls=usage.CheckedCommand)(getattr(_module(name), name))


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    command = arguments[0] if arguments[:1] and arguments[0] in COMMANDS else ""
    as_json = _wants_json(command, arguments)
    descriptors.use_for_standard_streams()
    process.prepare(os.environ, as_json, _wants_no_color(arguments))
    try:
        code = _run(command, arguments, as_json)
        sys.stdout.flush()
    except failures.REPORTED as error:
        return failures.report(error, command, as_json)
    return code if isinstance(code, int) else 0


def _run(command: str, arguments: list[str], as_json: bool) -> object:
    """Call the command, and return what it returns."""
    register_commands([command] if command else COMMANDS)
    if not arguments and COMPLETION_VARIABLE not in os.environ:
        return _print_help()
    if command:
        process.require_descriptors()
    else:
        usage.refuse_without_command(arguments, COMMANDS)
    for notice in options.removed_variables(command):
        notices.notifier(as_json)(notice)
    prepare = getattr(_module(command), "prepare", None) if command else None
    if os.environ.get(COMPLETION_VARIABLE):
        return _complete(arguments)
    return app(args=prepare(arguments) if prepare else arguments, prog_name="chatctl", standalone_mode=False)


def _complete(arguments: list[str]) -> object:
    """Answer a shell that asks for completions, with nothing if it does not set what the answer depends on."""
    try:
        return app(args=arguments, prog_name="chatctl", standalone_mode=False)
    except (KeyError, ValueError):
        return FAILED


def _module(command: str) -> object:
    """Import the module of a command: it has a function of that name, and may have `prepare(arguments)`.

    `prepare` returns the arguments in the form that Typer understands.
    """
    return import_module(f"chatctl.cli.{command}.command")


TRUE_VALUES = ("1", "true", "t", "yes", "y", "on")  # of a flag's variable, as Click reads it


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in TRUE_VALUES


def _option_arguments(arguments: list[str]) -> list[str]:
    """Return the arguments that can be options."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _wants_no_color(arguments: list[str]) -> bool:
    """Return whether errors have no colours. Asked before the options are parsed, as parsing may fail."""
    return "--no-color" in _option_arguments(arguments) or _is_set("CHATCTL_NO_COLOR")


def _wants_json(command: str, arguments: list[str]) -> bool:
    """Return whether errors are JSON. Asked before the options are parsed, as parsing may fail."""
    given = _option_arguments(arguments)
    formats = [second for first, second in pairwise(given) if first in ("--output", "-o")]
    formats += [
        value for word in given for name in ("--output=", "-o") if (value := word.removeprefix(name)) not in (word, "")
    ]
    if "--json" in given or "json" in formats:
        return True
    if command == "history" and formats:
        return False  # stronger than the variables
    history = command == "history" and os.environ.get("CHATCTL_OUTPUT", "") == "json"
    return history or _is_set("CHATCTL_SERVE_JSON" if command == "serve" else "CHATCTL_JSON")


def _print_help() -> int:
    """Print the help on stderr, as `chatctl` alone has done nothing, and return the exit code."""
    with redirect_stdout(sys.stderr), suppress(OSError, SystemExit):  # Typer makes the second of a closed pipe
        app(args=["--help"], prog_name="chatctl", standalone_mode=False)
    return 2
