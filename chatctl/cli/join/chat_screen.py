"""The main screen of the full-screen `join`: what its keys do, and what it shows of the session."""

import time
from collections.abc import Callable, Coroutine

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.content import Content

from chatctl.cli.join import status_bar
from chatctl.cli.join.chat_layout import ChatLayout
from chatctl.cli.join.command_runner import CommandRunner
from chatctl.cli.join.composer import Composer
from chatctl.cli.join.help_screen import HelpScreen
from chatctl.cli.join.input_error import InputError
from chatctl.cli.join.message_view import MessageView
from chatctl.cli.join.room import MessageList, Room
from chatctl.cli.join.session import Session
from chatctl.cli.join.sidebar import Sidebar
from chatctl.cli.terminal.escape import escape_name

DRAW_DELAY_SECONDS = 0.05  # changes within it are drawn together
BELL_INTERVAL_SECONDS = 2.0  # at least, between two bells
DROPPED_HINT = "too many new messages: use `chatctl history` to read those that were on the screen"


class ChatScreen(ChatLayout):
    """Shows one room of a session, or a search in it."""

    BINDINGS = [  # noqa: RUF012
        Binding("f1", "show_help"),
        Binding("f2", "toggle_sidebar"),
        Binding("escape", "leave_search"),
        Binding("ctrl+d", "delete_or_exit"),
        Binding("ctrl+n,alt+down", "cycle_room(1)"),
        Binding("ctrl+p,alt+up", "cycle_room(-1)"),
        Binding("alt+a", "next_unread"),
        *(Binding(f"alt+{number}", f"select_room({number})") for number in range(1, 10)),
        Binding("pageup", "scroll_messages('page_up')"),
        Binding("pagedown", "scroll_messages('page_down')"),
        Binding("shift+up", "scroll_messages('line_up')"),
        Binding("shift+down", "scroll_messages('line_down')"),
        Binding("ctrl+home", "scroll_messages('oldest')"),
        Binding("ctrl+end", "scroll_messages('newest')"),
    ]

    def __init__(self, session: Session, request_exit: Callable[[int], None]) -> None:
        """`request_exit` is called with an exit code when the user asks to quit."""
        self._command_runner = CommandRunner(session, self)
        super().__init__(Composer(self._command_runner.complete, self._submit))
        self.session = session
        self.request_exit = request_exit
        self.current_room = next(iter(session.rooms.values()))
        self._exit_message = ""  # shown instead of the status while quitting
        self._drafts: dict[str, str] = {}  # of the other rooms
        self._draw_scheduled = False
        self._last_bell = -BELL_INTERVAL_SECONDS
        self._rejected_input = ""  # the text that was put back into the input
        self._terminal_focused = True

    def on_mount(self) -> None:
        self.composer.focus()
        self.message_view.set_source(self.current_room)
        self.watch(self.app, "app_focus", self._focus_changed)

    # --- changes of the session

    def messages_changed(self, message_list: MessageList) -> None:
        if message_list is self.message_list:
            self.message_view.source_changed()
            if message_list.position_dropped:
                message_list.position_dropped = False
                self.set_hint(DROPPED_HINT)
        self.state_changed()

    def mention_received(self, room: Room) -> None:
        now = time.monotonic()
        if now >= self._last_bell + BELL_INTERVAL_SECONDS:
            self._last_bell = now
            self.app.bell()

    def state_changed(self) -> None:
        if not self._draw_scheduled:
            self._draw_scheduled = True
            self.set_timer(DRAW_DELAY_SECONDS, self.draw_bars)

    # --- what the user submits

    def _submit(self, text: str) -> None:
        """Send or run a text. What cannot be sent or run goes back into the input."""
        hint, accepted = "", not self._exit_message
        if accepted:
            try:
                self._command_runner.submit(text)
            except InputError as error:
                hint, accepted = str(error), False
        if not accepted:
            self.composer.replace_draft(text + self.composer.draft)
            if text.startswith("/"):
                self.composer.select_all()  # the next key replaces the command
        self._rejected_input = self.composer.text
        self.set_hint(hint)

    @on(Composer.Changed)
    def _input_changed(self) -> None:
        if self.composer.text != self._rejected_input:
            self.set_hint("")

    def show_notice(self, text: str) -> None:
        """Add a notice behind the messages that are shown, and scroll to it."""
        message_list = self.message_list
        message_list.add_notice(text, time.time_ns() // 1000)
        self.messages_changed(message_list)
        self.scroll_to_newest()

    def scroll_to_newest(self) -> None:
        """Show the newest messages, and follow."""
        self.message_view.action_newest()

    def show_help(self) -> None:
        """Show the keys and commands."""
        self.app.push_screen(HelpScreen())

    def run_in_background(self, work: Coroutine[None, None, None]) -> None:
        """Run a coroutine until it ends, or until the screen closes."""
        self.run_worker(work)

    # --- keys and clicks

    @on(MessageView.OlderRequested)
    def _load_older(self) -> None:
        self.session.load_older(self.message_list)
        if self.message_list.full:
            count = len(self.message_list.lines)
            self.set_hint(f"at most {count:,} lines are loaded: use `chatctl history` to read older messages")

    @on(MessageView.PositionChanged)
    def _position_changed(self) -> None:
        self.state_changed()

    @on(Sidebar.RoomSelected)
    def _room_selected(self, event: Sidebar.RoomSelected) -> None:
        self.show_room(self.session.rooms[event.room_name])

    def action_show_help(self) -> None:
        """Show the keys and commands."""
        self.show_help()

    def action_toggle_sidebar(self) -> None:
        """Show or hide the sidebar. Without it, the terminal's own selection contains messages only."""
        self.toggle_sidebar()

    def action_leave_search(self) -> None:
        """Close a search."""
        self.set_hint("")
        if self.session.search:
            self.show_room(self.current_room)

    def action_delete_or_exit(self) -> None:
        """Delete the character at the cursor; quit if the input is empty."""
        if self.composer.text:
            self.composer.action_delete_right()
        else:
            self.request_exit(0)

    def action_cycle_room(self, step: int) -> None:
        """Show the room that is `step` further down the list."""
        rooms = list(self.session.rooms.values())
        self.show_room(rooms[(rooms.index(self.current_room) + step) % len(rooms)])

    def action_select_room(self, number: int) -> None:
        """Show the room with this number, from 1."""
        if room := dict(enumerate(self.session.rooms.values(), 1)).get(number):
            self.show_room(room)

    def action_next_unread(self) -> None:
        """Show the next room with unread messages."""
        rooms = list(self.session.rooms.values())
        index = rooms.index(self.current_room)
        if room := next((room for room in [*rooms[index:], *rooms[:index]] if room.unread), None):
            self.show_room(room)

    async def action_scroll_messages(self, action: str) -> None:
        """Run a scroll action of the message view, which never has the focus."""
        await self.app.run_action(action, self.message_view)

    # --- what is shown

    def begin_exit(self, message: str) -> None:
        """Accept no more input, and show a message instead of the status."""
        self._exit_message = message
        self.composer.read_only = True
        self.state_changed()

    @property
    def message_list(self) -> MessageList:
        """The current room, or the search in it."""
        return self.session.search or self.current_room

    @property
    def drafts(self) -> dict[str, str]:
        """The texts that were typed and not sent, by room."""
        drafts = {**self._drafts, self.current_room.name: self.composer.draft}
        return {room: text for room, text in drafts.items() if text}

    def show_room(self, room: Room) -> None:
        """Show a room at its scroll position and with its draft; a search ends."""
        self.session.search = None
        if room is not self.current_room:
            self.current_room.set_visible(False)
            self.current_room.trim()
            self._drafts[self.current_room.name] = self.composer.replace_draft(self._drafts.pop(room.name, ""))
            self.current_room = room
        self._show_message_list()

    def show_search(self, needle: str) -> None:
        """Show the messages of the current room that contain a text."""
        self.session.start_search(self.current_room, needle)
        self._show_message_list()

    def _show_message_list(self) -> None:
        self.set_hint("")
        search = self.session.search
        self.message_view.set_source(self.message_list, search.needle if search else "")
        self._focus_changed(self._terminal_focused)

    def _focus_changed(self, focused: bool) -> None:
        """Handle that the terminal got or lost the focus. Without it, new messages are unread."""
        self._terminal_focused = focused
        self.current_room.set_visible(focused)
        if not self.message_list.loaded:
            self.session.load_older(self.message_list)
        self.message_view.source_changed()
        self.state_changed()

    def draw_bars(self) -> None:
        self._draw_scheduled = False
        session, room = self.session, self.current_room
        presence = session.presence.get(room.name)
        self.sidebar.set_rooms(list(session.rooms.values()), room, presence, session.user)
        self.composer.placeholder = Content(f"to {escape_name(room.name)} (F1: help)")  # a str would be markup
        self.header.set_text(status_bar.header_text(session, room))
        below = 0 if self.message_view.at_end else self.message_view.lines_below
        self.status.set_text(Text(self._exit_message) if self._exit_message else status_bar.status_text(session, below))
