"""The sidebar: the rooms with their unread messages, and the users in the current room."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.events import Click
from textual.message import Message

from chatctl.cli.join.room import Room
from chatctl.cli.join.status_bar import Bar
from chatctl.cli.terminal.colours import UserColours
from chatctl.cli.terminal.escape import escape_name
from chatctl.model.stats import RoomPresence


class Sidebar(Bar):
    """Shows a line for each room and for each user, as many as fit. The current room is always shown."""

    class RoomSelected(Message):
        """A room was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.room_name = name

    def __init__(self, colours: UserColours) -> None:
        """`colours` are shared with the messages, so that a user has the same colour in both."""
        super().__init__()
        self._colours = colours
        self._shown_rooms: list[str] = []

    def set_rooms(self, rooms: Sequence[Room], current: Room, presence: RoomPresence | None, user: str) -> None:
        """Show these rooms, and the users in the current room."""
        width, height = self.content_size.width, self.content_size.height
        users = presence.users if presence else []
        space = max(1, min(len(rooms), height - min(len(users), height // 2) - 2))
        first = max(0, min(rooms.index(current) - space // 2, len(rooms) - space))
        shown_rooms = rooms[first : first + space]
        self._shown_rooms = [room.name for room in shown_rooms]
        lines = [_room_line(room, room is current, width) for room in shown_rooms]
        lines += [Text(), Text("here" if users else "", style="dim")]
        lines += self._user_lines(presence, user, height - len(lines), width)
        self.set_text(Text("\n", no_wrap=True).join(lines))

    def _user_lines(self, presence: RoomPresence | None, user: str, rows: int, width: int) -> list[Text]:
        """Return the lines of the users; if not all fit in `rows` lines, the last line is the number of the others."""
        users, count = (presence.users, presence.num_users) if presence else ([], 0)
        shown_users = users if len(users) == count <= rows else users[: max(0, rows - 1)]
        lines = []
        for name in shown_users:
            you = " (you)" if name == user else ""
            style = self._colours.style(name, self.app.current_theme.dark)
            lines.append(Text(_fit_name(escape_name(name), width - len(you)).rstrip(), style=style).append(you, style="dim"))
        if len(shown_users) < count:
            lines.append(Text(f"and {count - len(shown_users):,} more", style="dim"))
        return lines

    def on_click(self, event: Click) -> None:
        """Select the room that was clicked."""
        offset = event.get_content_offset(self)
        if offset and offset.y < len(self._shown_rooms):
            self.post_message(self.RoomSelected(self._shown_rooms[offset.y]))


def _room_line(room: Room, current: bool, width: int) -> Text:
    """Draw a room: its name and, at the right, the number of unread messages, with @ if one mentions the user."""
    unread = f"{room.unread:,}" if room.unread < 10_000 else "9,999+"
    mark = f" {'@' if room.unread_mentions else ''}{unread}" if room.unread else ""
    text = Text(_fit_name(escape_name(room.name), width - cell_len(mark)), style="reverse" if current else "")
    text.append(mark, style="bold")
    if room.unread:
        text.stylize("bold")
    return text


def _fit_name(name: str, width: int) -> str:
    """Return the name in exactly `width` columns."""
    return set_cell_size(name, width) if cell_len(name) <= width else set_cell_size(name, max(0, width - 1)) + "…"
