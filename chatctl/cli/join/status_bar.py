"""What stands around the messages: the line above them, the one below the input, and how such a thing is drawn."""

import re

from rich.text import Text
from textual.widgets import Static

from chatctl.cli.join.room import Room
from chatctl.cli.join.session import Session
from chatctl.cli.terminal.escape import escape_name, escape_text
from chatctl.errors import ChatError


class Bar(Static):
    """Something of a fixed size. It is drawn only if it is another than before: all else costs time that a key waits for."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 -- Textual's name for it
        super().__init__(id=id, markup=False)
        self._shown_text: Text | None = None

    def set_text(self, text: Text) -> None:
        """Show this."""
        if text != self._shown_text:
            self._shown_text = text
            self.update(text, layout=False)


def header_text(session: Session, room: Room) -> Text:
    """The room, and who is there; or what was searched in it."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if session.search:
        text.append("search ", style="dim").append(f'"{escape_text(session.search.needle)}"', style="bold")
        text.append(" (Esc leaves) in ", style="dim")
    text.append(escape_name(room.name), style="" if session.search else "bold")
    if presence := session.presence.get(room.name):
        text.append(f"  {presence.num_users:,} here", style="dim")
    return text


def summary(error: ChatError) -> str:
    """What an error says first, without what gRPC has to say and without advice."""
    return re.split(r" \(|: |; ", str(error))[0]


def status_text(session: Session, lines_below: int) -> Text:
    """The connection, and what there is to know; `lines_below` lines are below the screen. What matters most comes first."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if session.last_error:
        text.append(
            f"{'reconnecting' if session.server_seen else 'connecting'}: {escape_text(summary(session.last_error))}",
            style="bold",
        )
    else:
        text.append("connected" if session.server_seen else "connecting")
    parts = ["F1 help", f"{escape_name(session.user)} at {session.server}"]
    if session.latency is not None:
        parts.append(f"{session.latency * 1000:.0f} ms")
    if lines_below:
        parts.insert(0, f"{lines_below:,} newer below (Ctrl+End)")
    if unread := sum(room.unread for room in session.rooms.values()):
        parts.insert(0, f"{unread:,} unread (Alt+A)")
    return text.append("".join(f"  ·  {part}" for part in parts))
