"""The file of unconfirmed records, which --unconfirmed writes and --resume reads."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import typer

from chatctl.cli import options
from chatctl.cli.streams import json_lines
from chatctl.cli.streams.json_lines import Origin
from chatctl.cli.streams.pipes import open_for_reading
from chatctl.model.limits import MAX_BATCH_BYTES, MAX_NAME_BYTES, name_error

MAX_LINE_CHARS = 8 * MAX_BATCH_BYTES  # of a text, in which each byte may be escaped as \\uXXXX, and its names


@dataclass
class UnconfirmedRecords:
    """Records of one input without receipts. `runs` are consecutive texts, and the number of the first.

    `log` is the log in which they may be stored; empty if they were never sent.
    """

    origin: Origin
    log: str = ""
    runs: list[tuple[int, list[str]]] = field(default_factory=list)


def read_unconfirmed(path: str) -> UnconfirmedRecords | None:
    """Return the records in a file, or None if it is empty. Raises BadParameter for any other file."""
    try:
        with open(open_for_reading(path), encoding="utf-8", newline="\n") as file:
            # A device may have a line without an end.
            return _read_records(path, iter(partial(file.readline, MAX_LINE_CHARS), ""))
    except OSError as error:
        raise _bad_file(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _bad_file(f"{path} is not UTF-8: use a file that `send --unconfirmed` wrote") from None


def _read_records(path: str, lines: Iterable[str]) -> UnconfirmedRecords | None:
    records = None
    next_number = 0
    for line_number, line in enumerate(lines, 1):
        if len(line) == MAX_LINE_CHARS:
            raise _bad_file(f"line {line_number} of {path} is too long for a record that `send --unconfirmed` wrote")
        try:
            number, origin, text, log = json_lines.read_unconfirmed(line)
        except json_lines.LINE_ERRORS:
            raise _bad_file(f"line {line_number} of {path} is not a record that `send --unconfirmed` wrote") from None
        if records is None:  # the other lines have the same names
            _check_names(path, origin)
            records = UnconfirmedRecords(origin, log)
        if (origin, log) != (records.origin, records.log):
            raise _bad_file(
                f"line {line_number} of {path} has another room, user, input id or log than the lines before it: "
                "put them into separate files"
            )
        if number < next_number:
            raise _bad_file(f"line {line_number} of {path} has number {number} after {next_number - 1}: sort the lines")
        if number == next_number:
            records.runs[-1][1].append(text)
        else:
            records.runs.append((number, [text]))
        next_number = number + 1
    return records


def _check_names(path: str, origin: Origin) -> None:
    for what, name in zip(("room", "user", "input id"), origin, strict=True):
        if error := name_error(what, name, MAX_NAME_BYTES):
            raise _bad_file(f"line 1 of {path} is not valid: {error}")


def _bad_file(text: str) -> typer.BadParameter:
    return options.bad("--resume", text)
