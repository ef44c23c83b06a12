"""What becomes of what is typed: it is sent, or a /command is done."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from chatctl.cli.join import slash_commands
from chatctl.cli.join.help_screen import HelpScreen
from chatctl.cli.join.slash_commands import InputError, SlashCommand
from chatctl.cli.terminal.escape import escape_name
from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.cli.join.chat_screen import ChatScreen
    from chatctl.model.stats import RoomPresence, ServerStats

MAX_LISTED_ROOMS = 100


class CommandRunner:
    """Does on a screen what was typed there."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen
        self._session = screen.session

    def submit(self, typed: str) -> str:
        """Do it. Why it cannot be done comes back, and it stays in the input; empty if it is done."""
        match slash_commands.parse(typed):
            case InputError(error):
                return error
            case SlashCommand(name, argument):
                return str(getattr(self, f"_{name}")(argument))
            case text:
                return self._send(text.text)

    def complete(self, word: str, at_start: bool) -> list[str]:
        """What Tab makes of a word: users who are here or were heard, the last ones first, and rooms."""
        room = self._screen.current_room
        presence = self._session.presence.get(room.name)
        users = dict.fromkeys([*reversed(room.recent_users), *(presence.users if presence else [])])
        users.pop(self._session.user, None)
        rooms = dict.fromkeys([*self._session.rooms, *self._session.server_rooms])
        return slash_commands.complete(word, at_start, list(users), list(rooms))

    def _send(self, text: str) -> str:
        room = self._screen.current_room
        if error := self._session.send(room, text):
            return error
        if self._session.search:
            self._screen.show_room(room)
        self._screen.message_view.action_newest()
        return ""

    def _join(self, argument: str) -> str:
        names = slash_commands.split_names(argument)
        if error := self._session.join(names):
            return error
        if names:
            self._screen.show_room(self._session.rooms[names[0]])
        return ""

    def _leave(self, argument: str) -> str:
        rooms, screen = self._session.rooms, self._screen
        room = rooms.get(argument) if argument else screen.current_room
        if room is None:
            return f"you are not in the room {escape_name(argument)}"
        if len(rooms) == 1:
            return "this is the only room: /join another first, or /quit"
        if room is screen.current_room:
            names = list(rooms)
            index = names.index(room.name)
            screen.show_room(rooms[names[index - 1 if index else 1]])
        self._session.leave(room.name)
        screen.state_changed()
        return ""

    def _who(self, argument: str) -> str:
        name = argument or self._screen.current_room.name
        if name in self._session.rooms:
            self._add_notice(_describe_users(name, self._session.presence.get(name)))
        else:
            self._show_stats(
                lambda stats: _describe_users(name, next((each for each in stats.presence if each.room == name), None))
            )
        return ""

    def _rooms(self, _: str) -> str:
        self._show_stats(_describe_rooms)
        return ""

    def _search(self, argument: str) -> str:
        self._screen.show_search(argument)
        return ""

    def _help(self, _: str) -> str:
        self._screen.app.push_screen(HelpScreen())
        return ""

    def _quit(self, _: str) -> str:
        self._screen.request_exit(0)
        return ""

    def _add_notice(self, text: str) -> None:
        view = self._screen.message_list
        view.add_notice(text, time.time_ns() // 1000)
        self._screen.messages_changed(view)
        self._screen.message_view.action_newest()

    def _show_stats(self, format_stats: "Callable[[ServerStats], str]") -> None:
        """Tell what the server answers, when it does."""

        async def request() -> None:
            try:
                self._add_notice(format_stats(await self._session.stats()))
            except ChatError as error:
                self._add_notice(str(error))
            except TimeoutError:
                self._add_notice("the server does not answer: try again later")

        self._screen.run_worker(request())


def _describe_users(room: str, presence: "RoomPresence | None") -> str:
    if presence is None or not presence.num_users:
        return f"nobody is in {escape_name(room)}"
    more = f" and {presence.num_users - len(presence.users):,} more" if presence.num_users > len(presence.users) else ""
    return f"{presence.num_users:,} in {escape_name(room)}: {', '.join(map(escape_name, presence.users))}{more}"


def _describe_rooms(stats: "ServerStats") -> str:
    """The rooms of the server, those with most messages first, and those where somebody is."""
    counts = {name: f"{count:,} {'message' if count == 1 else 'messages'}" for name, count, _ in stats.stats.rooms}
    user_counts = {each.room: each.num_users for each in stats.presence}
    names = list(dict.fromkeys([*counts, *user_counts]))
    lines = [
        ", ".join(
            filter(
                None, [f"{escape_name(name)}: {counts.get(name, 'no messages')}", _user_count_text(user_counts.get(name, 0))]
            )
        )
        for name in names[:MAX_LISTED_ROOMS]
    ]
    total = max(stats.stats.num_rooms, len(names))
    more = [f"and {total - len(lines):,} more"] if total > len(lines) else []
    return "\n".join([*lines, *more]) or "the server has no rooms yet"


def _user_count_text(count: int) -> str:
    return f"{count:,} here" if count else ""
