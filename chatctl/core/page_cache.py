"""Pages that many want: read once, kept for a while, and bounded in bytes."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from sys import getsizeof

from chatctl.core.filters import Filter
from chatctl.core.message_log import MessageLog
from chatctl.model.messages import Page, Run

PAGE_MESSAGES = 1000
MAX_CACHED_CHARS = 128 * 1024  # of a page that was not read from the log, which gives none that are much larger
MAX_CACHE_BYTES = 8 * 1024 * 1024
PAGE_OVERHEAD_BYTES, RUN_OVERHEAD_BYTES = 2000, 350  # of one without messages, and of a run without texts: about


@dataclass(slots=True, eq=False)
class QueryPage:
    """A part of what a query is answered with: messages in log order, and the sequence up to which (inclusive) it goes."""

    runs: list[Run]
    position: int
    live: bool = False
    """Whether everything that was stored when it was made has come."""
    frame: bytes = b""
    """What it is on the wire; kept here by whoever sends it to many."""

    def truncated(self, count: int) -> "QueryPage":
        """Its first `count` messages, or all if they are fewer."""
        remaining = count
        for i, run in enumerate(self.runs):
            if len(run.texts) >= remaining:
                return QueryPage(
                    [*self.runs[:i], run._replace(texts=run.texts[:remaining])], run.sequence + remaining - 1, self.live
                )
            remaining -= len(run.texts)
        return self


PagePair = tuple[QueryPage, QueryPage]
"""The same page for those who are still reading what is stored, and for those who are live."""
CacheKey = tuple[Filter, int]
"""What is wanted, and after which cursor."""


class PageCache:
    """Pages that several followers want, those used last; each is read once even if they ask in the same moment."""

    def __init__(self, log: MessageLog, page_messages: int) -> None:
        self._log = log
        self._page_messages = page_messages
        self._pages: OrderedDict[CacheKey, tuple[PagePair, int]] = OrderedDict()  # and how many bytes each takes
        self._bytes = 0
        self._pending_reads: dict[CacheKey, asyncio.Task[PagePair]] = {}

    def add(self, key: CacheKey, page: Page) -> None:
        """Have this page at hand, unless it is too large for one."""
        counts = [(len(run.texts), sum(map(len, run.texts))) for run in page.runs]
        if (
            sum(count for count, _ in counts) <= self._page_messages
            and sum(chars for _, chars in counts) <= MAX_CACHED_CHARS
        ):
            self._store(key, _page_pair(page))

    async def read(self, message_filter: Filter, after: int, end: int, cache: bool = True) -> PagePair:
        """The first page after a cursor that was read up to `end` or before; kept for others or not."""
        key = (message_filter, after)
        if cached := self._pages.get(key):
            if cache:
                self._pages.move_to_end(key)
            else:
                self._evict(key)
            return cached[0]
        pending_read = self._pending_reads.get(key)
        if pending_read is None:
            pending_read = self._pending_reads[key] = asyncio.create_task(self._read(key, end, cache))
            pending_read.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # even if nobody waits any more
        return await asyncio.shield(pending_read)  # whoever goes must not take the page from the others

    async def _read(self, key: CacheKey, end: int, cache: bool) -> PagePair:
        message_filter, after = key
        try:
            page = await message_filter.read(self._log, after, end, self._page_messages)
        finally:
            del self._pending_reads[key]
        pair = _page_pair(page)
        if cache:
            self._store(key, pair)
        return pair

    def _store(self, key: CacheKey, pair: PagePair) -> None:
        if key in self._pages:
            self._evict(key)
        size = _memory_size(pair)
        self._pages[key] = pair, size
        self._bytes += size
        while self._bytes > MAX_CACHE_BYTES:
            self._evict(next(iter(self._pages)))

    def _evict(self, key: CacheKey) -> None:
        self._bytes -= self._pages.pop(key)[1]


def _page_pair(page: Page) -> PagePair:
    return QueryPage(page.runs, page.position), QueryPage(page.runs, page.position, live=True)


def _memory_size(pair: PagePair) -> int:
    """About how many bytes it takes: the texts, and the frame that is made of them.

    A page of short messages by many is nearly all overhead, 400 bytes for each of them.
    """
    return PAGE_OVERHEAD_BYTES + sum(RUN_OVERHEAD_BYTES + 2 * sum(map(getsizeof, run.texts)) for run in pair[0].runs)
