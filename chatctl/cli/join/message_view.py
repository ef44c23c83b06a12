"""The messages of a room, drawn from the bottom: only what is on the screen is wrapped, however much there is."""

from functools import partial
from time import monotonic
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from chatctl.cli.join import row
from chatctl.cli.join.line import Line, LineSource
from chatctl.cli.join.line_wrap import WrapCache, WrappedText
from chatctl.cli.join.row import Columns, Styles
from chatctl.cli.join.viewport import Viewport, bottom_index

DRAW_INTERVAL_SECONDS = 1 / 20  # seconds between drawings while lines come in: a drawing takes time that a key waits for
WHEEL_ROWS = 3  # rows
STYLE_NAMES = ("faint", "notice", "rejected", "mention", "mark", "needle")  # those of row.Styles that CSS says


class MessageView(Widget):
    """Shows the lines of a source, the newest at the bottom. Times are local; the text and names of others are escaped."""

    # Two columns stay empty on the right: a character that a terminal takes for wider than it is has somewhere to go.
    DEFAULT_CSS = """
    MessageView { width: 1fr; height: 1fr; padding: 0 2 0 0; }
    MessageView > .message-view--faint { color: $foreground 55%; }
    MessageView > .message-view--notice { color: $foreground 70%; text-style: italic; }
    MessageView > .message-view--rejected { color: $text-error; }
    MessageView > .message-view--mention { background: $primary 30%; }
    MessageView > .message-view--mark { color: $warning; }
    MessageView > .message-view--needle { color: black; background: $warning; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"message-view--{name}" for name in STYLE_NAMES}
    ALLOW_SELECT = False  # what is selected would move away under the mouse; the terminal's own selection stays

    class OlderRequested(Message):
        """The user has scrolled near the oldest line held. It may come again before anything is loaded."""

    class PositionChanged(Message):
        """`at_end` or `lines_below` is another than when the screen was last drawn."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 -- Textual's name for it
        super().__init__(id=id)
        self._source: LineSource | None = None
        self._needle = ""
        self._wrap_cache = WrapCache()
        self._strips: list[Strip] | None = None  # None: to be drawn
        self._draw_scheduled = False
        self._last_draw = 0.0
        self._reported_position = (True, 0)

    def set_source(self, source: LineSource, needle: str = "") -> None:
        """Switch to a room or a search, whose `needle` is highlighted."""
        self._source, self._needle = source, needle
        self._redraw()

    def source_changed(self) -> None:
        """The source has new, older or fewer lines: they are drawn at once, or soon. Many calls cost one drawing."""
        if not self._draw_scheduled and self.is_running:
            self._draw_scheduled = True
            self.set_timer(max(self._last_draw + DRAW_INTERVAL_SECONDS - monotonic(), 0.001), self._redraw)

    @property
    def at_end(self) -> bool:
        """Whether it follows what comes."""
        return self._source is None or self._source.anchor is None

    @property
    def lines_below(self) -> int:
        """How many lines of the source are below the screen."""
        return len(self._source.lines) - 1 - bottom_index(self._source) if self._source else 0

    def action_page_up(self) -> None:
        """A screen towards the oldest, but for two rows."""
        self._scroll_rows(max(self.size.height - 2, 1))

    def action_page_down(self) -> None:
        """A screen towards the newest, but for two rows."""
        self._scroll_rows(-max(self.size.height - 2, 1))

    def action_line_up(self) -> None:
        """A row towards the oldest."""
        self._scroll_rows(1)

    def action_line_down(self) -> None:
        """A row towards the newest."""
        self._scroll_rows(-1)

    def action_oldest(self) -> None:
        """To the oldest line held."""
        if self._source and self._source.lines:
            self._source.anchor = self._source.lines[0].key, 0
            self._scroll_rows(0)

    def action_newest(self) -> None:
        """To the end, following what comes."""
        if self._source:
            self._source.anchor = None
            self._redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll_rows(WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll_rows(-WHEEL_ROWS)

    def on_resize(self) -> None:
        self._redraw()

    def notify_style_update(self) -> None:
        """See textual: another theme."""
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        if self._strips is None or len(self._strips) != self.size.height:
            self._strips = self._visible_strips()
        return self._strips[y]

    def _redraw(self) -> None:
        self._draw_scheduled, self._strips, self._last_draw = False, None, monotonic()
        self.refresh()
        self.call_after_refresh(self._report_position)

    def _scroll_rows(self, rows: int) -> None:
        source = self._source
        if source is None or not source.lines or not self.size.height:
            return
        top = self._viewport(source).scroll(rows).top
        self._redraw()
        if rows >= 0 and top < self.size.height:
            self.post_message(self.OlderRequested())

    def _viewport(self, source: LineSource) -> Viewport:
        return Viewport(source, partial(self._row_count, source), self.size.height)

    def _columns(self) -> Columns:
        return Columns.for_width(self.size.width)

    def _wrap_line(self, line: Line) -> WrappedText:
        return self._wrap_cache(line.text, self._columns().text)

    def _starts_day(self, source: LineSource, index: int) -> bool:
        """Whether a line is the first of its day."""
        return index == 0 or row.day_number(source.lines[index].time) != row.day_number(source.lines[index - 1].time)

    def _row_count(self, source: LineSource, index: int) -> int:
        return len(self._wrap_line(source.lines[index]).row_starts) + self._starts_day(source, index)

    def _visible_strips(self) -> list[Strip]:
        height, styles = self.size.height, self._styles()
        blank = Strip.blank(self.size.width, styles.base)
        source = self._source
        if source is None or not source.lines or not height:
            return [blank] * height
        top, last, skip = self._viewport(source).visible_rows()
        strips: list[Strip] = []
        for index in range(top, last + 1):
            strips += self._line_strips(source, index, skip, height - len(strips), styles)
            skip = 0
        return [blank] * (height - len(strips)) + strips

    def _line_strips(self, source: LineSource, index: int, skip: int, max_rows: int, styles: Styles) -> list[Strip]:
        """The rows of a line that are on the screen: without the first `skip`, and at most so many."""
        line, previous = source.lines[index], source.lines[index - 1] if index else None
        columns, wrapped = self._columns(), self._wrap_line(line)
        dated = self._starts_day(source, index)
        strips = [row.date_row(line.time, columns, styles)] if dated and not skip else []
        first = max(skip - dated, 0)
        for number in range(first, min(len(wrapped.row_starts), first + max_rows - len(strips))):
            at_top_edge = (
                max_rows == self.size.height and number == first
            )  # who reads from the upper edge must see whose it is
            first_of_user = number == 0 and (dated or row.shows_user(line, previous))
            heads = (
                at_top_edge or first_of_user or (number == 0 and row.shows_time(line, previous)),
                at_top_edge or first_of_user,
            )
            strips.append(row.text_row(line, wrapped, number, heads, columns, styles, self._needle))
        return strips

    def _styles(self) -> Styles:
        full = {name: self.get_component_rich_style(f"message-view--{name}") for name in STYLE_NAMES}
        texts = {name: Style(color=style.color, italic=style.italic) for name, style in full.items()}
        texts["mention"] = Style(bgcolor=full["mention"].bgcolor)
        texts["needle"] += Style(bgcolor=full["needle"].bgcolor)
        return Styles(base=self.rich_style, dark=self.app.current_theme.dark, **texts)

    def _report_position(self) -> None:
        position = self.at_end, self.lines_below
        if position != self._reported_position:
            self._reported_position = position
            self.post_message(self.PositionChanged())
