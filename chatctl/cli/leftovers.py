"""Records without receipts, kept in a file to be sent later: a JSON object on each line, with all that identifies it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import typer

from chatctl.chat import MAX_NUMBER
from chatctl.cli import formats


@dataclass
class Leftovers:
    """Records of one room, user and sender; `runs` are consecutive texts and the number of their first."""

    room: str
    user: str
    sender: str
    runs: list[tuple[int, list[str]]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The lines of the file."""
        names = f'"room":{formats.quote(self.room)},"user":{formats.quote(self.user)},"sender":{formats.quote(self.sender)}'
        for first, texts in self.runs:
            for number, text in enumerate(texts, first):
                yield f'{{"number":{number},{names},"text":{formats.quote(text)}}}\n'


def read(path: str) -> Leftovers | None:
    """What a file holds; None if it is empty. Raises BadParameter for one that cannot be read or holds something else."""
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return _understood(path, file)
    except OSError as error:
        raise _refused(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refused(f"{path} is not UTF-8: name a file that `send --unconfirmed` wrote") from None


def _understood(path: str, lines: Iterable[str]) -> Leftovers | None:
    found = None
    due = 0
    for at, line in enumerate(lines, 1):
        record = _record(line)
        if record is None:
            raise _refused(f"line {at} of {path} is no record that `send --unconfirmed` wrote")
        number, room, user, sender, text = record
        if found is None:
            found = Leftovers(room, user, sender)
        if (room, user, sender) != (found.room, found.user, found.sender):
            raise _refused(f"line {at} of {path} has another room, user or sender than those before: send each by itself")
        if number < due:
            raise _refused(f"line {at} of {path} has number {number} after {due - 1}: numbers must increase")
        if number == due:
            found.runs[-1][1].append(text)
        else:
            found.runs.append((number, [text]))
        due = number + 1
    return found


def _record(line: str) -> tuple[int, str, str, str, str] | None:
    """Number, room, user, sender and text."""
    try:
        record: Any = json.loads(line)
        number, *rest = (record[name] for name in ("number", "room", "user", "sender", "text"))
        "".join(rest).encode()
    except (ValueError, TypeError, KeyError, RecursionError):  # no JSON, no strings, no UTF-8, or brackets without end
        return None
    if type(number) is not int or not 1 <= number <= MAX_NUMBER:
        return None
    room, user, sender, text = rest
    return number, room, user, sender, text


def _refused(text: str) -> typer.BadParameter:
    return typer.BadParameter(text, param_hint="'--resume'")
