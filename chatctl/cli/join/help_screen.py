"""The help screen: keys and slash commands."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from chatctl.cli.join.command_runner import COMMANDS
from chatctl.compat.textual_drawing import PacedScreen

KEYS = (
    ("Enter", "send the message"),
    ("Alt+Enter, Ctrl+J", "start a new line in the message"),
    ("Tab", "complete a command, user or room; again: the next match"),
    ("Up, Down", "recall earlier messages"),
    ("PageUp, PageDown, wheel", "scroll; older messages load automatically"),
    ("Shift+Up, Shift+Down", "scroll by a line"),
    ("Ctrl+Home, Ctrl+End", "go to the oldest loaded message, to the newest one"),
    ("Ctrl+N, Ctrl+P", "go to the next, to the previous room (Alt+Down, Alt+Up)"),
    ("Alt+1 to Alt+9", "go to the first to ninth room"),
    ("Alt+A", "go to the next room with unread messages"),
    ("Esc", "close a search, or this help"),
    ("F2", "hide or show the sidebar; without it, Shift and the mouse select messages to copy in most terminals"),
    ("Ctrl+U, Ctrl+W, Ctrl+Z", "delete to the start, delete a word, undo"),
    ("Ctrl+T", "switch between dark and light"),
    ("Ctrl+D", "quit, if the input is empty"),
    ("Ctrl+C", "quit"),
)


class HelpScreen(PacedScreen[None], ModalScreen[None]):
    """Lists all keys and commands."""

    CSS = """
    HelpScreen { align: center middle; }
    VerticalScroll { width: 100%; min-width: 10; max-width: 84; height: 100%; max-height: 32; }
    VerticalScroll { padding: 1 2; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q,enter", "close"),
        Binding("ctrl+c", "app.interrupt"),
        Binding("ctrl+t", "app.toggle_theme"),
    ]

    def compose(self) -> ComposeResult:
        table = Table.grid(padding=(0, 2))
        for key, description in KEYS:
            table.add_row(Text(key, style="bold"), description)
        table.add_row("", "")
        for command in COMMANDS:
            table.add_row(Text(f"/{command.name} {command.arguments}", style="bold"), command.help)
        table.add_row(Text("//text", style="bold"), "send /text")
        with VerticalScroll():
            yield Static(table)

    def action_close(self) -> None:
        """Return to the room."""
        self.dismiss()
