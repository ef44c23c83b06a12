"""The command line: one Typer app, one file for each command, and the one place where errors become exit codes.

The commands import grpc, the stubs and rich only when they run: starting costs.
"""

import io
import os
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from importlib import import_module
from itertools import pairwise

import typer

from chatctl.cli.exit_codes import INTERRUPTED, STATUS_OFFSET
from chatctl.cli.terminal import messages
from chatctl.compat.typer_usage import UsageError
from chatctl.errors import ChatError, InvalidValue, ListenError, StoreOpenError

app = typer.Typer(
    name="chatctl",
    help="A durable chat room for terminals and scripts. A receipt means that the message is on disk.",
    epilog="Exit codes: 0 done, 1 not all of it succeeded, 2 wrong usage, 3 silence (--wait), "
    "64 + N for the gRPC status N (78: no server), 130 interrupted.",
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
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


COMPLETION_VARIABLE = "_CHATCTL_COMPLETE"  # how shells ask Typer for completions, without arguments
COMMANDS = ("serve", "join", "send", "history", "stats", "verify")


def register_commands(names: Iterable[str]) -> None:
    """Add commands to the app; only the one that is run needs to be there, and each costs some milliseconds."""
    for name in names:
        app.command()(getattr(import_module(f"chatctl.cli.{name}.command"), name))


def run(arguments: list[str]) -> int:
    """Run a command; its exit code comes back. Nothing but `serve`'s own faults gets past it as a traceback."""
    # What grpc has to say it says in statuses; its log lines on stderr are for its developers.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    wants_json = _wants_json(arguments)
    if _wants_no_color(arguments):
        os.environ["NO_COLOR"] = "1"  # of which errors, notices and a command's own commands know, too
    if isinstance(raw := getattr(sys.stdout, "buffer", None), io.RawIOBase):
        # PYTHONUNBUFFERED, which containers like to set: such a file may take a part of what is written, or nothing.
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), sys.stdout.encoding, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the locale lacks: JSON is UTF-8, the rest is escaped
            stream.reconfigure(encoding="utf-8" if wants_json else None, errors="backslashreplace")
    try:
        arguments = _prepare(arguments)
        code = (
            app(args=arguments, prog_name="chatctl", standalone_mode=False)
            if arguments or COMPLETION_VARIABLE in os.environ
            else _print_help()
        )
        sys.stdout.flush()
    except ChatError as error:
        return messages.report_error(str(error), error.reason, STATUS_OFFSET + error.code, wants_json)
    except (StoreOpenError, ListenError) as error:
        return messages.report_error(str(error), "NOT_STARTED", 1, wants_json)
    except InvalidValue as error:
        return messages.report_error(str(error), "USAGE", 2, wants_json)
    except UsageError as error:
        return _report_usage_error(error, arguments, wants_json)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # Typer turns the first into the second
        return 0  # whoever read stdout has seen enough
    except OSError as error:  # a full disk behind stdout, for one
        return messages.report_error(f"cannot read or write: {error.strerror}", "INPUT_OUTPUT", 1, wants_json)
    return code if isinstance(code, int) else 0


def _prepare(arguments: list[str]) -> list[str]:
    """Get ready for the command that is called; its arguments as Typer can understand them."""
    register_commands([name for name in COMMANDS if name in arguments[:1]] or COMMANDS)
    return (
        import_module("chatctl.cli.stats.command").with_default_interval(arguments)
        if arguments[:1] == ["stats"]
        else arguments
    )


TRUE_VALUES = ("1", "true", "t", "yes", "y", "on")  # as Click reads a flag's variable


def _arguments_before_separator(arguments: list[str]) -> list[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _wants_no_color(arguments: list[str]) -> bool:
    """Whether errors are to be without colour; asked as early as the next."""
    return (
        "--no-color" in _arguments_before_separator(arguments)
        or os.environ.get("CHATCTL_NO_COLOR", "").lower() in TRUE_VALUES
    )


def _wants_json(arguments: list[str]) -> bool:
    """Whether errors are to be JSON; asked before the options are understood, since not understanding them is an error."""
    options = _arguments_before_separator(arguments)
    flags = {"--json", "--output=json", "-ojson"} & set(options)
    pairs = {("--output", "json"), ("-o", "json")} & set(pairwise(options))
    history = options[:1] == ["history"] and os.environ.get("CHATCTL_OUTPUT", "") == "json"
    return bool(flags or pairs or history or os.environ.get("CHATCTL_JSON", "").lower() in TRUE_VALUES)


def _print_help() -> int:
    """What `chatctl` alone gets: how to use it, on stderr, as it has done nothing."""
    with redirect_stdout(sys.stderr):
        app(args=["--help"], prog_name="chatctl", standalone_mode=False)
    return 2


def _report_usage_error(error: Exception, arguments: list[str], wants_json: bool) -> int:
    """Say what is wrong with how a command was called."""
    text = error.format_message()  # type: ignore[attr-defined]
    command = f" {arguments[0]}" if arguments[0] in COMMANDS else ""
    return messages.report_error(text if wants_json else f"{text}\nTry `chatctl{command} --help`.", "USAGE", 2, wants_json)
