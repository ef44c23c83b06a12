"""`history` at a terminal: a colour for each user, dates where they change, texts wrapped under each other."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from chatctl.cli.terminal.colours import USER_COLOURS_8, USER_COLOURS_256, UserColours, colours_enabled, has_256_colours
from chatctl.cli.terminal.escape import escape_name, escape_text
from chatctl.cli.terminal.messages import say
from chatctl.cli.terminal.screen import terminal_columns
from chatctl.cli.terminal.wrap import pad_text, terminal_cells, wrap_text

if TYPE_CHECKING:
    from chatctl.client import HistoryPage
    from chatctl.model.messages import Run

TIME_COLUMNS, TEXT_COLUMNS = 8, 24  # with fewer for texts, something else on the line goes
ROOM_COLUMNS, USER_COLUMNS, NAME_COLUMNS = 6, 8, 20  # at least, and of either at most
NAME_REPEAT_MESSAGES, NAME_REPEAT_SECONDS = 20, 300  # for so many, and so long, a user's name is not said again
GAP = "  "


class _ColumnWidths(NamedTuple):
    """The columns of each; 0 is not there. Without a place for users, they stand above their texts."""

    number: int
    room: int
    user: int
    text: int


def _column_widths(columns: int, number: int, room: int, user: int) -> _ColumnWidths:
    """How a line of so many columns is divided between what takes so many."""
    text = columns - TIME_COLUMNS - sum(width + len(GAP) for width in (room, user) if width) - len(GAP)
    if text - number - len(GAP) >= TEXT_COLUMNS:
        return _ColumnWidths(number, room, user, text - number - len(GAP))
    if text >= TEXT_COLUMNS:
        return _ColumnWidths(0, room, user, text)
    return _ColumnWidths(0, 0, 0, max(columns - len(GAP), 2))


class TerminalPrinter:
    """Prints pages as they come and holds nothing of them; a Printer."""

    def __init__(self, several_rooms: bool, utc: bool) -> None:
        """`several_rooms`: whether there can be, so that each message has to say its own."""
        self._several_rooms = several_rooms
        self._zone = UTC if utc else None
        self._style = _AnsiStyle()
        self._day = ""
        self._shown_names = ("", "")  # the room and user that were said last,
        self._names_shown_at, self._messages_since_names = 0, 0  # when, and for how many messages
        self._widths = (1, ROOM_COLUMNS if several_rooms else 0, USER_COLUMNS)  # of all numbers, rooms and users so far

    def print_page(self, page: "HistoryPage") -> bool:
        if page.runs:
            columns = terminal_columns(sys.stdout)
            self._widen_columns(page.runs, columns)
            layout = _column_widths(columns, *self._widths)
            lines = (line for run in page.runs for line in self._run_lines(run, columns, layout))
            sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode())
            sys.stdout.buffer.flush()
        return True

    def flush(self) -> None:
        """See Printer."""

    def finish(self) -> None:
        if not self._day:
            say("no messages")

    def _widen_columns(self, runs: "list[Run]", columns: int) -> None:
        """Make place for all names, within bounds; longer ones take more lines."""
        max_width = max(USER_COLUMNS, min(NAME_COLUMNS, columns // 6))
        number, room, user = self._widths
        for run in runs:
            number = max(number, len(str(run.sequence + len(run.texts) - 1)))
            room = max(room, min(terminal_cells(escape_name(run.room)), max_width)) if room else 0
            user = max(user, min(terminal_cells(escape_name(run.user)), max_width))
        self._widths = number, room, user

    def _run_lines(self, run: "Run", columns: int, layout: _ColumnWidths) -> Iterator[str]:
        when = datetime.fromtimestamp(run.time // 1_000_000, UTC).astimezone(self._zone)
        day, time = f"{when:%a %Y-%m-%d} {_utc_offset(when)}", f"{when:%H:%M:%S}"
        if day != self._day:
            self._day, self._shown_names = day, ("", "")
            yield self._style.dim(f"── {day} ".ljust(columns, "─")[:columns])
        room, user = escape_name(run.room) if self._several_rooms else "", escape_name(run.user)
        name_template = self._style.user_template(run.user)
        for sequence, text in enumerate(run.texts, run.sequence):
            omit_names = self._can_omit_names((room, user), run.time)
            if layout.user:
                head = f"{sequence:>{layout.number}}{GAP}{time}" if layout.number else time
                names = ("", "") if omit_names else (room, user)
                yield from self._message_lines(self._style.dim(head), *names, text, name_template, layout)
                continue
            if not omit_names:
                facts = f" · {room} · {time}" if room else f" · {time}"
                *lines, last = wrap_text(user + facts, columns) if terminal_cells(user + facts) > columns else ("",)
                yield from lines
                yield last or name_template.replace("{}", user) + self._style.dim(facts)
            yield from (GAP + line for line in _wrap_message(text, layout.text))

    def _can_omit_names(self, names: tuple[str, str], time: int) -> bool:
        """Whether the names are those of the message before, and need not be said again."""
        self._messages_since_names += 1
        within_bounds = (
            self._messages_since_names < NAME_REPEAT_MESSAGES
            and time - self._names_shown_at < NAME_REPEAT_SECONDS * 1_000_000
        )
        if within_bounds and self._shown_names == names:
            return True
        self._shown_names, self._names_shown_at, self._messages_since_names = names, time, 0
        return False

    def _message_lines(
        self, head: str, room: str, user: str, text: str, name_template: str, layout: _ColumnWidths
    ) -> Iterator[str]:
        """The lines of a message, each part of it under its first line."""
        blank = " " * (TIME_COLUMNS + (layout.number + len(GAP) if layout.number else 0))
        rooms = wrap_text(room, layout.room) if layout.room else []
        parts = zip_longest(rooms, wrap_text(user, layout.user), _wrap_message(text, layout.text), fillvalue="")
        for where, who, line in parts:
            place = GAP + self._style.dim(pad_text(where, layout.room)) if layout.room else ""
            name = (name_template.replace("{}", who) if who else "") + " " * (layout.user - terminal_cells(who))
            yield f"{head}{place}{GAP}{name}{GAP}{line}".rstrip()
            head = blank


def _wrap_message(text: str, width: int) -> list[str]:
    """The lines of a text, each of them wrapped; empty ones at its end are left out."""
    return [row for line in text.rstrip("\n").split("\n") for row in wrap_text(escape_text(line), width)]


def _utc_offset(when: datetime) -> str:
    return "UTC" if when.tzinfo is UTC else f"{when:%z}"[:3] + ":" + f"{when:%z}"[3:]


class _AnsiStyle:
    """The escape sequences of this terminal, if there are to be any."""

    def __init__(self) -> None:
        self._enabled = colours_enabled(sys.stdout)
        self._user_codes = (
            [f"38;5;{code}" for code in USER_COLOURS_256] if has_256_colours() else [str(code) for code in USER_COLOURS_8]
        )
        self._user_colours = UserColours(len(self._user_codes))

    def dim(self, text: str) -> str:
        """What is there to be looked up."""
        return f"\x1b[2m{text}\x1b[22m" if self._enabled and text.strip() else text

    def user_template(self, name: str) -> str:
        """What a user's name is put into, in place of {}, so that it has their colour."""
        return f"\x1b[1;{self._user_codes[self._user_colours.index(name)]}m{{}}\x1b[0m" if self._enabled else "{}"
