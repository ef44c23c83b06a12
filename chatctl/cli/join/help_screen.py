"""The help screen."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from chatctl.cli.join.slash_commands import COMMANDS, KEYS


class HelpScreen(ModalScreen[None]):
    """All keys and commands."""

    CSS = """
    HelpScreen { align: center middle; }
    VerticalScroll { width: 100%; max-width: 84; height: 100%; max-height: 32; padding: 1 2; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q,enter", "leave"),
        Binding("ctrl+c", "app.interrupt"),
        Binding("ctrl+t", "app.theme"),
    ]

    def compose(self) -> ComposeResult:
        """One table."""
        table = Table.grid(padding=(0, 2))
        for key, description in KEYS:
            table.add_row(Text(key, style="bold"), description)
        table.add_row("", "")
        for command in COMMANDS:
            table.add_row(Text(f"/{command.name} {command.arguments}", style="bold"), command.help)
        table.add_row(Text("//text", style="bold"), "send /text")
        with VerticalScroll():
            yield Static(table)

    def action_leave(self) -> None:
        """Back to the room."""
        self.dismiss()
