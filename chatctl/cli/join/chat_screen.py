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

from chatctl.cli.join import status_bar
from chatctl.cli.join.command_runner import CommandRunner
from chatctl.cli.join.composer import Composer
from chatctl.cli.join.help_screen import HelpScreen
from chatctl.cli.join.message_view import MessageView
from chatctl.cli.join.room import MessageList, Room, Search
from chatctl.cli.join.session import Session
from chatctl.cli.join.sidebar import Sidebar
from chatctl.cli.join.status_bar import Bar
from chatctl.cli.terminal.escape import escape_name, escape_text

MIN_SIDEBAR_COLUMNS = 60  # columns
DRAW_DELAY_SECONDS = 0.05  # what comes in between is shown together
BELL_INTERVAL_SECONDS = 2.0  # it rings at most so often

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

    def __init__(self, session: Session, request_exit: Callable[[int], None]) -> None:
        """`request_exit` is called with an exit code when somebody wants to leave."""
        super().__init__()
        self.session = session
        self.request_exit = request_exit
        self.current_room = next(iter(session.rooms.values()))
        self._exit_message = ""  # what is waited for at the end
        self._drafts: dict[str, str] = {}  # of the other rooms
        self._draw_scheduled = False
        self._last_bell = -BELL_INTERVAL_SECONDS
        self._sidebar_enabled = True
        self._rejected_input = ""  # what was put back into the input
        self._command_runner = CommandRunner(self)
        self._terminal_focused = True
        self.message_view = MessageView()
        self.composer = Composer(self._command_runner.complete, self._submit)
        self._sidebar, self._header, self._status = Sidebar(), Bar("header"), Bar("status")
        self._hint = Static(id="hint", markup=False)

    def compose(self) -> ComposeResult:
        """The parts, which are there for as long as the screen."""
        with Horizontal():
            yield self._sidebar
            with Vertical():
                yield self._header
                yield self.message_view
                yield self._hint
                yield self.composer
        yield self._status

    def on_mount(self) -> None:
        """Show the first room."""
        self.composer.focus()
        self.message_view.set_source(self.current_room)
        self.watch(self.app, "app_focus", self._focus_changed)

    def on_resize(self) -> None:
        """The bars are as wide as the screen; a narrow one is for the messages."""
        self._sidebar.display = self._sidebar_enabled and self.size.width >= MIN_SIDEBAR_COLUMNS
        self.call_after_refresh(self._draw_bars)

    # --- what the session says

    def messages_changed(self, message_list: MessageList) -> None:
        if message_list is self.message_list:
            self.message_view.source_changed()
        self.state_changed()

    def mention_received(self, room: Room) -> None:
        now = time.monotonic()
        if now >= self._last_bell + BELL_INTERVAL_SECONDS:
            self._last_bell = now
            self.app.bell()

    def state_changed(self) -> None:
        """Draw the bars soon."""
        if not self._draw_scheduled:
            self._draw_scheduled = True
            self.set_timer(DRAW_DELAY_SECONDS, self._draw_bars)

    # --- what somebody does

    def _submit(self, text: str) -> None:
        exiting = self._exit_message
        error = "" if exiting else self._command_runner.submit(text)
        if error or exiting:  # nothing that was typed is lost
            self.composer.replace_draft(text + self.composer.draft)
            if text.startswith("/"):
                self.composer.select_all()  # what is typed instead takes its place
        self._rejected_input = self.composer.text
        self.set_hint(error)

    @on(MessageView.OlderRequested)
    def _load_older(self) -> None:
        self.session.load_older(self.message_list)
        if self.message_list.full:
            self.set_hint(
                f"this room holds no more than {len(self.message_list.lines):,} lines: `chatctl history` reads what is older"
            )

    @on(MessageView.PositionChanged)
    def _position_changed(self) -> None:
        self.state_changed()

    @on(Sidebar.RoomSelected)
    def _room_selected(self, event: Sidebar.RoomSelected) -> None:
        self.show_room(self.session.rooms[event.room_name])

    def action_help(self) -> None:
        """Show the keys and commands."""
        self.app.push_screen(HelpScreen())

    def action_toggle_sidebar(self) -> None:
        """Show or hide the rooms at the side: without them the terminal's own selection takes messages only."""
        self._sidebar_enabled = not self._sidebar_enabled
        self.on_resize()

    @on(Composer.Changed)
    def _input_changed(self) -> None:
        if self.composer.text != self._rejected_input:
            self.set_hint("")

    def action_leave_search(self) -> None:
        """Leave a search."""
        self.set_hint("")
        if self.session.search:
            self.show_room(self.current_room)

    def action_delete_or_exit(self) -> None:
        """Quit if nothing is typed; else the key does what it does everywhere."""
        if self.composer.text:
            self.composer.action_delete_right()
        else:
            self.request_exit(0)

    def action_cycle_room(self, step: int) -> None:
        """To a room further down or up."""
        rooms = list(self.session.rooms.values())
        self.show_room(rooms[(rooms.index(self.current_room) + step) % len(rooms)])

    def action_select_room(self, number: int) -> None:
        """To the room with this number, from 1."""
        if room := dict(enumerate(self.session.rooms.values(), 1)).get(number):
            self.show_room(room)

    def action_next_unread(self) -> None:
        """To the next room with unread messages."""
        rooms = list(self.session.rooms.values())
        index = rooms.index(self.current_room)
        if room := next((room for room in [*rooms[index:], *rooms[:index]] if room.unread), None):
            self.show_room(room)

    def action_scroll(self, how: str) -> None:
        """Move in the messages, which never have the focus."""
        getattr(self.message_view, f"action_{how}")()

    # --- what is shown

    def begin_exit(self, message: str) -> None:
        """Take no more: what is waited for is all that is shown of the state."""
        self._exit_message = message
        self.composer.read_only = True
        self.state_changed()

    @property
    def message_list(self) -> MessageList:
        """The room that is shown, or the search in it."""
        return self.session.search or self.current_room

    @property
    def drafts(self) -> dict[str, str]:
        """What was typed and not sent, by room."""
        drafts = {**self._drafts, self.current_room.name: self.composer.draft}
        return {room: text for room, text in drafts.items() if text}

    def show_room(self, room: Room) -> None:
        """Show a room, at its scroll position and with its draft; a search ends."""
        self.session.search = None
        if room is not self.current_room:
            self.current_room.set_visible(False)
            self.current_room.trim()
            self._drafts[self.current_room.name] = self.composer.replace_draft(self._drafts.pop(room.name, ""))
            self.current_room = room
        self._show_message_list()

    def show_search(self, needle: str) -> None:
        """Show what contains this text in the current room."""
        self.session.search = Search(self.current_room.name, self.session.user, needle)
        self._show_message_list()

    def _show_message_list(self) -> None:
        self.set_hint("")
        search = self.session.search
        self.message_view.set_source(self.message_list, search.needle if search else "")
        self._focus_changed(self._terminal_focused)

    def _focus_changed(self, focused: bool) -> None:
        """Somebody looks at the terminal, or no more."""
        self._terminal_focused = focused
        self.current_room.set_visible(focused)
        if not self.message_list.loaded:
            self.session.load_older(self.message_list)
        self.message_view.source_changed()
        self.state_changed()

    def set_hint(self, text: str) -> None:
        """Say something about what was typed, until something else is typed."""
        self._hint.update(escape_text(text))
        self._hint.display = bool(text)

    def _draw_bars(self) -> None:
        self._draw_scheduled = False
        session = self.session
        presence = session.presence.get(self.current_room.name)
        self._sidebar.set_rooms(list(session.rooms.values()), self.current_room, presence, session.user)
        self.composer.placeholder = f"to {escape_name(self.current_room.name)} (F1: help)"
        self._header.set_text(status_bar.header_text(session, self.current_room))
        lines_below = 0 if self.message_view.at_end else self.message_view.lines_below
        self._status.set_text(
            Text(self._exit_message) if self._exit_message else status_bar.status_text(session, lines_below)
        )
