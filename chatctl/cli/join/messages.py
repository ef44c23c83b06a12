"""The messages of a room, drawn from the bottom: only what is on the screen is wrapped, however much there is."""

from functools import partial
from time import monotonic
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from chatctl.cli.join import drawing
from chatctl.cli.join.drawing import Columns, Styles
from chatctl.cli.join.lines import Line, Source
from chatctl.cli.join.scrolling import Window, bottom
from chatctl.cli.join.wrapping import Wrapped, Wrappings

PERIOD = 1 / 20  # seconds between drawings while lines come in: a drawing takes time that a key waits for
WHEEL = 3  # rows
PARTS = ("faint", "notice", "rejected", "mention", "mark", "needle")  # those of drawing.Styles that CSS says


class Messages(Widget):
    """Shows the lines of a source, the newest at the bottom. Times are local; the text and names of others are escaped."""

    # Two columns stay empty on the right: a character that a terminal takes for wider than it is has somewhere to go.
    DEFAULT_CSS = """
    Messages { width: 1fr; height: 1fr; padding: 0 2 0 0; }
    Messages > .messages--faint { color: $foreground 55%; }
    Messages > .messages--notice { color: $foreground 70%; text-style: italic; }
    Messages > .messages--rejected { color: $text-error; }
    Messages > .messages--mention { background: $primary 30%; }
    Messages > .messages--mark { color: $warning; }
    Messages > .messages--needle { color: black; background: $warning; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"messages--{name}" for name in PARTS}
    ALLOW_SELECT = False  # what is selected would move away under the mouse; the terminal's own selection stays

    class WantOlder(Message):
        """The user has scrolled near the oldest line held. It may come again before anything is loaded."""

    class Moved(Message):
        """`at_end` or `newer` is another than when the screen was last drawn."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 -- Textual's name for it
        super().__init__(id=id)
        self._source: Source | None = None
        self._needle = ""
        self._wrap = Wrappings()
        self._strips: list[Strip] | None = None  # None: to be drawn
        self._due = False
        self._drawn = 0.0
        self._said = (True, 0)

    def show(self, source: Source, needle: str = "") -> None:
        """Switch to a room or a search, whose `needle` is highlighted."""
        self._source, self._needle = source, needle
        self._draw()

    def changed(self) -> None:
        """The source has new, older or fewer lines: they are drawn at once, or soon. Many calls cost one drawing."""
        if not self._due and self.is_running:
            self._due = True
            self.set_timer(max(self._drawn + PERIOD - monotonic(), 0.001), self._draw)

    @property
    def at_end(self) -> bool:
        """Whether it follows what comes."""
        return self._source is None or self._source.anchor is None

    @property
    def newer(self) -> int:
        """How many lines of the source are below the screen."""
        return len(self._source.lines) - 1 - bottom(self._source) if self._source else 0

    def action_page_up(self) -> None:
        """A screen towards the oldest, but for two rows."""
        self._scroll(max(self.size.height - 2, 1))

    def action_page_down(self) -> None:
        """A screen towards the newest, but for two rows."""
        self._scroll(-max(self.size.height - 2, 1))

    def action_line_up(self) -> None:
        """A row towards the oldest."""
        self._scroll(1)

    def action_line_down(self) -> None:
        """A row towards the newest."""
        self._scroll(-1)

    def action_oldest(self) -> None:
        """To the oldest line held."""
        if self._source and self._source.lines:
            self._source.anchor = self._source.lines[0].key, 0
            self._scroll(0)

    def action_newest(self) -> None:
        """To the end, following what comes."""
        if self._source:
            self._source.anchor = None
            self._draw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """See textual."""
        event.stop()
        self._scroll(WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """See textual."""
        event.stop()
        self._scroll(-WHEEL)

    def on_resize(self) -> None:
        """See textual."""
        self._draw()

    def notify_style_update(self) -> None:
        """See textual: another theme."""
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """See textual."""
        if self._strips is None or len(self._strips) != self.size.height:
            self._strips = self._rows_shown()
        return self._strips[y]

    def _draw(self) -> None:
        self._due, self._strips, self._drawn = False, None, monotonic()
        self.refresh()
        self.call_after_refresh(self._say)

    def _scroll(self, rows: int) -> None:
        source = self._source
        if source is None or not source.lines or not self.size.height:
            return
        top = self._window(source).scroll(rows).top
        self._draw()
        if rows >= 0 and top < self.size.height:
            self.post_message(self.WantOlder())

    def _window(self, source: Source) -> Window:
        return Window(source, partial(self._height, source), self.size.height)

    def _columns(self) -> Columns:
        return Columns.of(self.size.width)

    def _wrapped(self, line: Line) -> Wrapped:
        return self._wrap(line.text, self._columns().text)

    def _dated(self, source: Source, index: int) -> bool:
        """Whether a line is the first of its day."""
        return index == 0 or drawing.day(source.lines[index].time) != drawing.day(source.lines[index - 1].time)

    def _height(self, source: Source, index: int) -> int:
        return len(self._wrapped(source.lines[index]).starts) + self._dated(source, index)

    def _rows_shown(self) -> list[Strip]:
        height, styles = self.size.height, self._styles()
        blank = Strip.blank(self.size.width, styles.base)
        source = self._source
        if source is None or not source.lines or not height:
            return [blank] * height
        top, last, skip = self._window(source).look()
        shown: list[Strip] = []
        for index in range(top, last + 1):
            shown += self._block(source, index, skip, height - len(shown), styles)
            skip = 0
        return [blank] * (height - len(shown)) + shown

    def _block(self, source: Source, index: int, skip: int, most: int, styles: Styles) -> list[Strip]:
        """The rows of a line that are on the screen: without the first `skip`, and at most so many."""
        line, before = source.lines[index], source.lines[index - 1] if index else None
        columns, wrapped = self._columns(), self._wrapped(line)
        dated = self._dated(source, index)
        strips = [drawing.date(line.time, columns, styles)] if dated and not skip else []
        first = max(skip - dated, 0)
        for number in range(first, min(len(wrapped.starts), first + most - len(strips))):
            edge = most == self.size.height and number == first  # who reads from the upper edge must see whose it is
            fresh = number == 0 and (dated or drawing.named(line, before))
            heads = edge or fresh or (number == 0 and drawing.timed(line, before)), edge or fresh
            strips.append(drawing.row(line, wrapped, number, heads, columns, styles, self._needle))
        return strips

    def _styles(self) -> Styles:
        full = {name: self.get_component_rich_style(f"messages--{name}") for name in PARTS}
        texts = {name: Style(color=style.color, italic=style.italic) for name, style in full.items()}
        texts["mention"] = Style(bgcolor=full["mention"].bgcolor)
        texts["needle"] += Style(bgcolor=full["needle"].bgcolor)
        return Styles(base=self.rich_style, dark=self.app.current_theme.dark, **texts)

    def _say(self) -> None:
        now = self.at_end, self.newer
        if now != self._said:
            self._said = now
            self.post_message(self.Moved())
