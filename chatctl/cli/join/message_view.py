"""The widget with the messages of a room. It draws from the bottom, and wraps only the lines on the screen."""

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
from chatctl.cli.terminal.colours import UserColours

DRAW_INTERVAL_SECONDS = 1 / 20  # between drawings while lines arrive: each drawing delays the next key
WHEEL_ROWS = 3
STYLE_NAMES = ("faint", "notice", "rejected", "mention", "mark", "needle")  # the fields of row.Styles that come from CSS


class MessageView(Widget):
    """Shows the lines of a source, the newest at the bottom. Times are local; texts and names are escaped."""

    # Two columns stay empty on the right, for characters that a terminal draws wider than they are measured.
    DEFAULT_CSS = """
    MessageView { width: 1fr; height: 1fr; padding: 0 2 0 0; }
    MessageView > .message-view--faint { color: $foreground 55%; }
    MessageView > .message-view--notice { color: $foreground 70%; text-style: italic; }
    MessageView > .message-view--rejected { color: $text-error; }
    MessageView > .message-view--mention { background: $primary 30%; }
    MessageView > .message-view--mark { color: $warning; }
    MessageView > .message-view--needle { color: black; background: $warning; }
    MessageView:nocolor > .message-view--needle { text-style: reverse; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"message-view--{name}" for name in STYLE_NAMES}
    ALLOW_SELECT = False  # new lines would move the selection; the terminal's own selection remains

    class OlderRequested(Message):
        """The user has scrolled near the oldest line held. Sent again with each such scroll, even while lines load."""

    class PositionChanged(Message):
        """`at_end` or `lines_below` has changed since the last drawing."""

    def __init__(self, colours: UserColours | None = None) -> None:
        """`colours` are those of the view; other widgets may share them."""
        super().__init__()
        self._colours = colours or UserColours()
        self._source: LineSource | None = None
        self._needle = ""
        self._wrap_cache = WrapCache()
        self._strips: list[Strip] | None = None  # the rows on the screen; None: not drawn yet
        self._draw_scheduled = False
        self._last_draw = 0.0
        self._reported_position = (True, 0)

    def set_source(self, source: LineSource, needle: str = "") -> None:
        """Show a room, or a search whose `needle` is highlighted."""
        self._source, self._needle = source, needle
        self._redraw()

    def source_changed(self) -> None:
        """Draw again at once or soon: the source has new, older or fewer lines. Many calls cost one drawing."""
        if not self._draw_scheduled and self.is_running:
            self._draw_scheduled = True
            self.set_timer(max(self._last_draw + DRAW_INTERVAL_SECONDS - monotonic(), 0.001), self._redraw)

    @property
    def at_end(self) -> bool:
        """True if the newest line is at the bottom, and new lines are followed."""
        return self._source is None or self._source.anchor is None

    @property
    def lines_below(self) -> int:
        """The number of lines below the screen."""
        return len(self._source.lines) - 1 - bottom_index(self._source) if self._source else 0

    def action_page_up(self) -> None:
        """Scroll up by a screen, less two rows."""
        self._scroll_rows(max(self.size.height - 2, 1))

    def action_page_down(self) -> None:
        """Scroll down by a screen, less two rows."""
        self._scroll_rows(-max(self.size.height - 2, 1))

    def action_line_up(self) -> None:
        """Scroll up by a row."""
        self._scroll_rows(1)

    def action_line_down(self) -> None:
        """Scroll down by a row."""
        self._scroll_rows(-1)

    def action_oldest(self) -> None:
        """Scroll to the first row of the oldest line held."""
        if self._source and self._source.lines:
            self._source.anchor = self._source.lines[0].key, self._row_count(self._source, 0) - 1
            self._scroll_rows(0)

    def action_newest(self) -> None:
        """Scroll to the end, and follow new lines."""
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
        """Draw again: the theme has changed."""
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
        """Return whether a line is the first of its day."""
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
        """Draw the rows of a line that are on the screen: without the first `skip`, and at most `max_rows`."""
        line, previous = source.lines[index], source.lines[index - 1] if index else None
        columns, wrapped = self._columns(), self._wrap_line(line)
        dated = self._starts_day(source, index)
        strips = [row.date_row(line.time, columns, styles)] if dated and not skip else []
        first = max(skip - dated, 0)
        for number in range(first, min(len(wrapped.row_starts), first + max_rows - len(strips))):
            at_top_edge = max_rows == self.size.height and number == first  # the first row on the screen names its user
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
        texts["needle"] += Style(bgcolor=full["needle"].bgcolor, reverse=full["needle"].reverse)
        user = partial(self._colours.style, dark=self.app.current_theme.dark)
        return Styles(base=self.rich_style, user=user, **texts)

    def _report_position(self) -> None:
        position = self.at_end, self.lines_below
        if position != self._reported_position:
            self._reported_position = position
            self.post_message(self.PositionChanged())
