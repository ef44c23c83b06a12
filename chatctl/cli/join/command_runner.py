"""Run what the user submits: send a text, or run a slash command."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.join import slash_commands
from chatctl.cli.join.input_error import InputError
from chatctl.cli.join.room import Room
from chatctl.cli.join.session import Session
from chatctl.cli.join.slash_commands import ChatText, CommandSyntax, Completion, SlashCommand
from chatctl.cli.terminal.escape import escape_name
from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.model.stats import RoomPresence, ServerStats

MAX_LISTED_ROOMS = 100


class CommandScreen(Protocol):
    """The part of the screen that commands use."""

    @property
    def current_room(self) -> Room:
        """The room that is shown, or that is searched."""

    def show_room(self, room: Room) -> None:
        """Show a room; a search ends."""

    def show_search(self, needle: str) -> None:
        """Show the messages of the current room that contain a text."""

    def show_help(self) -> None:
        """Show the keys and commands."""

    def show_notice(self, text: str) -> None:
        """Add a notice behind the messages that are shown, and scroll to it."""

    def scroll_to_newest(self) -> None:
        """Show the newest messages, and follow."""

    def run_in_background(self, work: Coroutine[None, None, None]) -> None:
        """Run a coroutine until it ends, or until the screen closes."""

    def request_exit(self, code: int, /) -> None:
        """Quit with this exit code."""


class CommandRunner:
    """Sends the texts and runs the commands that are submitted on a screen."""

    def __init__(self, session: Session, screen: CommandScreen) -> None:
        self._session = session
        self._screen = screen

    def submit(self, typed: str) -> None:
        """Send a text or run a command. Raises InputError."""
        match slash_commands.parse(typed, COMMANDS):
            case SlashCommand(syntax, argument):
                names_one_room = syntax.takes_one_room
                COMMANDS[syntax](self, slash_commands.split_name(syntax, argument) if names_one_room else argument)
            case ChatText(text):
                self._send(text)

    def complete(self, before: str) -> Completion:
        """Return the completions of the end of a text: commands, users (those who spoke last first) and rooms."""
        room = self._screen.current_room
        presence = self._session.presence.get(room.name)
        users = dict.fromkeys([*reversed(room.recent_users), *(presence.users if presence else [])])
        users.pop(self._session.user, None)
        rooms = dict.fromkeys([*self._session.rooms, *self._session.server_rooms])
        return slash_commands.complete(before, COMMANDS, list(users), list(rooms))

    def _send(self, text: str) -> None:
        room = self._screen.current_room
        self._session.send(room, text)
        if self._session.search:
            self._screen.show_room(room)
        self._screen.scroll_to_newest()

    def _join(self, argument: str) -> None:
        names = slash_commands.split_names(argument)
        self._session.join(names)
        if names:
            self._screen.show_room(self._session.rooms[names[0]])

    def _leave(self, argument: str) -> None:
        rooms, screen = self._session.rooms, self._screen
        room = rooms.get(argument) if argument else screen.current_room
        if room is None:
            raise InputError(f"you are not in the room {escape_name(argument)}")
        if len(rooms) == 1:
            raise InputError("cannot leave the only room", "/join another room first, or /quit")
        if room is screen.current_room:
            names = list(rooms)
            index = names.index(room.name)
            screen.show_room(rooms[names[index - 1 if index else 1]])
        self._session.leave(room.name)

    def _who(self, argument: str) -> None:
        name = argument or self._screen.current_room.name
        if name in self._session.rooms:
            self._screen.show_notice(_describe_users(name, self._session.presence.get(name)))
        else:
            self._show_stats(
                lambda stats: _describe_users(name, next((each for each in stats.presence if each.room == name), None))
            )

    def _list_rooms(self, _: str) -> None:
        self._show_stats(_describe_rooms)

    def _search(self, argument: str) -> None:
        self._screen.show_search(argument)

    def _help(self, _: str) -> None:
        self._screen.show_help()

    def _quit(self, _: str) -> None:
        self._screen.request_exit(0)

    def _show_stats(self, describe: "Callable[[ServerStats], str]") -> None:
        """Request the server's stats, and show a description of them as a notice."""

        async def request() -> None:
            try:
                text = describe(await self._session.stats())
            except ChatError as error:
                text = str(error)
            except TimeoutError:
                text = "no response from the server: try again later"
            self._screen.show_notice(text)

        self._screen.run_in_background(request())


COMMANDS: dict[CommandSyntax, Callable[[CommandRunner, str], None]] = {
    CommandSyntax("join", "ROOM...", "join rooms, and show the first of them", True): CommandRunner._join,
    CommandSyntax("leave", "[ROOM]", "leave this room, or another"): CommandRunner._leave,
    CommandSyntax("who", "[ROOM]", "list the users in this room, or in another"): CommandRunner._who,
    CommandSyntax(
        "search", "TEXT", "show the messages of this room that contain TEXT, new ones too; Esc closes it", True
    ): CommandRunner._search,
    CommandSyntax("rooms", "", "list the rooms of the server"): CommandRunner._list_rooms,
    CommandSyntax("help", "", "show the keys and commands (F1)"): CommandRunner._help,
    CommandSyntax("quit", "", "quit once every message has a receipt"): CommandRunner._quit,
}
"""The slash commands and their handlers, in the order of the help screen."""


def _describe_users(room: str, presence: "RoomPresence | None") -> str:
    if presence is None or not presence.num_users:
        return f"no users in {escape_name(room)}"
    more = f" and {presence.num_users - len(presence.users):,} more" if presence.num_users > len(presence.users) else ""
    return f"{presence.num_users:,} in {escape_name(room)}: {', '.join(map(escape_name, presence.users))}{more}"


def _describe_rooms(stats: "ServerStats") -> str:
    """List the rooms of the server: those with messages, most messages first, then those with users only."""
    counts = {name: f"{count:,} {'message' if count == 1 else 'messages'}" for name, count, _ in stats.stats.rooms}
    user_counts = {each.room: each.num_users for each in stats.presence}
    names = list(dict.fromkeys([*counts, *user_counts]))
    lines = []
    for name in names[:MAX_LISTED_ROOMS]:
        line = f"{escape_name(name)}: {counts.get(name, 'no messages')}"
        lines.append(f"{line}, {user_counts[name]:,} here" if user_counts.get(name) else line)
    total = max(stats.stats.num_rooms, len(names))
    more = [f"and {total - len(lines):,} more"] if total > len(lines) else []
    return "\n".join([*lines, *more]) or "the server has no rooms yet"
