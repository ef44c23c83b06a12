"""How commands are called: hints for what users type in place of an option, and values that would be ignored."""

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer
import typer.core

from chatctl.cli import options
from chatctl.cli.terminal import notices
from chatctl.cli.terminal.escape import escape_name
from chatctl.compat.typer_usage import UsageError, unknown_option

EXTRA_ARGUMENT_HINTS = {
    "serve": "name an address with --listen, or a store with --store",
    "history": "name rooms with --room, as in `chatctl history --room {}`",
    "stats": "name rooms with --room, as in `chatctl stats --room {}`",
    "verify": "it reads one file: join several with `cat FILE... | chatctl verify -`",
}
CLIENT_OPTION_HINTS = {
    **dict.fromkeys(("--host", "--port", "--address", "--url", "-H", "-p"), "name the server with --server HOST:PORT"),
    **dict.fromkeys(("--username", "--nick", "--name"), "name the user with --user"),
    **dict.fromkeys(("--channel", "--topic", "--subject"), "name the room with --room"),
}
OPTION_HINTS = {
    "serve": {
        **dict.fromkeys(("--port", "-p", "--host", "-H", "--bind", "--address"), "name the address with --listen HOST:PORT"),
        **dict.fromkeys(("--db", "--database", "--file", "--data", "--path"), "name the store with --store sqlite:PATH"),
    },
    "history": {
        **CLIENT_OPTION_HINTS,
        **dict.fromkeys(("--tail", "--lines", "--max"), "use --last N for the last messages, or --count N for the first"),
        **dict.fromkeys(("--from", "--start", "--begin"), "use --since TIME"),
        **dict.fromkeys(("--to", "--end", "--before"), "use --until TIME"),
        **dict.fromkeys(("--filter", "--search", "--match", "--contains", "-e"), "use --grep TEXT"),
        "--offset": "use --after CURSOR",
    },
    "send": {
        **CLIENT_OPTION_HINTS,
        **dict.fromkeys(("--message", "--text", "-m"), "write the text after the options: `chatctl send hello`"),
        **dict.fromkeys(("--file", "--input", "-f"), "give the file on stdin: `chatctl send < FILE`"),
        **dict.fromkeys(("--id", "--key"), "name the input with --input-id"),
    },
    "join": {
        **CLIENT_OPTION_HINTS,
        "--room": "name the rooms as arguments: `chatctl join ROOM`",
        "-r": "write `chatctl join ROOM`",
    },
    "stats": CLIENT_OPTION_HINTS,
    "verify": CLIENT_OPTION_HINTS,
}
"""What to do instead of an option that other programs have, by command."""


FIRST_WORD_HINTS = {
    **dict.fromkeys(("version", "-v", "-V"), "chatctl --version"),
    "help": "chatctl --help, or chatctl COMMAND --help",
    **dict.fromkeys(("server", "start", "run", "listen"), "chatctl serve"),
    **dict.fromkeys(("read", "tail", "log", "logs", "cat", "follow"), "chatctl history, with -f to follow"),
    **dict.fromkeys(("publish", "pub", "post", "write", "say"), "chatctl send"),
    **dict.fromkeys(("subscribe", "sub"), "chatctl history -f"),
    **dict.fromkeys(("chat", "talk"), "chatctl join"),
    **dict.fromkeys(("status", "info", "rooms", "users"), "chatctl stats"),
}
"""What to call instead of a word that is not a command."""


LAST_IS_PLAIN = "chatctl.last_is_plain"  # in the `meta` of a context


class CheckedCommand(typer.core.TyperCommand):
    """A command that refuses a second value for an option, and whose errors name the variable that a value is from."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse the arguments of the command line."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        ctx.allow_extra_args = True
        ctx.meta[LAST_IS_PLAIN] = args[-2:-1] == ["--"]
        with _hints(ctx):
            _refuse_repeated(ctx, self.make_parser(ctx).parse_args(args=list(args))[2])
            rest = super().parse_args(ctx, args)
            _warn_of_lists(ctx)
        if rest:
            hint = EXTRA_ARGUMENT_HINTS.get(ctx.info_name or "", "see --help").format(shlex.quote(rest[0]))
            ctx.fail(f"unexpected argument {rest[0]!r}: {hint}")
        return rest

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command."""
        with _hints(ctx):
            return super().invoke(ctx)


def is_given(context: typer.Context, option: str) -> bool:
    """Return whether the command line has this option: a value from the environment does not count."""
    return _source(context, option) == "commandline"


def last_is_plain(context: typer.Context) -> bool:
    """Return whether the last argument stands directly after --, and so is neither an option nor a - for stdin."""
    return bool(context.meta.get(LAST_IS_PLAIN))


def refuse_pairs(context: typer.Context, *pairs: tuple[str, str, str]) -> None:
    """Refuse two options that contradict each other, or do nothing together. Each pair is two options and the reason."""
    for first, second, reason in pairs:
        if is_given(context, first) and is_given(context, second):
            context.fail(f"{first} cannot be used with {second}: {reason}")


def refuse_without_command(arguments: list[str], commands: Iterable[str]) -> None:
    """Raise a usage error with a hint for what often stands in the place of the command, such as its options."""
    if arguments and (hint := FIRST_WORD_HINTS.get(arguments[0])):
        raise UsageError(f"unknown command {arguments[0]}: use {hint}")
    command = next((word for word in arguments if word in commands), None)
    if command and arguments[0].startswith("-") and arguments[0] not in ("--help", "-h", "--version"):
        option = arguments[0].partition("=")[0]
        raise UsageError(f"{option} stands before the command: write it after, as in `chatctl {command} {option} …`")


def _source(context: typer.Context, option: str) -> str:
    names = (parameter.name for parameter in context.command.params if option in parameter.opts)
    source = context.get_parameter_source(next(names, None) or "")
    return source.name.lower() if source else ""  # Typer does not export the enum


def _refuse_repeated(ctx: typer.Context, given: Iterable[object]) -> None:
    """Refuse an option that is given twice and has one value: the first one would be ignored."""
    seen = set()
    for parameter in given:
        if not isinstance(parameter, typer.core.TyperOption) or parameter.multiple or parameter.is_flag:
            continue
        if parameter in seen:
            ctx.fail(f"{' or '.join(parameter.opts)} is given more than once: leave out all but one")
        seen.add(parameter)


def _warn_of_lists(ctx: typer.Context) -> None:
    """Say that a variable holds one name, if its value looks like the list that 0.1.0 read there."""
    if ctx.params.get("quiet"):
        return
    for variable, option in (("CHATCTL_ROOM", "--room"), ("CHATCTL_USER", "--user")):
        used = _source(ctx, option) == "environment" or (
            ctx.info_name == "join" and option == "--room" and not ctx.params.get("room")
        )
        if used and "," in (value := options.variable(variable)):
            noun = option.removeprefix("--")
            notices.notifier(bool(ctx.params.get("as_json")))(
                f"{variable} holds one name: '{escape_name(value)}' is one {noun}, not a list"
            )


@contextmanager
def _hints(context: typer.Context) -> Iterator[None]:
    """Make a usage error lead to the right option, or name the variable that the value is from."""
    try:
        yield
    except typer.BadParameter as error:
        _name_value(context, error)
        raise
    except UsageError as error:
        option = unknown_option(error)
        if option and (hint := OPTION_HINTS.get(context.info_name or "", {}).get(option)):
            context.fail(f"unknown option {option}: {hint}")
        raise


def _name_value(context: typer.Context, error: typer.BadParameter) -> None:
    """Make an error name the variable if the value is from it, else the option. Typer names both."""
    for parameter in context.command.params:
        if error.param is not parameter and error.param_hint not in [f"'{option}'" for option in parameter.opts]:
            continue
        variable = getattr(parameter, "envvar", None)
        if variable and _source(context, parameter.opts[0]) == "environment":
            error.param_hint = f"'{variable}'"
        elif error.param_hint is None and isinstance(parameter, typer.core.TyperOption):
            error.param_hint = " / ".join(f"'{option}'" for option in parameter.opts)
