"""The one place that decides the width of a terminal, and whether output is styled.

`prepare` puts the environment in order before a command runs, because Rich, Typer and Textual read it themselves.
"""

import os
from collections.abc import MutableMapping
from contextlib import suppress
from typing import TextIO

DEFAULT_COLUMNS, DEFAULT_ROWS = 80, 24
MAX_COLUMNS = 10_000  # a larger COLUMNS is a mistake, and would cost memory
_DUMB_TERMINALS = ("dumb", "unknown")  # values of TERM: terminals that can show lines only
_SIZES = ("COLUMNS", "LINES", "TERMINAL_WIDTH")  # the last one is for the help
# They make libraries write escape sequences into pipes and files, or keep them out of terminals.
_SWITCHES = ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
PLAIN_HELP = "_TYPER_FORCE_DISABLE_TERMINAL"  # makes Typer print its help without styles

_removed: dict[str, str] = {}


def prepare(environment: MutableMapping[str, str], no_color: bool) -> None:
    """Remove what misleads the libraries: sizes that are not a positive number, and switches that overrule the terminal.

    `no_color` ends all styling, as NO_COLOR does.
    """
    for name in (*_SIZES, *_SWITCHES):
        if name in environment and (name in _SWITCHES or not _positive(environment[name])):
            _removed[name] = environment.pop(name)
    if not environment.get("NO_COLOR"):
        environment.pop("NO_COLOR", None)  # an empty value means nothing; Textual reads it as set
    if no_color:
        environment["NO_COLOR"] = "1"  # also for the commands of --exec
    if environment.get("NO_COLOR"):
        environment[PLAIN_HELP] = "1"


def inherited_environment() -> dict[bytes, bytes]:
    """Return the environment for a command that the user named, with what `prepare` removed for the libraries."""
    restored = {os.fsencode(name): os.fsencode(value) for name, value in _removed.items()}
    return {name: value for name, value in os.environb.items() if name != PLAIN_HELP.encode()} | restored


def is_plain() -> bool:
    """Return whether the user wants no styling: no colour, and nothing bold, dim or underlined."""
    return bool(os.environ.get("NO_COLOR"))


def is_styled(stream: TextIO) -> bool:
    """Return whether to style output on the stream: a terminal that can show styles, and the user has not ended them."""
    return stream.isatty() and not is_plain() and not is_dumb()


def is_dumb(unset: bool = False) -> bool:
    """Return whether the terminal can show lines only; `unset` is the answer if TERM is not set."""
    return os.environ.get("TERM", "dumb" if unset else "") in _DUMB_TERMINALS


def terminal_size(stream: TextIO) -> tuple[int, int]:
    """Return the columns and rows of the stream's terminal: COLUMNS and LINES if they are set, 80 by 24 if unknown."""
    columns = rows = 0
    with suppress(OSError, ValueError):
        columns, rows = os.get_terminal_size(stream.fileno())
    wanted_columns, wanted_rows = _positive(os.environ.get("COLUMNS", "")), _positive(os.environ.get("LINES", ""))
    return wanted_columns or columns or DEFAULT_COLUMNS, wanted_rows or rows or DEFAULT_ROWS


def terminal_columns(stream: TextIO) -> int:
    """Return the width of the stream's terminal."""
    return terminal_size(stream)[0]


def output_columns(stream: TextIO) -> int | None:
    """Return the width that the user or the terminal sets for the stream, or None for a pipe or file without one."""
    return terminal_columns(stream) if stream.isatty() or _positive(os.environ.get("COLUMNS", "")) else None


def _positive(text: str) -> int:
    """Return a size that the environment gives, or 0 if it is not one."""
    return min(int(text), MAX_COLUMNS) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
