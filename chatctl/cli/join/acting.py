"""What becomes of what is typed: it is sent, or a /command is done."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from chatctl.cli.formats import visible_name
from chatctl.cli.join import commands
from chatctl.cli.join.commands import Called, Refused
from chatctl.cli.join.screens import HelpScreen
from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.cli.join.chat_screen import ChatScreen
    from chatctl.client import ServerStats
    from chatctl.presence import Present

MOST_LISTED = 100


class Acting:
    """Does on a screen what was typed there."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen
        self._session = screen.session

    def do(self, typed: str) -> str:
        """Do it. Why it cannot be done comes back, and it stays in the input; empty if it is done."""
        match commands.parse(typed):
            case Refused(error):
                return error
            case Called(name, argument):
                return str(getattr(self, f"_{name}")(argument))
            case text:
                return self._send(text.text)

    def complete(self, word: str, at_start: bool) -> list[str]:
        """What Tab makes of a word: users who are here or were heard, the last ones first, and rooms."""
        room = self._screen.current
        here = self._session.present.get(room.name)
        users = dict.fromkeys([*reversed(room.users), *(here.users if here else [])])
        users.pop(self._session.user, None)
        rooms = dict.fromkeys([*self._session.rooms, *self._session.names])
        return commands.complete(word, at_start, list(users), list(rooms))

    def _send(self, text: str) -> str:
        room = self._screen.current
        if error := self._session.put(room, text):
            return error
        if self._session.search:
            self._screen.go(room)
        self._screen.messages.action_newest()
        return ""

    def _join(self, argument: str) -> str:
        names = commands.names_in(argument)
        if error := self._session.join(names):
            return error
        if names:
            self._screen.go(self._session.rooms[names[0]])
        return ""

    def _leave(self, argument: str) -> str:
        rooms, screen = self._session.rooms, self._screen
        room = rooms.get(argument) if argument else screen.current
        if room is None:
            return f"you are not in the room {visible_name(argument)}"
        if len(rooms) == 1:
            return "this is the only room: /join another first, or /quit"
        if room is screen.current:
            names = list(rooms)
            at = names.index(room.name)
            screen.go(rooms[names[at - 1 if at else 1]])
        self._session.leave(room.name)
        screen.state_changed()
        return ""

    def _who(self, argument: str) -> str:
        name = argument or self._screen.current.name
        if name in self._session.rooms:
            self._tell(_who_is(name, self._session.present.get(name)))
        else:
            self._ask(lambda stats: _who_is(name, next((each for each in stats.present if each.room == name), None)))
        return ""

    def _rooms(self, _: str) -> str:
        self._ask(_listed)
        return ""

    def _search(self, argument: str) -> str:
        self._screen.find(argument)
        return ""

    def _help(self, _: str) -> str:
        self._screen.app.push_screen(HelpScreen())
        return ""

    def _quit(self, _: str) -> str:
        self._screen.end(0)
        return ""

    def _tell(self, text: str) -> None:
        view = self._screen.view
        view.tell(text, time.time_ns() // 1000)
        self._screen.view_changed(view)
        self._screen.messages.action_newest()

    def _ask(self, words: "Callable[[ServerStats], str]") -> None:
        """Tell what the server answers, when it does."""

        async def ask() -> None:
            try:
                self._tell(words(await self._session.stats()))
            except ChatError as error:
                self._tell(str(error))
            except TimeoutError:
                self._tell("the server does not answer: try again later")

        self._screen.run_worker(ask())


def _who_is(room: str, here: "Present | None") -> str:
    if here is None or not here.num_users:
        return f"nobody is in {visible_name(room)}"
    more = f" and {here.num_users - len(here.users):,} more" if here.num_users > len(here.users) else ""
    return f"{here.num_users:,} in {visible_name(room)}: {', '.join(map(visible_name, here.users))}{more}"


def _listed(stats: "ServerStats") -> str:
    """The rooms of the server, those with most messages first, and those where somebody is."""
    counts = {name: f"{count:,} {'message' if count == 1 else 'messages'}" for name, count, _ in stats.stats.rooms}
    here = {each.room: each.num_users for each in stats.present}
    names = list(dict.fromkeys([*counts, *here]))
    lines = [
        ", ".join(filter(None, [f"{visible_name(name)}: {counts.get(name, 'no messages')}", _here(here.get(name, 0))]))
        for name in names[:MOST_LISTED]
    ]
    total = max(stats.stats.num_rooms, len(names))
    more = [f"and {total - len(lines):,} more"] if total > len(lines) else []
    return "\n".join([*lines, *more]) or "the server has no rooms yet"


def _here(count: int) -> str:
    return f"{count:,} here" if count else ""
