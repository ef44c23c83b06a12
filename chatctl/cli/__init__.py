"""The command line: one Typer app, one file for each command, and the one place where errors become exit codes.

The commands import grpc, the stubs and rich only when they run: starting costs.
"""

import os
import sys
from importlib import import_module

import typer

from chatctl import __version__
from chatctl.cli import formats
from chatctl.cli.report import INTERRUPTED, STATUS_OFFSET
from chatctl.config import BadValue
from chatctl.errors import ChatError, ListenRefused, StoreRefused

app = typer.Typer(
    name="chatctl",
    help="A durable chat room for terminals and scripts. A receipt means that the message is on disk.",
    epilog="Exit codes: 0 done, 1 not all of it succeeded, 2 wrong usage, 64 + N for the gRPC status N (78: no server), "
    "130 interrupted.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"chatctl {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


for _name in ("serve", "send", "history", "stats"):
    app.command()(getattr(import_module(f"chatctl.cli.{_name}"), _name))

UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]
"""The parent of every error in how a command was called, which Typer does not export."""


def run(arguments: list[str]) -> int:
    """Run a command; its exit code comes back. Nothing but `serve`'s own faults gets past it as a traceback."""
    # What grpc has to say it says in statuses; its log lines on stderr are for its developers.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    wants_json = "--json" in arguments or "--output=json" in arguments or os.environ.get("CHATCTL_JSON", "") in ("1", "true")
    try:
        code = app(args=arguments, prog_name="chatctl", standalone_mode=False)
        sys.stdout.flush()
    except ChatError as error:
        return _report(str(error), error.reason, STATUS_OFFSET + error.code, wants_json)
    except (StoreRefused, ListenRefused) as error:
        return _report(str(error), "NOT_STARTED", 1, wants_json)
    except BadValue as error:
        return _report(str(error), "USAGE", 2, wants_json)
    except UsageError as error:
        return _usage(error, wants_json)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read stdout has seen enough. Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk behind stdout, for one
        return _report(f"cannot read or write: {error.strerror}", "INPUT_OUTPUT", 1, wants_json)
    return code if isinstance(code, int) else 0


def _usage(error: BaseException, wants_json: bool) -> int:
    """Say what is wrong with how a command was called."""
    text = error.format_message()  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(context.get_help() if context else text, file=sys.stderr)
        return 2
    if not wants_json and context is not None:
        text += f"\nTry `{context.command_path} --help`."
    return _report(text, "USAGE", 2, wants_json)


def _report(text: str, reason: str, code: int, wants_json: bool) -> int:
    if wants_json:
        formats.say_json({"error": text, "reason": reason, "exit_code": code})
    else:
        formats.say(text)
    return code
