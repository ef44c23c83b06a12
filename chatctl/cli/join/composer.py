"""The input line of the room."""

from collections.abc import Callable

from textual.message import Message
from textual.widgets import TextArea


def _nothing(_word: str, _at_start: bool) -> list[str]:
    return []


class Composer(TextArea):
    """Where a message is written. `complete` gives for the word before the cursor, and whether the text begins with it, what
    Tab may put in its place, whole and with whatever should follow (": " or a space)."""

    class Submitted(Message):
        """A text is to be sent. It may hold newlines."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, complete: Callable[[str, bool], list[str]] = _nothing, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, compact=True)
        self.complete = complete
