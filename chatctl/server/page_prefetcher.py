"""One SendAndReceiveMessage stream: receipts for what comes in, and the messages of the rooms asked for."""

import asyncio
from contextlib import aclosing

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.core.page_cache import QueryPage
from chatctl.model.messages import Query


class PagePrefetcher:
    """Pages of a query that follows, one at a time: the next is read when this one is taken."""

    def __init__(self, chat: Chat, query: Query, wakeup: asyncio.Event) -> None:
        self._pages: list[QueryPage] = []  # at most one: so much a client costs that does not read
        self._page_taken = asyncio.Event()
        self._wakeup = wakeup
        self._task = asyncio.create_task(self._prefetch(chat, query))

    async def _prefetch(self, chat: Chat, query: Query) -> None:
        try:
            async with aclosing(history.read(chat, query)) as pages:
                async for page in pages:
                    self._pages.append(page)
                    del page
                    self._wakeup.set()
                    await self._page_taken.wait()
                    self._page_taken.clear()
        finally:
            self._wakeup.set()

    def pop(self) -> QueryPage | None:
        """The next page, if it is there. Raises what ended the following."""
        if self._pages:
            self._page_taken.set()
            return self._pages.pop()
        if self._task.done():
            self._task.result()
        return None

    def close(self) -> None:
        """Follow no more."""
        self._task.cancel()
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
