"""A room as one user sees it, and a search in it. Knows no screen and no network."""

import re
from collections.abc import Iterable
from typing import Protocol

from chatctl.cli.join.line import UNREAD_NOTICE, Line
from chatctl.cli.join.scrollback import LAST_OFFSET, PENDING_SEQUENCE, Scrollback
from chatctl.model.messages import Run
from chatctl.model.records import Receipt, ReceiptStatus

MAX_RECENT_USERS = 500  # kept for completion


class MentionMatcher(Protocol):
    """Finds a user's name in a text."""

    def __call__(self, text: str, /) -> object:
        """Return a match, or None."""


def mention_matcher(user: str) -> MentionMatcher:
    """Return a function that finds this user's name in a text, as a word and in any case."""
    return re.compile(rf"(?<!\w){re.escape(user)}(?!\w)", re.IGNORECASE).search


class MessageList(Scrollback):
    """Messages of one room, as one user sees them."""

    def __init__(self, name: str, user: str) -> None:
        super().__init__()
        self.name = name
        self.user = user
        self._find_mention = mention_matcher(user)

    def lines_from_runs(self, runs: Iterable[Run]) -> list[Line]:
        """Return the messages of this room in the runs, as lines."""
        return [
            Line((sequence, 0), run.time, run.user, text, "stored", self._is_mention(run.user, text))
            for run in runs
            if run.room == self.name
            for sequence, text in enumerate(run.texts, run.sequence)
        ]

    def _is_mention(self, user: str, text: str) -> bool:
        return user != self.user and self._find_mention(text) is not None


class Room(MessageList):
    """A room that the user has joined, with its pending texts and its unread messages."""

    def __init__(self, name: str, user: str) -> None:
        super().__init__(name, user)
        self.visible = False
        """True while the user sees the room; messages in a visible room are not unread."""
        self.unread = 0
        self.unread_mentions = 0
        """The number of unread messages that mention the user."""
        self.live = False
        """True if the server sends all new messages, so that older ones can be loaded without a gap."""
        self.recent_users: dict[str, None] = {}
        """The users who wrote, the latest last."""
        self._unread_marker: tuple[int, int] | None = None

    def receive(self, runs: Iterable[Run]) -> list[Line]:
        """Add received messages. Returns those that are unread now."""
        lines = self.lines_from_runs(runs)
        for line in lines:
            self._remember_user(line.user)
        unread_lines = [] if self.visible else [line for line in lines if line.user != self.user]
        if unread_lines and not self.unread:
            self.remove_unread_marker()
            self._unread_marker = unread_lines[0].key[0] - 1, LAST_OFFSET
            self.insert([Line(self._unread_marker, unread_lines[0].time, "", UNREAD_NOTICE, "notice")])
        self.unread += len(unread_lines)
        self.unread_mentions += sum(line.mention for line in unread_lines)
        self.add(lines)
        return unread_lines

    def prepend(self, lines: list[Line], at_start: bool, before: int = 0) -> None:
        """Add older messages, and their users before those who wrote later."""
        super().prepend(lines, at_start, before)
        for user in dict.fromkeys(line.user for line in reversed(lines)):
            if user not in self.recent_users and len(self.recent_users) < MAX_RECENT_USERS:
                self.recent_users = {user: None, **self.recent_users}

    def set_visible(self, visible: bool) -> None:
        """Note whether the user sees the room. The unread marker stays until the user leaves the room."""
        self.visible = visible
        if visible:
            self.unread = self.unread_mentions = 0
        else:
            self.remove_unread_marker()

    def remove_unread_marker(self) -> None:
        """Remove the marker before the first unread message."""
        if self._unread_marker:
            self.remove(self._unread_marker)
        self._unread_marker = None

    def add_pending(self, number: int, text: str, time: int) -> None:
        """Show a text of the user at the end, until `apply_receipt`."""
        self.append_pending(Line((PENDING_SEQUENCE, number), time, self.user, text, "pending"))

    def apply_receipt(self, receipt: Receipt, texts: Iterable[str], now: int) -> None:
        """Move texts to their sequence, or, if they were rejected, to the end with the reason."""
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
    """The messages of a room that contain a text, in any case."""

    def __init__(self, name: str, user: str, needle: str) -> None:
        super().__init__(name, user)
        self.needle = needle
        self._folded_needle = needle.casefold()

    def receive(self, runs: Iterable[Run]) -> None:
        """Add the received messages that match."""
        self.add([line for line in self.lines_from_runs(runs) if self._folded_needle in line.text.casefold()])
