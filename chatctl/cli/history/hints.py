"""What `history` tells people about a result that they may not expect: an empty one, or a long one for a command."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from chatctl.cli.terminal.escape import escape_name
from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.client.client import ChatClient
    from chatctl.model.messages import HistoryPage, Query

MANY_MESSAGES = 100


class BacklogNotice:
    """Tells a person once that a command runs for many stored messages, if no option says where to start."""

    def __init__(self, query: "Query", notify: Callable[[str], None]) -> None:
        start_given = query.last or query.after or query.since is not None or 0 < query.limit <= MANY_MESSAGES
        self._notify = None if start_given or not sys.stderr.isatty() else notify
        self._count = 0

    def add(self, page: "HistoryPage") -> None:
        """Count the messages of a page that the command has not got yet."""
        if not self._notify:
            return
        self._count += sum(len(run.texts) for run in page.runs)
        if self._count > MANY_MESSAGES:
            self._notify(
                f"the command runs for more than {MANY_MESSAGES} stored messages: Ctrl-C stops it, "
                "and `--follow --last 0` begins with new messages"
            )
        if page.live or self._count > MANY_MESSAGES:
            self._notify = None


async def no_messages_text(client: "ChatClient", rooms: tuple[str, ...]) -> str:
    """Return that no message matches, and which of these rooms do not exist."""
    missing: list[str] = []
    with suppress(ChatError):
        known = {room.name for room in (await client.stats(rooms=rooms)).stats.rooms} if rooms else set()
        missing = [f"'{escape_name(room)}'" for room in dict.fromkeys(rooms) if room not in known]
    if not missing:
        return "no messages"
    named = ", ".join(missing)
    return f"no messages: no room {named} exists" if len(missing) == 1 else f"no messages: no rooms {named} exist"
