"""The header above the messages and the status line below the input."""

from rich.text import Text
from textual.widgets import Static

from chatctl.cli.join.room import Room
from chatctl.cli.join.session import Session
from chatctl.cli.terminal.escape import escape_name, escape_text


class Bar(Static):
    """A widget of fixed size. It draws only a text that has changed: each drawing delays the next key."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 -- Textual's name for it
        super().__init__(id=id, markup=False)
        self._shown_text: Text | None = None

    def set_text(self, text: Text) -> None:
        """Show a text."""
        if text != self._shown_text:
            self._shown_text = text
            self.update(text, layout=False)


def header_text(session: Session, room: Room) -> Text:
    """Return the room and its number of users, after the search if there is one."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if session.search:
        text.append("search ", style="dim").append(f'"{escape_text(session.search.needle)}"', style="bold")
        text.append(" (Esc closes) in ", style="dim")
    text.append(escape_name(room.name), style="" if session.search else "bold")
    if presence := session.presence.get(room.name):
        text.append(f"  {presence.num_users:,} here", style="dim")
    return text


def status_text(session: Session, lines_below: int) -> Text:
    """Return the status line, most important part first. `lines_below` is the number of lines below the screen."""
    text = Text(no_wrap=True, overflow="ellipsis")
    connecting = "reconnecting" if session.server_seen else "connecting"
    if session.last_error:
        text.append(f"{connecting}: {escape_text(session.last_error.message)}", style="bold")
    else:
        text.append("connected" if session.server_seen else connecting)
    parts = ["F1 help", f"{escape_name(session.user)} at {session.server}"]
    if session.latency is not None:
        parts.append(f"{session.latency * 1000:.0f} ms")
    if lines_below:
        parts.insert(0, f"{lines_below:,} newer below (Ctrl+End)")
    if unread := sum(room.unread for room in session.rooms.values()):
        parts.insert(0, f"{unread:,} unread (Alt+A)")
    return text.append("".join(f"  ·  {part}" for part in parts))
