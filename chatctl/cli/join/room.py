"""A room as one person sees it, and a search in it. Knows no screen and no network."""

import re
from collections.abc import Iterable
from typing import Protocol

from chatctl.cli.join.held import PENDING, Held
from chatctl.cli.join.lines import UNREAD, Line
from chatctl.log import Receipt, Run, Status

MOST_USERS = 500  # remembered, for completion


class Mentions(Protocol):
    """Whether a text has somebody's name in it."""

    def __call__(self, text: str, /) -> object:
        """Something true if it has."""


def mentions_of(user: str) -> Mentions:
    """Whether a text has this user's name in it, as a word and in whatever case."""
    return re.compile(rf"(?<!\w){re.escape(user)}(?!\w)", re.IGNORECASE).search


class View(Held):
    """Messages of one room, seen by one user."""

    def __init__(self, name: str, user: str) -> None:
        super().__init__()
        self.name = name
        self.user = user
        self._mentions = mentions_of(user)

    def lines_of(self, runs: Iterable[Run]) -> list[Line]:
        """The messages of this room among the runs, as lines."""
        return [
            Line((sequence, 0), run.time, run.user, text, "stored", self._mentioned(run.user, text))
            for run in runs
            if run.room == self.name
            for sequence, text in enumerate(run.texts, run.sequence)
        ]

    def _mentioned(self, user: str, text: str) -> bool:
        return user != self.user and self._mentions(text) is not None


class Room(View):
    """A room that is received: what came, what is pending, and what nobody has looked at."""

    def __init__(self, name: str, user: str) -> None:
        super().__init__(name, user)
        self.watched = False
        """Whether somebody looks at it: then nothing in it becomes unread."""
        self.unread = 0
        self.mentions = 0
        """How many of the unread ones mention the user."""
        self.live = False
        """Whether everything new comes, so that older ones can be loaded without a gap."""
        self.users: dict[str, None] = {}
        """Who was heard, the last one last."""
        self._mark: tuple[int, int] | None = None

    def receive(self, runs: Iterable[Run]) -> list[Line]:
        """Take what came; the messages of others that are unread now come back."""
        lines = self.lines_of(runs)
        for line in lines:
            self._heard(line.user)
        fresh = [] if self.watched else [line for line in lines if line.user != self.user]
        if fresh and not self.unread:
            self.unmark()
            self._mark = self.behind()
            self.merge([Line(self._mark, fresh[0].time, "", UNREAD, "notice")])
        self.unread += len(fresh)
        self.mentions += sum(line.mention for line in fresh)
        self.come(lines)
        return fresh

    def older(self, lines: list[Line], begins: bool, before: int = 0) -> None:
        """See Held; who said these is remembered, but those heard since come first."""
        super().older(lines, begins, before)
        for user in dict.fromkeys(line.user for line in reversed(lines)):
            if user not in self.users and len(self.users) < MOST_USERS:
                self.users = {user: None, **self.users}

    def watch(self, watched: bool) -> None:
        """Somebody looks at it now, or no more; where the unread ones began stays marked until it is left."""
        self.watched = watched
        if watched:
            self.unread = self.mentions = 0
        else:
            self.unmark()

    def unmark(self) -> None:
        """Take away the mark where the unread messages began."""
        if self._mark:
            self.drop(self._mark)
        self._mark = None

    def put(self, number: int, text: str, time: int) -> None:
        """Show a text of the user's own at the end, until `settle`."""
        self.pend(Line((PENDING, number), time, self.user, text, "pending"))

    def settle(self, receipt: Receipt, texts: Iterable[str], now: int) -> None:
        """Put texts where their receipt says: to their sequence, or behind what is there with why they were rejected."""
        for at, text in enumerate(texts):
            self.drop((PENDING, receipt.number + at))
            if receipt.status in (Status.STORED, Status.DUPLICATE):
                self.come([Line((receipt.sequence + at, 0), receipt.time, self.user, text)])
            else:
                self.merge([Line(self.behind(), now, self.user, text, "rejected")])
                self.tell(f"not stored: {receipt.error}", now)

    def _heard(self, user: str) -> None:
        self.users.pop(user, None)
        self.users[user] = None
        if len(self.users) > MOST_USERS:
            del self.users[next(iter(self.users))]


class Search(View):
    """The messages of a room that contain a text, without regard to upper and lower case."""

    def __init__(self, name: str, user: str, needle: str) -> None:
        super().__init__(name, user)
        self.needle = needle
        self._folded = needle.casefold()

    def receive(self, runs: Iterable[Run]) -> None:
        """Take what matches of what came."""
        self.come([line for line in self.lines_of(runs) if self._folded in line.text.casefold()])
