"""Following: all followers of one filter share a feed, which looks into the log for them and wakes them.

What many want is read once. After it has woken its followers a feed rests, the longer the more they are: with more of them,
or at a higher pace, they get larger pages and not more of them. Whoever lags behind reads from the log like anybody else.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from chatctl.core.filters import Filter
from chatctl.core.message_log import MessageLog
from chatctl.core.page_cache import PAGE_MESSAGES, PageCache, PagePair
from chatctl.errors import ServerStopping
from chatctl.model.messages import Page, Run

WAKE_SECONDS_PER_FOLLOWER = 80e-6  # for each follower: about what one frame takes server and client together
WAKE_COOLDOWN_FACTOR = (
    1  # and at least so many times as long as waking them took, which is longer where others need the machine, too
)
WAKE_BATCH = 50  # then whoever else waits for the event loop has a turn
SCAN_COOLDOWN_FACTOR = 2  # how many times as long as it has looked a feed rests, for each of those that look, too
MAX_RECENT_BYTES, MAX_RECENT_RUNS = 1024 * 1024, 4096  # of what was just stored: so much is kept until it is looked at
PROGRESS_INTERVAL_SECONDS = 30  # how often the cursors of quiet followers move on
PROGRESS_TICKS = 30  # in which all feeds have their turn to do so


class FeedRegistry:
    """The feeds of a log, one for each filter that is followed. Belongs to the event loop it is used in."""

    def __init__(self, log: MessageLog, page_messages: int = PAGE_MESSAGES) -> None:
        self._log = log
        self._feeds: OrderedDict[Filter, Feed] = OrderedDict()
        self._cache = PageCache(log, min(page_messages, PAGE_MESSAGES))
        self._scanning: set[Feed] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_shut_down = False

    def acquire(self, message_filter: Filter) -> "Feed":
        """Be a follower; `release` in the end. Raises ServerStopping once released."""
        if self._is_shut_down:
            raise _stopping_error()
        feed = self._feeds.get(message_filter)
        if feed is None:
            if not self._feeds:
                self._unsubscribe = self._log.subscribe((), self._on_commit)
            feed = self._feeds[message_filter] = Feed(message_filter, self._log, self._cache, self._scanning)
        feed.catch_up()
        feed.followers += 1
        return feed

    def release(self, feed: "Feed") -> None:
        """Be no follower any more."""
        feed.followers -= 1
        if not feed.followers:
            feed.close()
            del self._feeds[feed.message_filter]
            if not self._feeds:
                self._unsubscribe()

    def shut_down(self) -> None:
        """Let everybody who waits, now or later, go with ServerStopping."""
        self._is_shut_down = True
        for feed in self._feeds.values():
            feed.shut_down()

    def _on_commit(self, _: Sequence[Run], __: int) -> None:
        if self._timer is None:
            self._schedule_tick()

    def _schedule_tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PROGRESS_INTERVAL_SECONDS / PROGRESS_TICKS, self._tick)

    def _tick(self) -> None:
        """Some feeds at a time move on, so that thousands of quiet ones do not all want something in the same moment."""
        self._timer = None
        for _ in range(-(-len(self._feeds) // PROGRESS_TICKS)):
            message_filter, feed = self._feeds.popitem(last=False)
            self._feeds[message_filter] = feed
            feed.report_progress()
        if any(feed.has_progress for feed in self._feeds.values()):
            self._schedule_tick()


class Feed:
    """What the followers of one filter share. `FeedRegistry.acquire` gives it, and `leave` closes it with the last of them."""

    def __init__(self, message_filter: Filter, log: MessageLog, cache: PageCache, scanning: "set[Feed]") -> None:
        """`scanning` are the feeds that have something to look at, or rest from it."""
        self.followers = 0
        self.message_filter = message_filter
        self._log = log
        self._cache = cache
        self._scanning = scanning
        self.known_head = log.head
        """No message that is wanted is beyond it."""
        self.head = self.known_head
        """Followers read up to here; it follows `known_head` at the pace that they can bear."""
        self._recent_runs: list[Run] | None = []  # all in its rooms beyond the head; None if that is much
        self._recent_bytes = 0
        self._empty_range = (self.head, self.head)  # after the first and up to the second nothing is wanted
        self._notified_head = self.head  # the head when the followers were last woken
        self._waiters: set[asyncio.Future[None]] = set()
        self._delivery_handle: asyncio.Handle | None = None  # waking its followers, or resting
        self._scan_cooldown = 0.0  # seconds to rest for looking
        self._scan_task: asyncio.Task[None] | None = None
        self._unsubscribe = log.subscribe(message_filter.rooms, self._on_commit)
        self._is_shut_down = False

    async def read(self, after: int, end: int) -> PagePair:
        """The next page of messages with after < sequence <= end; the position of an empty one says how far it looked."""
        return await self._cache.read(self.message_filter, after, end, cache=self.followers > 1)

    def skip_empty(self, after: int) -> int:
        """The position, moved on to where the feed already knows that nothing is wanted before."""
        first, last = self._empty_range
        return last if first <= after < last else after

    async def wait(self) -> None:
        """Return when `head` or `skip_empty` has moved, or may have. Raises ServerStopping once released."""
        if self._is_shut_down:
            raise _stopping_error()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    @property
    def has_progress(self) -> bool:
        """Whether the log has come further than the followers have been told."""
        return self._notified_head < self._log.head

    def catch_up(self) -> None:
        """Move on to the log's head, if nothing wanted can be there."""
        if self.head == self.known_head < self._log.head:
            self.known_head = self._log.head
            self._skip_to(self.known_head)

    def report_progress(self) -> None:
        """The same, and let quiet followers know how far the log has come without anything for them."""
        self.catch_up()
        if self._notified_head < self.head and not self._delivery_handle and not self._scan_task:
            self._wake_waiters()

    def shut_down(self) -> None:
        self._is_shut_down = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(_stopping_error())

    def close(self) -> None:
        """Look no more."""
        self._unsubscribe()
        self._scanning.discard(self)
        if self._delivery_handle:
            self._delivery_handle.cancel()
        if self._scan_task:
            self._scan_task.cancel()

    def _on_commit(self, runs: Sequence[Run], size: int) -> None:
        """These are new."""
        self.known_head = self._log.head
        if self._recent_runs is not None:
            self._recent_runs += runs
            self._recent_bytes += size
            if self._recent_bytes > MAX_RECENT_BYTES or len(self._recent_runs) > MAX_RECENT_RUNS:
                self._recent_runs = None
        if not self._delivery_handle and not self._scan_task:
            self._deliver()

    def _deliver(self) -> None:
        """Show the followers what is new; if it is not at hand, and somebody waits for it, only after looking at it."""
        self._delivery_handle = None
        if self.head == self.known_head:
            self._scanning.discard(self)
            return
        self._scanning.add(self)
        start = asyncio.get_running_loop().time()
        recent_runs, self._recent_runs, self._recent_bytes = self._recent_runs, [], 0
        if recent_runs is not None:
            page = self.message_filter.apply(Page(recent_runs, self.known_head))
            if page.runs:
                self._cache.add((self.message_filter, self.head), page)
            self._advance_head(page.position, bool(page.runs), start)
        elif self._waiters:
            self._scan_task = asyncio.create_task(self._scan(self.known_head))
        else:
            self._advance_head(self.known_head, True, start)

    async def _scan(self, end: int) -> None:
        """Read on, until something is wanted or nothing is up to the goal."""
        start, position, matched = asyncio.get_running_loop().time(), self.head, False
        try:
            while position < end and not matched:
                page, _ = await self._cache.read(self.message_filter, position, end)
                position, matched = page.position, bool(page.runs)
                if not matched:
                    self._skip_to(position)
        except Exception:
            matched = True  # those who wait will meet the same, and tell their clients
        self._scan_task = None
        self._advance_head(end, matched, start)

    def _advance_head(self, head: int, matched: bool, start: float) -> None:
        """Raise the head, and wake the followers if there may be something for them; `start` is when it began to look."""
        # However many look for what is rare in what is much, they leave half of the time to those who write it.
        self._scan_cooldown = SCAN_COOLDOWN_FACTOR * len(self._scanning) * (asyncio.get_running_loop().time() - start)
        if matched:
            self.head = head
            self._wake_waiters()
        else:
            if self.head < head:
                self._skip_to(head)
            self._cool_down(self._scan_cooldown)

    def _skip_to(self, position: int) -> None:
        """Nothing is wanted up to this position."""
        first, last = self._empty_range
        self._empty_range = (first if last == self.head else self.head, position)
        self.head = position

    def _wake_waiters(self) -> None:
        """Wake all who sleep by now, some at a time, then rest."""
        self._notified_head = self.head
        self._wake_batch(list(self._waiters), asyncio.get_running_loop().time())

    def _wake_batch(self, waiters: "list[asyncio.Future[None]]", start: float) -> None:
        loop = asyncio.get_running_loop()
        for waiter in waiters[:WAKE_BATCH]:
            if not waiter.done():
                waiter.set_result(None)
        if waiters:
            self._delivery_handle = loop.call_soon(self._wake_batch, waiters[WAKE_BATCH:], start)
        else:
            self._cool_down(
                max(
                    self.followers * WAKE_SECONDS_PER_FOLLOWER,
                    WAKE_COOLDOWN_FACTOR * (loop.time() - start),
                    self._scan_cooldown,
                )
            )

    def _cool_down(self, seconds: float) -> None:
        self._delivery_handle = asyncio.get_running_loop().call_later(seconds, self._deliver)


def _stopping_error() -> ServerStopping:
    return ServerStopping("the server is stopping: reconnect and go on from the last cursor")
