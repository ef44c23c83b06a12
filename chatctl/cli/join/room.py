"""A room as one person sees it, and a search in it. Knows no screen and no network."""

import re
from collections.abc import Iterable
from typing import Protocol

from chatctl.cli.join.line import UNREAD_NOTICE, Line
from chatctl.cli.join.scrollback import PENDING_SEQUENCE, Scrollback
from chatctl.model.messages import Run
from chatctl.model.records import Receipt, ReceiptStatus

MAX_RECENT_USERS = 500  # remembered, for completion


class MentionMatcher(Protocol):
    """Whether a text has somebody's name in it."""

    def __call__(self, text: str, /) -> object:
        """Something true if it has."""


def mention_matcher(user: str) -> MentionMatcher:
    """Whether a text has this user's name in it, as a word and in whatever case."""
    return re.compile(rf"(?<!\w){re.escape(user)}(?!\w)", re.IGNORECASE).search


class MessageList(Scrollback):
    """Messages of one room, seen by one user."""

    def __init__(self, name: str, user: str) -> None:
        super().__init__()
        self.name = name
        self.user = user
        self._find_mention = mention_matcher(user)

    def lines_from_runs(self, runs: Iterable[Run]) -> list[Line]:
        """The messages of this room among the runs, as lines."""
        return [
            Line((sequence, 0), run.time, run.user, text, "stored", self._is_mention(run.user, text))
            for run in runs
            if run.room == self.name
            for sequence, text in enumerate(run.texts, run.sequence)
        ]

    def _is_mention(self, user: str, text: str) -> bool:
        return user != self.user and self._find_mention(text) is not None


class Room(MessageList):
    """A room that is received: what came, what is pending, and what nobody has looked at."""

    def __init__(self, name: str, user: str) -> None:
        super().__init__(name, user)
        self.visible = False
        """Whether somebody looks at it: then nothing in it becomes unread."""
        self.unread = 0
        self.unread_mentions = 0
        """How many of the unread ones mention the user."""
        self.live = False
        """Whether everything new comes, so that older ones can be loaded without a gap."""
        self.recent_users: dict[str, None] = {}
        """Who was heard, the last one last."""
        self._unread_marker: tuple[int, int] | None = None

    def receive(self, runs: Iterable[Run]) -> list[Line]:
        """Take what came; the messages of others that are unread now come back."""
        lines = self.lines_from_runs(runs)
        for line in lines:
            self._remember_user(line.user)
        unread_lines = [] if self.visible else [line for line in lines if line.user != self.user]
        if unread_lines and not self.unread:
            self.remove_unread_marker()
            self._unread_marker = self.next_key()
            self.insert([Line(self._unread_marker, unread_lines[0].time, "", UNREAD_NOTICE, "notice")])
        self.unread += len(unread_lines)
        self.unread_mentions += sum(line.mention for line in unread_lines)
        self.add(lines)
        return unread_lines

    def prepend(self, lines: list[Line], at_start: bool, before: int = 0) -> None:
        """See Scrollback; who said these is remembered, but those heard since come first."""
        super().prepend(lines, at_start, before)
        for user in dict.fromkeys(line.user for line in reversed(lines)):
            if user not in self.recent_users and len(self.recent_users) < MAX_RECENT_USERS:
                self.recent_users = {user: None, **self.recent_users}

    def set_visible(self, visible: bool) -> None:
        """Somebody looks at it now, or no more; where the unread ones began stays marked until it is left."""
        self.visible = visible
        if visible:
            self.unread = self.unread_mentions = 0
        else:
            self.remove_unread_marker()

    def remove_unread_marker(self) -> None:
        """Take away the mark where the unread messages began."""
        if self._unread_marker:
            self.remove(self._unread_marker)
        self._unread_marker = None

    def add_pending(self, number: int, text: str, time: int) -> None:
        """Show a text of the user's own at the end, until `apply_receipt`."""
        self.append_pending(Line((PENDING_SEQUENCE, number), time, self.user, text, "pending"))

    def apply_receipt(self, receipt: Receipt, texts: Iterable[str], now: int) -> None:
        """Put texts where their receipt says: to their sequence, or behind what is there with why they were rejected."""
        for offset, text in enumerate(texts):
            self.remove((PENDING_SEQUENCE, receipt.number + offset))
            if receipt.status in (ReceiptStatus.STORED, ReceiptStatus.DUPLICATE):
                self.add([Line((receipt.sequence + offset, 0), receipt.time, self.user, text)])
            else:
                self.insert([Line(self.next_key(), now, self.user, text, "rejected")])
                self.add_notice(f"not stored: {receipt.error}", now)

    def _remember_user(self, user: str) -> None:
        self.recent_users.pop(user, None)
        self.recent_users[user] = None
        if len(self.recent_users) > MAX_RECENT_USERS:
            del self.recent_users[next(iter(self.recent_users))]


class Search(MessageList):
    """The messages of a room that contain a text, without regard to upper and lower case."""

    def __init__(self, name: str, user: str, needle: str) -> None:
        super().__init__(name, user)
        self.needle = needle
        self._folded_needle = needle.casefold()

    def receive(self, runs: Iterable[Run]) -> None:
        """Take what matches of what came."""
        self.add([line for line in self.lines_from_runs(runs) if self._folded_needle in line.text.casefold()])
