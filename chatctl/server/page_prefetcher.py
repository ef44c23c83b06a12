"""Reads the next page of a query ahead, for a stream that receives messages."""

import asyncio
from contextlib import aclosing

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.core.page_cache import QueryPage
from chatctl.model.messages import Query


class PagePrefetcher:
    """Pages of a query that follows the log, one at a time: a task reads the next page once this one is popped."""

    def __init__(self, chat: Chat, query: Query, wakeup: asyncio.Event) -> None:
        """Start to read. `wakeup` is set when a page is ready, and when reading ends."""
        self._pages: list[QueryPage] = []  # at most one: the memory that a client which does not read costs
        self._page_taken = asyncio.Event()
        self._wakeup = wakeup
        self._task = asyncio.create_task(self._prefetch(chat, query))

    async def _prefetch(self, chat: Chat, query: Query) -> None:
        try:
            async with aclosing(history.read(chat, query)) as pages:
                async for page in pages:
                    self._pages.append(page)
                    del page  # as in a handoff
                    self._wakeup.set()
                    await self._page_taken.wait()
                    self._page_taken.clear()
        finally:
            self._wakeup.set()

    def pop(self) -> QueryPage | None:
        """Return the next page, or None if it is not ready. Raises the error that ended reading."""
        if self._pages:
            self._page_taken.set()
            return self._pages.pop()
        if self._task.done():
            self._task.result()
        return None

    def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
