"""Feeds: all followers with the same filter share a feed, which searches new messages for them and wakes them.

The followers' pages are read once. After a wake-up the feed cools down, longer for more followers. So more followers, or a
higher rate of messages, lead to larger pages instead of more pages. A follower that lags behind reads from the log.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from chatctl.core.filters import MessageFilter
from chatctl.core.message_log import MessageLog
from chatctl.core.page_cache import PAGE_MESSAGES, PageCache, PagePair
from chatctl.errors import ServerStopping
from chatctl.model.messages import Page, Run

# After a wake-up a feed cools down for 80 µs per follower, about what a frame costs server and client together. It cools
# down for at least as long as the wake-up took, which is longer on a busy machine.
WAKE_SECONDS_PER_FOLLOWER, WAKE_COOLDOWN_FACTOR = 80e-6, 1
WAKE_BATCH = 50  # followers woken before other tasks of the event loop have a turn
SCAN_COOLDOWN_FACTOR = 2  # cool-down after a scan, in durations of the scan, for each feed that scans at this time
MAX_RECENT_BYTES, MAX_RECENT_RUNS = 1024 * 1024, 4096  # of new messages kept for the next delivery
# Followers hear something at least this often, if only their position: proxies cut quiet streams, nginx after 60 s.
PROGRESS_INTERVAL_SECONDS = 30
PROGRESS_TICKS = 30  # in an interval; each serves a part of the feeds, and a feed has its turn three times
PROGRESS_TURNS = 3


class FeedRegistry:
    """The feeds of a log, one for each filter with followers. Belongs to one event loop."""

    def __init__(self, log: MessageLog, page_messages: int = PAGE_MESSAGES) -> None:
        self._log = log
        self._feeds: OrderedDict[MessageFilter, Feed] = OrderedDict()
        self._cache = PageCache(log, min(page_messages, PAGE_MESSAGES))
        self._scanning: set[Feed] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_shut_down = False

    def acquire(self, message_filter: MessageFilter) -> "Feed":
        """Add a follower and return its feed; `release` it later. Raises ServerStopping after `shut_down`."""
        if self._is_shut_down:
            raise _stopping_error()
        feed = self._feeds.get(message_filter)
        if feed is None:
            if not self._feeds:
                self._schedule_tick()
            feed = self._feeds[message_filter] = Feed(message_filter, self._log, self._cache, self._scanning)
        feed.catch_up()
        feed.followers += 1
        return feed

    def release(self, feed: "Feed") -> None:
        """Remove a follower."""
        feed.followers -= 1
        if not feed.followers:
            feed.close()
            del self._feeds[feed.message_filter]
            if not self._feeds and self._timer:
                self._timer.cancel()
                self._timer = None

    def shut_down(self) -> None:
        """Raise ServerStopping in all followers that wait, now or later."""
        self._is_shut_down = True
        for feed in self._feeds.values():
            feed.shut_down()

    def _schedule_tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PROGRESS_INTERVAL_SECONDS / PROGRESS_TICKS, self._tick)

    def _tick(self) -> None:
        """Report progress in a part of the feeds, so that thousands of them do not wake their followers at once."""
        for _ in range(-(-len(self._feeds) * PROGRESS_TURNS // PROGRESS_TICKS)):
            message_filter, feed = self._feeds.popitem(last=False)
            self._feeds[message_filter] = feed
            feed.report_progress()
        self._schedule_tick()


class Feed:
    """The shared state of the followers of one filter. `FeedRegistry.acquire` creates it, `release` closes it.

    `scanning` is the set of feeds that have new messages to search, or cool down afterwards.
    """

    def __init__(self, message_filter: MessageFilter, log: MessageLog, cache: PageCache, scanning: "set[Feed]") -> None:
        self.followers = 0
        self.message_filter = message_filter
        self._log = log
        self._cache = cache
        self._scanning = scanning
        self.known_head = log.head
        """No matching message is after it."""
        self.head = self.known_head
        """Followers read up to here. It follows `known_head` at a pace that they can keep."""
        self._recent_runs: list[Run] | None = []  # all of its rooms and input after the head; None if they are too many
        self._recent_bytes = 0
        self._empty_range = (self.head, self.head)  # first < sequence <= last: no match
        self._last_wakeup = asyncio.get_running_loop().time()
        self._progress_due = False  # the followers are to be woken after the work under way, with or without a match
        self._waiters: set[asyncio.Future[None]] = set()
        self._delivery_handle: asyncio.Handle | None = None  # the wake-up or cool-down under way
        self._scan_cooldown = 0.0  # seconds
        self._scan_task: asyncio.Task[None] | None = None
        self._unsubscribe = log.subscribe(message_filter.rooms, self._on_commit, message_filter.input_id)
        self._is_shut_down = False

    async def read(self, after: int, end: int) -> PagePair:
        """Return the next page with after < sequence <= end. The position of an empty page says how far it was searched."""
        return await self._cache.read(self.message_filter, after, end, cache=self.followers > 1)

    def skip_empty(self, after: int) -> int:
        """Return the position after messages that do not match, as far as the feed knows them."""
        first, last = self._empty_range
        return last if first <= after < last else after

    async def wait(self) -> None:
        """Wait until the follower may read on or should report its position. Raises ServerStopping after `shut_down`."""
        if self._is_shut_down:
            raise _stopping_error()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def catch_up(self) -> None:
        """Advance to the log's head if no message in between can match."""
        if self.head == self.known_head < self._log.head:
            self.known_head = self._log.head
            self._skip_to(self.known_head)

    def report_progress(self) -> None:
        """Catch up, and wake followers that have waited for long so that they report their position in the log."""
        self.catch_up()
        quiet_seconds = asyncio.get_running_loop().time() - self._last_wakeup
        if quiet_seconds < PROGRESS_INTERVAL_SECONDS * (1 - 1 / PROGRESS_TURNS):
            return  # the next turn is early enough
        if self._delivery_handle or self._scan_task:
            self._progress_due = True
        else:
            self._wake_waiters()

    def shut_down(self) -> None:
        """Raise ServerStopping in the followers that wait, now or later."""
        self._is_shut_down = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(_stopping_error())

    def close(self) -> None:
        """Stop. Call it after the last follower has left."""
        self._unsubscribe()
        self._scanning.discard(self)
        if self._delivery_handle:
            self._delivery_handle.cancel()
        if self._scan_task:
            self._scan_task.cancel()

    def _on_commit(self, runs: Sequence[Run], size: int) -> None:
        self.known_head = self._log.head
        if self._recent_runs is not None:
            self._recent_runs += runs
            self._recent_bytes += size
            if self._recent_bytes > MAX_RECENT_BYTES or len(self._recent_runs) > MAX_RECENT_RUNS:
                self._recent_runs = None
        if not self._delivery_handle and not self._scan_task:
            self._deliver()

    def _deliver(self) -> None:
        """Deliver the recent messages; scan the log instead if they were too many and a follower waits."""
        self._delivery_handle = None
        if self.head == self.known_head:
            self._scanning.discard(self)
            if self._progress_due:
                self._wake_waiters()
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
        """Read up to the first match or to `end`."""
        start, position, matched = asyncio.get_running_loop().time(), self.head, False
        try:
            while position < end and not matched:
                page, _ = await self._cache.read(self.message_filter, position, end)
                position, matched = page.position, bool(page.runs)
                if not matched:
                    self._skip_to(position)
        except Exception:
            matched = True  # the followers' reads will fail, too, and report the error to their clients
        self._scan_task = None
        self._advance_head(end, matched, start)

    def _advance_head(self, head: int, matched: bool, start: float) -> None:
        """Raise the head, and wake the followers if there may be a match. `start` is the time when the search began."""
        # However many feeds scan, they leave half of the time to the senders.
        self._scan_cooldown = SCAN_COOLDOWN_FACTOR * len(self._scanning) * (asyncio.get_running_loop().time() - start)
        if matched:
            self.head = head
            self._wake_waiters()
        else:
            if self.head < head:
                self._skip_to(head)
            if self._progress_due:
                self._wake_waiters()
            else:
                self._cool_down(self._scan_cooldown)

    def _skip_to(self, position: int) -> None:
        """Advance the head over messages that do not match."""
        first, last = self._empty_range
        self._empty_range = (first if last == self.head else self.head, position)
        self.head = position

    def _wake_waiters(self) -> None:
        """Wake the followers that wait now, a batch at a time, then cool down."""
        self._last_wakeup, self._progress_due = asyncio.get_running_loop().time(), False
        self._wake_batch(list(self._waiters), self._last_wakeup)

    def _wake_batch(self, waiters: "list[asyncio.Future[None]]", start: float) -> None:
        loop = asyncio.get_running_loop()
        for waiter in waiters[:WAKE_BATCH]:
            if not waiter.done():
                waiter.set_result(None)
        if waiters:
            self._delivery_handle = loop.call_soon(self._wake_batch, waiters[WAKE_BATCH:], start)
        else:
            wake_cooldown = self.followers * WAKE_SECONDS_PER_FOLLOWER
            self._cool_down(max(wake_cooldown, WAKE_COOLDOWN_FACTOR * (loop.time() - start), self._scan_cooldown))

    def _cool_down(self, seconds: float) -> None:
        self._delivery_handle = asyncio.get_running_loop().call_later(seconds, self._deliver)


def _stopping_error() -> ServerStopping:
    return ServerStopping("the server is stopping", "reconnect and continue from the last cursor")
