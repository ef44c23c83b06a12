"""The sidebar: the rooms, what is unread in them, and who is here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.events import Click
from textual.message import Message

from chatctl.cli.formats import visible_name
from chatctl.cli.join import palette
from chatctl.cli.join.bars import Bar
from chatctl.cli.join.room import Room

if TYPE_CHECKING:
    from chatctl.presence import Present


class Sidebar(Bar):
    """A line for each room and each user, as many as there is space for; the current room is always among them."""

    class Chosen(Message):
        """A room was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[str] = []

    def tell(self, rooms: Sequence[Room], current: Room, here: "Present | None", user: str) -> None:
        """Show these, as they are now."""
        width, height = self.content_size.width, self.content_size.height
        users = here.users if here else []
        at = rooms.index(current)
        space = max(1, min(len(rooms), height - min(len(users), height // 2) - 2))
        first = max(0, min(at - space // 2, len(rooms) - space))
        self._shown = [room.name for room in rooms[first : first + space]]
        lines = [_room(room, room is current, width) for room in rooms[first : first + space]]
        left = height - len(lines) - 2
        fitting = users if len(users) <= left and len(users) == _count(here) else users[: max(0, left - 1)]
        dark = self.app.current_theme.dark
        lines += [Text(), Text("here" if users else "", style="dim")]
        for name in fitting:
            you = " (you)" if name == user else ""
            lines.append(Text(_fitted(visible_name(name), width - len(you)).rstrip(), style=palette.of_user(name, dark)))
            lines[-1].append(you, style="dim")
        if len(fitting) < _count(here):
            lines.append(Text(f"and {_count(here) - len(fitting):,} more", style="dim"))
        self.say(Text("\n", no_wrap=True).join(lines))

    def on_click(self, event: Click) -> None:
        """Go to the room that was clicked."""
        offset = event.get_content_offset(self)
        if offset and offset.y < len(self._shown):
            self.post_message(self.Chosen(self._shown[offset.y]))


def _count(here: "Present | None") -> int:
    return here.num_users if here else 0


def _room(room: Room, current: bool, width: int) -> Text:
    """The room's line: its name, and at the right what is unread, with @ if somebody mentions the user."""
    unread = f"{room.unread:,}" if room.unread < 10_000 else "9,999+"
    mark = f" {'@' if room.mentions else ''}{unread}" if room.unread else ""
    text = Text(_fitted(visible_name(room.name), width - cell_len(mark)), style="reverse" if current else "")
    text.append(mark, style="bold")
    if room.unread:
        text.stylize("bold")
    return text


def _fitted(name: str, width: int) -> str:
    """The name in exactly so many columns."""
    return set_cell_size(name, width) if cell_len(name) <= width else set_cell_size(name, max(0, width - 1)) + "…"
