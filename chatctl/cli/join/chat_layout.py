"""The parts of the main screen and where they are."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from chatctl.cli.join.composer import Composer
from chatctl.cli.join.message_view import MessageView
from chatctl.cli.join.sidebar import Sidebar
from chatctl.cli.join.status_bar import Bar
from chatctl.cli.terminal.colours import UserColours
from chatctl.cli.terminal.escape import escape_text
from chatctl.compat.textual_drawing import PacedScreen

MIN_SIDEBAR_COLUMNS = 60  # a narrower screen has no sidebar


class ChatLayout(PacedScreen[None]):
    """A sidebar; beside it a header, messages, a hint and the input; below them the status line."""

    # A narrower screen shows the left part: Textual cannot wrap to zero columns.
    CSS = """
    Horizontal { height: 1fr; min-width: 10; }
    Sidebar { width: 20; height: 100%; padding: 0 1; background: $surface; }
    #header, #status { height: 1; padding: 0 2 0 1; background: $surface; }
    #hint { height: auto; max-height: 4; padding: 0 2 0 1; color: $text-warning; display: none; }
    Composer:nocolor .text-area--cursor, Composer:nocolor .text-area--selection { text-style: reverse; }
    """

    def __init__(self, composer: Composer) -> None:
        super().__init__()
        self.composer = composer
        colours = UserColours()
        self.message_view, self.sidebar = MessageView(colours), Sidebar(colours)
        self.header, self.status = Bar("header"), Bar("status")
        self._hint = Static(id="hint", markup=False)
        self._sidebar_enabled = True

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self.sidebar
            with Vertical():
                yield self.header
                yield self.message_view
                yield self._hint
                yield self.composer
        yield self.status

    def on_resize(self) -> None:
        self.sidebar.display = self._sidebar_enabled and self.size.width >= MIN_SIDEBAR_COLUMNS
        self.call_after_refresh(self.draw_bars)

    def toggle_sidebar(self) -> None:
        """Show the sidebar, or hide it."""
        self._sidebar_enabled = not self._sidebar_enabled
        self.on_resize()

    def set_hint(self, text: str) -> None:
        """Show a hint above the input, or none."""
        self._hint.update(escape_text(text))
        self._hint.display = bool(text)

    def draw_bars(self) -> None:
        """Update the sidebar, the header and the status line. Called when their sizes change, too."""
