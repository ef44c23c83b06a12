"""The sidebar: the rooms, what is unread in them, and who is here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.events import Click
from textual.message import Message

from chatctl.cli.join.room import Room
from chatctl.cli.join.status_bar import Bar
from chatctl.cli.terminal import colours
from chatctl.cli.terminal.escape import escape_name

if TYPE_CHECKING:
    from chatctl.model.stats import RoomPresence


class Sidebar(Bar):
    """A line for each room and each user, as many as there is space for; the current room is always among them."""

    class RoomSelected(Message):
        """A room was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.room_name = name

    def __init__(self) -> None:
        super().__init__()
        self._shown_rooms: list[str] = []

    def set_rooms(self, rooms: Sequence[Room], current: Room, presence: "RoomPresence | None", user: str) -> None:
        """Show these, as they are now."""
        width, height = self.content_size.width, self.content_size.height
        users = presence.users if presence else []
        current_index = rooms.index(current)
        space = max(1, min(len(rooms), height - min(len(users), height // 2) - 2))
        first = max(0, min(current_index - space // 2, len(rooms) - space))
        self._shown_rooms = [room.name for room in rooms[first : first + space]]
        lines = [_room_line(room, room is current, width) for room in rooms[first : first + space]]
        user_rows = height - len(lines) - 2
        shown_users = (
            users if len(users) <= user_rows and len(users) == _user_count(presence) else users[: max(0, user_rows - 1)]
        )
        dark = self.app.current_theme.dark
        lines += [Text(), Text("here" if users else "", style="dim")]
        for name in shown_users:
            you = " (you)" if name == user else ""
            lines.append(Text(_fit_name(escape_name(name), width - len(you)).rstrip(), style=colours.user_style(name, dark)))
            lines[-1].append(you, style="dim")
        if len(shown_users) < _user_count(presence):
            lines.append(Text(f"and {_user_count(presence) - len(shown_users):,} more", style="dim"))
        self.set_text(Text("\n", no_wrap=True).join(lines))

    def on_click(self, event: Click) -> None:
        """Go to the room that was clicked."""
        offset = event.get_content_offset(self)
        if offset and offset.y < len(self._shown_rooms):
            self.post_message(self.RoomSelected(self._shown_rooms[offset.y]))


def _user_count(presence: "RoomPresence | None") -> int:
    return presence.num_users if presence else 0


def _room_line(room: Room, current: bool, width: int) -> Text:
    """The room's line: its name, and at the right what is unread, with @ if somebody mentions the user."""
    unread = f"{room.unread:,}" if room.unread < 10_000 else "9,999+"
    mark = f" {'@' if room.unread_mentions else ''}{unread}" if room.unread else ""
    text = Text(_fit_name(escape_name(room.name), width - cell_len(mark)), style="reverse" if current else "")
    text.append(mark, style="bold")
    if room.unread:
        text.stylize("bold")
    return text


def _fit_name(name: str, width: int) -> str:
    """The name in exactly so many columns."""
    return set_cell_size(name, width) if cell_len(name) <= width else set_cell_size(name, max(0, width - 1)) + "…"
