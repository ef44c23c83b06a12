"""What NO_COLOR and --no-color leave of the full screen's styles."""

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_PLAIN, _REVERSE = Style.null(), Style(reverse=True)


class PlainFilter(LineFilter):
    """Removes colours and attributes. Only reverse remains: the cursor, the selection and the current room need it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text, _REVERSE if style and style.reverse else _PLAIN) for text, style, _ in segments]
