"""`history` at a terminal: a colour for each user, dates where they change, texts wrapped under each other."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from chatctl.cli.formats import colours, hue, say, terminal_columns, visible, visible_name
from chatctl.cli.render.wrapping import cells, padded, wrapped

if TYPE_CHECKING:
    from chatctl.client import HistoryPage
    from chatctl.log import Run

# Of the 256 colours, which no theme changes, those with a contrast of 3.8 or more both to black and to white; else of the 8.
# As many and in the same order as those of `join`.
USERS_256 = (160, 166, 130, 100, 28, 29, 30, 31, 27, 99, 134, 162)
USERS_8 = (31, 32, 35, 36)
TIME_COLUMNS, TEXT_COLUMNS = 8, 24  # with fewer for texts, something else on the line goes
ROOM_COLUMNS, USER_COLUMNS, NAME_COLUMNS = 6, 8, 20  # at least, and of either at most
CALM_MESSAGES, CALM_SECONDS = 20, 300  # for so many, and so long, a user's name is not said again
GAP = "  "


class _Layout(NamedTuple):
    """The columns of each; 0 is not there. Without a place for users, they stand above their texts."""

    number: int
    room: int
    user: int
    text: int


def _layout(columns: int, number: int, room: int, user: int) -> _Layout:
    """How a line of so many columns is divided between what takes so many."""
    text = columns - TIME_COLUMNS - sum(width + len(GAP) for width in (room, user) if width) - len(GAP)
    if text - number - len(GAP) >= TEXT_COLUMNS:
        return _Layout(number, room, user, text - number - len(GAP))
    if text >= TEXT_COLUMNS:
        return _Layout(0, room, user, text)
    return _Layout(0, 0, 0, max(columns - len(GAP), 2))


class Conversation:
    """Prints pages as they come and holds nothing of them; a Printer."""

    def __init__(self, several_rooms: bool, utc: bool) -> None:
        """`several_rooms`: whether there can be, so that each message has to say its own."""
        self._several_rooms = several_rooms
        self._zone = UTC if utc else None
        self._style = _Style()
        self._day = ""
        self._names = ("", "")  # the room and user that were said last,
        self._said_at, self._unsaid = 0, 0  # when, and for how many messages
        self._widths = (1, ROOM_COLUMNS if several_rooms else 0, USER_COLUMNS)  # of all numbers, rooms and users so far

    def show(self, page: "HistoryPage") -> bool:
        """See Printer."""
        if page.runs:
            columns = terminal_columns(sys.stdout)
            self._measure(page.runs, columns)
            layout = _layout(columns, *self._widths)
            lines = (line for run in page.runs for line in self._lines(run, columns, layout))
            sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode())
            sys.stdout.buffer.flush()
        return True

    def settle(self) -> None:
        """See Printer."""

    def end(self) -> None:
        """See Printer."""
        if not self._day:
            say("no messages")

    def _measure(self, runs: "list[Run]", columns: int) -> None:
        """Make place for all names, within bounds; longer ones take more lines."""
        most = max(USER_COLUMNS, min(NAME_COLUMNS, columns // 6))
        number, room, user = self._widths
        for run in runs:
            number = max(number, len(str(run.sequence + len(run.texts) - 1)))
            room = max(room, min(cells(visible_name(run.room)), most)) if room else 0
            user = max(user, min(cells(visible_name(run.user)), most))
        self._widths = number, room, user

    def _lines(self, run: "Run", columns: int, layout: _Layout) -> Iterator[str]:
        when = datetime.fromtimestamp(run.time // 1_000_000, UTC).astimezone(self._zone)
        day, time = f"{when:%a %Y-%m-%d} {_offset(when)}", f"{when:%H:%M:%S}"
        if day != self._day:
            self._day, self._names = day, ("", "")
            yield self._style.dim(f"── {day} ".ljust(columns, "─")[:columns])
        room, user = visible_name(run.room) if self._several_rooms else "", visible_name(run.user)
        paint = self._style.user(run.user)
        for sequence, text in enumerate(run.texts, run.sequence):
            calm = self._is_calm((room, user), run.time)
            if layout.user:
                head = f"{sequence:>{layout.number}}{GAP}{time}" if layout.number else time
                names = ("", "") if calm else (room, user)
                yield from self._message(self._style.dim(head), *names, text, paint, layout)
                continue
            if not calm:
                facts = f" · {room} · {time}" if room else f" · {time}"
                *lines, last = wrapped(user + facts, columns) if cells(user + facts) > columns else ("",)
                yield from lines
                yield last or paint.replace("{}", user) + self._style.dim(facts)
            yield from (GAP + line for line in _wrapped(text, layout.text))

    def _is_calm(self, names: tuple[str, str], time: int) -> bool:
        """Whether the names are those of the message before, and need not be said again."""
        self._unsaid += 1
        calm = self._unsaid < CALM_MESSAGES and time - self._said_at < CALM_SECONDS * 1_000_000
        if calm and self._names == names:
            return True
        self._names, self._said_at, self._unsaid = names, time, 0
        return False

    def _message(self, head: str, room: str, user: str, text: str, paint: str, layout: _Layout) -> Iterator[str]:
        """The lines of a message, each part of it under its first line."""
        blank = " " * (TIME_COLUMNS + (layout.number + len(GAP) if layout.number else 0))
        rooms = wrapped(room, layout.room) if layout.room else []
        parts = zip_longest(rooms, wrapped(user, layout.user), _wrapped(text, layout.text), fillvalue="")
        for where, who, line in parts:
            place = GAP + self._style.dim(padded(where, layout.room)) if layout.room else ""
            name = (paint.replace("{}", who) if who else "") + " " * (layout.user - cells(who))
            yield f"{head}{place}{GAP}{name}{GAP}{line}".rstrip()
            head = blank


def _wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, each of them wrapped; empty ones at its end are left out."""
    return [row for line in text.rstrip("\n").split("\n") for row in wrapped(visible(line), width)]


def _offset(when: datetime) -> str:
    return "UTC" if when.tzinfo is UTC else f"{when:%z}"[:3] + ":" + f"{when:%z}"[3:]


class _Style:
    """The escape sequences of this terminal, if there are to be any."""

    def __init__(self) -> None:
        self._on = colours(sys.stdout)
        many = "256" in os.environ.get("TERM", "") or "COLORTERM" in os.environ
        self._users = [f"38;5;{code}" for code in USERS_256] if many else [str(code) for code in USERS_8]

    def dim(self, text: str) -> str:
        """What is there to be looked up."""
        return f"\x1b[2m{text}\x1b[22m" if self._on and text.strip() else text

    def user(self, name: str) -> str:
        """What a user's name is put into, in place of {}, so that it has their colour."""
        return f"\x1b[1;{self._users[hue(name, len(self._users))]}m{{}}\x1b[0m" if self._on else "{}"
