"""Page cache: pages for many followers, each read once, kept in a bounded number of bytes."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from sys import getsizeof

from chatctl.core.filters import MessageFilter
from chatctl.core.message_log import MessageLog
from chatctl.model.messages import Page, Run

PAGE_MESSAGES = 1000
MAX_CACHED_CHARS = 128 * 1024  # of a page made from a commit; the log itself returns hardly larger ones
MAX_CACHE_BYTES = 8 * 1024 * 1024
PAGE_OVERHEAD_BYTES, RUN_OVERHEAD_BYTES = 2000, 350  # estimates for a page without messages and a run without texts


@dataclass(slots=True, eq=False)
class QueryPage:
    """A part of the answer to a query: messages in log order, and the sequence up to which it goes, inclusive."""

    runs: list[Run]
    position: int
    live: bool = False
    """The page goes up to the end of the log as it was when the page was made."""
    frame: bytes = b""
    """The serialized response. The server keeps it here for the other followers."""

    def truncated(self, count: int) -> "QueryPage":
        """Return the page with its first `count` messages, or all if there are fewer."""
        remaining = count
        for i, run in enumerate(self.runs):
            if len(run.texts) >= remaining:
                return QueryPage([*self.runs[:i], run.slice(0, remaining)], run.sequence + remaining - 1, self.live)
            remaining -= len(run.texts)
        return self


PagePair = tuple[QueryPage, QueryPage]
"""A page for followers that are not yet live, and the same page for those that are."""
CacheKey = tuple[MessageFilter, int]
"""A filter, and the sequence after which the page begins."""


class PageCache:
    """The most recently used pages. A page is read once, even for concurrent requests."""

    def __init__(self, log: MessageLog, page_messages: int) -> None:
        self._log = log
        self._page_messages = page_messages
        self._pages: OrderedDict[CacheKey, tuple[PagePair, int]] = OrderedDict()  # with the size of each in memory
        self._bytes = 0
        self._pending_reads: dict[CacheKey, asyncio.Task[PagePair]] = {}

    def add(self, key: CacheKey, page: Page) -> None:
        """Cache a page, unless it is too large."""
        counts = [(len(run.texts), sum(map(len, run.texts))) for run in page.runs]
        num_messages, num_chars = sum(count for count, _ in counts), sum(chars for _, chars in counts)
        if num_messages <= self._page_messages and num_chars <= MAX_CACHED_CHARS:
            self._store(key, _page_pair(page))

    async def read(self, message_filter: MessageFilter, after: int, end: int, cache: bool = True) -> PagePair:
        """Return the first page after a sequence and up to `end`, cached or read. `cache` keeps it for other followers."""
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
            pending_read.add_done_callback(_retrieve_exception)
        return await asyncio.shield(pending_read)  # a follower that leaves must not cancel the read of the others

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


def _retrieve_exception(read: "asyncio.Task[PagePair]") -> None:
    """Keep asyncio from logging the exception of a read that all followers have left."""
    if not read.cancelled():
        read.exception()


def _page_pair(page: Page) -> PagePair:
    return QueryPage(page.runs, page.position), QueryPage(page.runs, page.position, live=True)


def _memory_size(pair: PagePair) -> int:
    """Return an estimate of the memory of a page: its texts, and the frame made of them.

    A page of short messages from many users is nearly all overhead, 400 bytes a message.
    """
    return PAGE_OVERHEAD_BYTES + sum(RUN_OVERHEAD_BYTES + 2 * sum(map(getsizeof, run.texts)) for run in pair[0].runs)
