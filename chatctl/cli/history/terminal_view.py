"""The view of `history` at a terminal: a colour for each user, a line for each new day, and wrapped texts."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from chatctl.cli.terminal import times
from chatctl.cli.terminal.colours import USER_COLOURS_8, USER_COLOURS_256, UserColours, has_256_colours
from chatctl.cli.terminal.escape import escape_name, escape_text
from chatctl.cli.terminal.styling import is_styled, terminal_columns
from chatctl.cli.terminal.wrap import pad_text, terminal_cells, wrap_text

if TYPE_CHECKING:
    from chatctl.client import HistoryPage
    from chatctl.model.messages import Run

TIME_COLUMNS = 8
MIN_TEXT_COLUMNS = 24  # if texts would get fewer, another part of the line is left out
MIN_ROOM_COLUMNS, MIN_USER_COLUMNS, MAX_NAME_COLUMNS = 6, 8, 20
NAME_REPEAT_MESSAGES, NAME_REPEAT_SECONDS = 20, 300  # a user's name is repeated after that
GAP = "  "


class _ColumnWidths(NamedTuple):
    """The widths of the columns; 0 means that the column is left out. Without a user column, names are above their texts."""

    number: int
    room: int
    user: int
    text: int


def _column_widths(columns: int, number: int, room: int, user: int) -> _ColumnWidths:
    """Divide a line between the columns that need these widths, and the text."""
    text = columns - TIME_COLUMNS - sum(width + len(GAP) for width in (room, user) if width) - len(GAP)
    if text - number - len(GAP) >= MIN_TEXT_COLUMNS:
        return _ColumnWidths(number, room, user, text - number - len(GAP))
    if text >= MIN_TEXT_COLUMNS:
        return _ColumnWidths(0, room, user, text)
    return _ColumnWidths(0, 0, 0, max(columns - len(GAP), 2))


class TerminalPrinter:
    """A Printer that prints each page at once."""

    for_people = True

    def __init__(self, several_rooms: bool, utc: bool) -> None:
        """`several_rooms`: messages may be from more than one room, so each shows its room."""
        self._several_rooms = several_rooms
        self._utc = utc
        self._style = _AnsiStyle()
        self._day = ""
        self._shown_names = ("", "")  # the last room and user that were shown
        self._names_shown_at, self._messages_since_names = 0, 0
        self._widths = (1, MIN_ROOM_COLUMNS if several_rooms else 0, MIN_USER_COLUMNS)  # needed so far: number, room, user

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
        pass  # nothing is held back

    def finish(self) -> None:
        pass

    def _widen_columns(self, runs: "list[Run]", columns: int) -> None:
        """Make the columns wide enough for all names, up to a limit. Longer names take more lines."""
        max_width = max(MIN_USER_COLUMNS, min(MAX_NAME_COLUMNS, columns // 6))
        number, room, user = self._widths
        for run in runs:
            number = max(number, len(str(run.sequence + len(run.texts) - 1)))
            room = max(room, min(terminal_cells(escape_name(run.room)), max_width)) if room else 0
            user = max(user, min(terminal_cells(escape_name(run.user)), max_width))
        self._widths = number, room, user

    def _run_lines(self, run: "Run", columns: int, layout: _ColumnWidths) -> Iterator[str]:
        moment = times.display_moment(run.time, self._utc)
        day, time = f"{moment:%a %Y-%m-%d} {_utc_offset(moment)}", f"{moment:%H:%M:%S}"
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
                details = f" · {room} · {time}" if room else f" · {time}"
                yield from self._name_lines(user, details, name_template, columns)
            yield from (GAP + line for line in _wrap_message(text, layout.text))

    def _can_omit_names(self, names: tuple[str, str], time: int) -> bool:
        """Return whether the room and user were shown recently and are the same."""
        self._messages_since_names += 1
        recently_shown = (
            self._messages_since_names < NAME_REPEAT_MESSAGES
            and time - self._names_shown_at < NAME_REPEAT_SECONDS * 1_000_000
        )
        if recently_shown and self._shown_names == names:
            return True
        self._shown_names, self._names_shown_at, self._messages_since_names = names, time, 0
        return False

    def _name_lines(self, user: str, details: str, name_template: str, columns: int) -> Iterator[str]:
        """Yield the lines above a text, for a terminal that is too narrow for columns."""
        if terminal_cells(user + details) > columns:
            yield from wrap_text(user + details, columns)
        else:
            yield name_template.replace("{}", user) + self._style.dim(details)

    def _message_lines(
        self, head: str, room: str, user: str, text: str, name_template: str, layout: _ColumnWidths
    ) -> Iterator[str]:
        """Yield the lines of a message; each wrapped part stays in its column."""
        blank = " " * (TIME_COLUMNS + (layout.number + len(GAP) if layout.number else 0))
        rooms = wrap_text(room, layout.room) if layout.room else []
        parts = zip_longest(rooms, wrap_text(user, layout.user), _wrap_message(text, layout.text), fillvalue="")
        for room_part, user_part, text_part in parts:
            place = GAP + self._style.dim(pad_text(room_part, layout.room)) if layout.room else ""
            styled = name_template.replace("{}", user_part) if user_part else ""
            name = styled + " " * (layout.user - terminal_cells(user_part))
            yield f"{head}{place}{GAP}{name}{GAP}{text_part}".rstrip()
            head = blank


def _wrap_message(text: str, width: int) -> list[str]:
    """Return the wrapped lines of a text, without empty lines at its end."""
    return [row for line in text.rstrip("\n").split("\n") for row in wrap_text(escape_text(line), width)]


def _utc_offset(moment: datetime) -> str:
    return "UTC" if moment.tzinfo is UTC else f"{moment:%z}"[:3] + ":" + f"{moment:%z}"[3:]


class _AnsiStyle:
    """The escape sequences for stdout; none if colours are off."""

    def __init__(self) -> None:
        self._enabled = is_styled(sys.stdout)
        self._user_codes = (
            [f"38;5;{code}" for code in USER_COLOURS_256] if has_256_colours() else [str(code) for code in USER_COLOURS_8]
        )
        self._user_colours = UserColours(len(self._user_codes))

    def dim(self, text: str) -> str:
        """Return the text in a faint colour."""
        return f"\x1b[2m{text}\x1b[22m" if self._enabled and text.strip() else text

    def user_template(self, user: str) -> str:
        """Return a template in the user's colour; {} stands for the name."""
        return f"\x1b[1;{self._user_codes[self._user_colours.index(user)]}m{{}}\x1b[0m" if self._enabled else "{}"
