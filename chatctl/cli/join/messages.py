"""The messages of a room."""

from textual.message import Message
from textual.widget import Widget

from chatctl.cli.join.lines import Source


class Messages(Widget):
    """Shows the lines of a source, the newest at the bottom."""

    class WantOlder(Message):
        """The user has scrolled near the oldest line held. It may come again before anything is loaded."""

    class Moved(Message):
        """`at_end` or `newer` is another than when the screen was last drawn."""

    def show(self, source: Source, needle: str = "") -> None:
        """Switch to a room or a search, whose `needle` is highlighted."""

    def changed(self) -> None:
        """The source has new, older or fewer lines: they are drawn soon. Many calls cost one drawing."""

    @property
    def at_end(self) -> bool:
        """Whether it follows what comes."""
        return True

    @property
    def newer(self) -> int:
        """How many lines of the source are below the screen."""
        return 0

    def action_page_up(self) -> None:
        """A screen towards the oldest."""

    def action_page_down(self) -> None:
        """A screen towards the newest."""

    def action_line_up(self) -> None:
        """A row towards the oldest."""

    def action_line_down(self) -> None:
        """A row towards the newest."""

    def action_oldest(self) -> None:
        """To the oldest line held."""

    def action_newest(self) -> None:
        """To the end, following what comes."""
