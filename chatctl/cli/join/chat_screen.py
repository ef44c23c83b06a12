"""The screen of the room: sidebar, messages, input and status, and what its keys do."""

import time
from collections.abc import Callable

from rich.text import Text
from textual import on
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from chatctl.cli.formats import visible, visible_name
from chatctl.cli.join import bars
from chatctl.cli.join.acting import Acting
from chatctl.cli.join.bars import Bar
from chatctl.cli.join.composer import Composer
from chatctl.cli.join.messages import Messages
from chatctl.cli.join.room import Room, Search, View
from chatctl.cli.join.screens import HelpScreen
from chatctl.cli.join.session import Session
from chatctl.cli.join.sidebar import Sidebar

WIDE = 60  # columns
BARS_SECONDS = 0.05  # what comes in between is shown together
BELL_SECONDS = 2.0  # it rings at most so often

for digit in "0123456789":  # Alt and a digit, which Textual takes for what a Mac may have on that key
    ANSI_SEQUENCES_KEYS.pop(f"\x1b{digit}", None)  # type: ignore[attr-defined]


class ChatScreen(Screen[None]):
    """Shows a session: one of its rooms, or a search in that."""

    CSS = """
    Horizontal { height: 1fr; }
    Sidebar { width: 20; height: 100%; padding: 0 1; background: $surface; }
    #header, #status { height: 1; padding: 0 2 0 1; background: $surface; }
    #hint { height: auto; max-height: 4; padding: 0 2 0 1; color: $text-warning; display: none; }
    """
    BINDINGS = [  # noqa: RUF012
        Binding("f1", "help"),
        Binding("f2", "side"),
        Binding("escape", "back"),
        Binding("ctrl+d", "end"),
        Binding("ctrl+n,alt+down", "turn(1)"),
        Binding("ctrl+p,alt+up", "turn(-1)"),
        Binding("alt+a", "unread"),
        *(Binding(f"alt+{number}", f"turn_to({number})") for number in range(1, 10)),
        Binding("pageup", "scroll('page_up')"),
        Binding("pagedown", "scroll('page_down')"),
        Binding("shift+up", "scroll('line_up')"),
        Binding("shift+down", "scroll('line_down')"),
        Binding("ctrl+home", "scroll('oldest')"),
        Binding("ctrl+end", "scroll('newest')"),
    ]

    def __init__(self, session: Session, end: Callable[[int], None]) -> None:
        """`end` is called with an exit code when somebody wants to leave."""
        super().__init__()
        self.session = session
        self.end = end
        self.current = next(iter(session.rooms.values()))
        self._waits = ""  # what is waited for at the end
        self._drafts: dict[str, str] = {}  # of the other rooms
        self._due = False
        self._rung = -BELL_SECONDS
        self._side = True
        self._refused = ""  # what was put back into the input
        self._acting = Acting(self)
        self._focused = True
        self.messages = Messages()
        self.composer = Composer(self._acting.complete, self._submit)
        self._sidebar, self._header, self._status = Sidebar(), Bar("header"), Bar("status")
        self._hint = Static(id="hint", markup=False)

    def compose(self) -> ComposeResult:
        """The parts, which are there for as long as the screen."""
        with Horizontal():
            yield self._sidebar
            with Vertical():
                yield self._header
                yield self.messages
                yield self._hint
                yield self.composer
        yield self._status

    def on_mount(self) -> None:
        """Show the first room."""
        self.composer.focus()
        self.messages.show(self.current)
        self.watch(self.app, "app_focus", self._look)

    def on_resize(self) -> None:
        """The bars are as wide as the screen; a narrow one is for the messages."""
        self._sidebar.display = self._side and self.size.width >= WIDE
        self.call_after_refresh(self._draw)

    # --- what the session says

    def view_changed(self, view: View) -> None:
        """See session.Screen."""
        if view is self.view:
            self.messages.changed()
        self.state_changed()

    def mentioned(self, room: Room) -> None:
        """See session.Screen."""
        now = time.monotonic()
        if now >= self._rung + BELL_SECONDS:
            self._rung = now
            self.app.bell()

    def state_changed(self) -> None:
        """Draw the bars soon."""
        if not self._due:
            self._due = True
            self.set_timer(BARS_SECONDS, self._draw)

    # --- what somebody does

    def _submit(self, text: str) -> None:
        waits = self._waits
        error = "" if waits else self._acting.do(text)
        if error or waits:  # nothing that was typed is lost
            self.composer.swap(text + self.composer.draft)
            if text.startswith("/"):
                self.composer.select_all()  # what is typed instead takes its place
        self._refused = self.composer.text
        self.hint(error)

    @on(Messages.WantOlder)
    def _want_older(self) -> None:
        self.session.load_older(self.view)
        if self.view.full:
            self.hint(f"this room holds no more than {len(self.view.lines):,} lines: `chatctl history` reads what is older")

    @on(Messages.Moved)
    def _moved(self) -> None:
        self.state_changed()

    @on(Sidebar.Chosen)
    def _chosen(self, event: Sidebar.Chosen) -> None:
        self.go(self.session.rooms[event.name])

    def action_help(self) -> None:
        """Show the keys and commands."""
        self.app.push_screen(HelpScreen())

    def action_side(self) -> None:
        """Show or hide the rooms at the side: without them the terminal's own selection takes messages only."""
        self._side = not self._side
        self.on_resize()

    @on(Composer.Changed)
    def _typed(self) -> None:
        if self.composer.text != self._refused:
            self.hint("")

    def action_back(self) -> None:
        """Leave a search."""
        self.hint("")
        if self.session.search:
            self.go(self.current)

    def action_end(self) -> None:
        """Quit if nothing is typed; else the key does what it does everywhere."""
        if self.composer.text:
            self.composer.action_delete_right()
        else:
            self.end(0)

    def action_turn(self, by: int) -> None:
        """To a room further down or up."""
        rooms = list(self.session.rooms.values())
        self.go(rooms[(rooms.index(self.current) + by) % len(rooms)])

    def action_turn_to(self, number: int) -> None:
        """To the room with this number, from 1."""
        if room := dict(enumerate(self.session.rooms.values(), 1)).get(number):
            self.go(room)

    def action_unread(self) -> None:
        """To the next room with unread messages."""
        rooms = list(self.session.rooms.values())
        at = rooms.index(self.current)
        if room := next((room for room in [*rooms[at:], *rooms[:at]] if room.unread), None):
            self.go(room)

    def action_scroll(self, how: str) -> None:
        """Move in the messages, which never have the focus."""
        getattr(self.messages, f"action_{how}")()

    # --- what is shown

    def wind_up(self, why: str) -> None:
        """Take no more: what is waited for is all that is shown of the state."""
        self._waits = why
        self.composer.read_only = True
        self.state_changed()

    @property
    def view(self) -> View:
        """The room that is shown, or the search in it."""
        return self.session.search or self.current

    @property
    def drafts(self) -> dict[str, str]:
        """What was typed and not sent, by room."""
        drafts = {**self._drafts, self.current.name: self.composer.draft}
        return {room: text for room, text in drafts.items() if text}

    def go(self, room: Room) -> None:
        """Show a room, at its scroll position and with its draft; a search ends."""
        self.session.search = None
        if room is not self.current:
            self.current.watch(False)
            self.current.rest()
            self._drafts[self.current.name] = self.composer.swap(self._drafts.pop(room.name, ""))
            self.current = room
        self._show()

    def find(self, needle: str) -> None:
        """Show what contains this text in the current room."""
        self.session.search = Search(self.current.name, self.session.user, needle)
        self._show()

    def _show(self) -> None:
        self.hint("")
        search = self.session.search
        self.messages.show(self.view, search.needle if search else "")
        self._look(self._focused)

    def _look(self, focused: bool) -> None:
        """Somebody looks at the terminal, or no more."""
        self._focused = focused
        self.current.watch(focused)
        if not self.view.loaded:
            self.session.load_older(self.view)
        self.messages.changed()
        self.state_changed()

    def hint(self, text: str) -> None:
        """Say something about what was typed, until something else is typed."""
        self._hint.update(visible(text))
        self._hint.display = bool(text)

    def _draw(self) -> None:
        self._due = False
        session = self.session
        here = session.present.get(self.current.name)
        self._sidebar.tell(list(session.rooms.values()), self.current, here, session.user)
        self.composer.placeholder = f"to {visible_name(self.current.name)} (F1: help)"
        self._header.say(bars.header(session, self.current))
        scrolled = 0 if self.messages.at_end else self.messages.newer
        self._status.say(Text(self._waits) if self._waits else bars.status(session, scrolled))
