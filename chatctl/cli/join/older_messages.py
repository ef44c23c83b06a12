"""Load older messages into a room or a search."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing

from chatctl.cli.join.line import Line
from chatctl.cli.join.room import MessageList, Search
from chatctl.client import Query
from chatctl.client.client import ChatClient
from chatctl.errors import ChatError
from chatctl.model import cursor

PAGE_SIZE = 200  # messages loaded at once
PAGE_TIMEOUT_SECONDS = 30.0  # without a page; a search in many messages gets one every second


class OlderMessagesLoader:
    """Loads messages in the background, one page for a message list at a time."""

    def __init__(
        self, client: ChatClient, is_connected: Callable[[], bool], on_changed: Callable[[MessageList], None]
    ) -> None:
        """`on_changed` is called with a message list when a load of it has ended."""
        self._client = client
        self._is_connected = is_connected
        self._on_changed = on_changed
        self._tasks: set[asyncio.Task[None]] = set()

    def load(self, message_list: MessageList, cursor_prefix: str) -> None:
        """Load the page before the oldest message held, unless a load is running, the list is full or none is older."""
        if message_list.at_start or message_list.loading or message_list.full or not self._is_connected():
            return
        message_list.loading = message_list.load_requested = True
        task = asyncio.create_task(self._load(message_list, cursor_prefix))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Stop all loads."""
        for task in self._tasks:
            task.cancel()

    async def _load(self, message_list: MessageList, cursor_prefix: str) -> None:
        contains = message_list.needle if isinstance(message_list, Search) else ""
        try:
            oldest = message_list.oldest_sequence
            lines = await self._read_page(
                message_list, contains, cursor.cursor_text(cursor_prefix, oldest) if oldest else ""
            )
            message_list.prepend(lines, len(lines) < PAGE_SIZE, oldest)
            if contains and not message_list.lines:
                message_list.add_notice(f"no message contains {contains}; new ones that do are shown", _now_microseconds())
        except (ChatError, TimeoutError) as error:
            if self._is_connected():
                reason = str(error) or f"no response for {PAGE_TIMEOUT_SECONDS:g} s"
                message_list.add_notice(f"cannot load older messages: {reason}: scroll up to retry", _now_microseconds())
        finally:
            message_list.loading = False
        self._on_changed(message_list)

    async def _read_page(self, message_list: MessageList, contains: str, before: str) -> list[Line]:
        """Return the newest messages before a cursor, as lines. Raises TimeoutError if the server stops responding."""
        query = Query(rooms=(message_list.name,), contains=contains, before=before, last=PAGE_SIZE)
        lines: list[Line] = []
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(PAGE_TIMEOUT_SECONDS) as page_timeout, aclosing(self._client.read(query)) as pages:
            async for page in pages:
                lines += message_list.lines_from_runs(page.runs)
                page_timeout.reschedule(clock() + PAGE_TIMEOUT_SECONDS)
        return lines


def _now_microseconds() -> int:
    return time.time_ns() // 1000
