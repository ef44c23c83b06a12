"""What `history` tells people about an empty result."""

from contextlib import suppress
from typing import TYPE_CHECKING

from chatctl.cli.terminal.escape import escape_name
from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.client.client import ChatClient


async def no_messages_text(client: "ChatClient", rooms: tuple[str, ...]) -> str:
    """Return that no message matches, and which of these rooms do not exist."""
    missing: list[str] = []
    with suppress(ChatError):
        known = {room.name for room in (await client.stats(rooms=rooms)).stats.rooms} if rooms else set()
        missing = [f"'{escape_name(room)}'" for room in rooms if room not in known]
    if not missing:
        return "no messages"
    named = ", ".join(missing)
    return f"no messages: no room {named} exists" if len(missing) == 1 else f"no messages: no rooms {named} exist"
