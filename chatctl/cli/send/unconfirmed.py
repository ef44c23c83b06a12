"""Records without receipts, kept in a file to be sent later: a JSON object on each line, with all that identifies it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import typer

from chatctl.cli.streams import json_lines
from chatctl.model.limits import MAX_NUMBER


@dataclass
class UnconfirmedRecords:
    """Records of one room, user and sender; `runs` are consecutive texts and the number of their first.

    `log` is the one they may have been stored in; empty if they were never sent.
    """

    room: str
    user: str
    input_id: str
    log: str = ""
    runs: list[tuple[int, list[str]]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The lines of the file."""
        names = f'"room":{json_lines.json_string(self.room)},"user":{json_lines.json_string(self.user)},"sender":{json_lines.json_string(self.input_id)}'
        if self.log:
            names += f',"log":{json_lines.json_string(self.log)}'
        for first, texts in self.runs:
            for number, text in enumerate(texts, first):
                yield f'{{"number":{number},{names},"text":{json_lines.json_string(text)}}}\n'


def read_unconfirmed(path: str) -> UnconfirmedRecords | None:
    """What a file holds; None if it is empty. Raises BadParameter for one that cannot be read or holds something else."""
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return _parse(path, file)
    except OSError as error:
        raise _bad_resume_file(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _bad_resume_file(f"{path} is not UTF-8: name a file that `send --unconfirmed` wrote") from None


def _parse(path: str, lines: Iterable[str]) -> UnconfirmedRecords | None:
    records = None
    next_number = 0
    for line_number, line in enumerate(lines, 1):
        record = _parse_line(line)
        if record is None:
            raise _bad_resume_file(f"line {line_number} of {path} is no record that `send --unconfirmed` wrote")
        number, room, user, input_id, text, log = record
        if records is None:
            records = UnconfirmedRecords(room, user, input_id, log)
        if (room, user, input_id, log) != (records.room, records.user, records.input_id, records.log):
            raise _bad_resume_file(
                f"line {line_number} of {path} has another room, user, sender or log than those before: send each by itself"
            )
        if number < next_number:
            raise _bad_resume_file(
                f"line {line_number} of {path} has number {number} after {next_number - 1}: numbers must increase"
            )
        if number == next_number:
            records.runs[-1][1].append(text)
        else:
            records.runs.append((number, [text]))
        next_number = number + 1
    return records


def _parse_line(line: str) -> tuple[int, str, str, str, str, str] | None:
    """Number, room, user, sender, text and log."""
    try:
        record: Any = json.loads(line)
        number, *values = (record[name] for name in ("number", "room", "user", "sender", "text"))
        values.append(record.get("log", ""))
        "".join(values).encode()
    except (ValueError, TypeError, KeyError, RecursionError):  # no JSON, no strings, no UTF-8, or brackets without end
        return None
    if type(number) is not int or not 1 <= number <= MAX_NUMBER:
        return None
    room, user, input_id, text, log = values
    return number, room, user, input_id, text, log


def _bad_resume_file(text: str) -> typer.BadParameter:
    return typer.BadParameter(text, param_hint="'--resume'")
