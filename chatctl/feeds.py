"""Following: all followers of one filter share a feed, which looks into the log for them and wakes them.

What many want is read once. After it has woken its followers a feed rests, the longer the more they are: with more of them,
or at a higher pace, they get larger pages and not more of them. Whoever lags behind reads from the log like anybody else.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from chatctl.errors import Stopping
from chatctl.filters import Filter
from chatctl.log import MessageLog, Page, Run
from chatctl.pages import PAGE_MESSAGES, Answers, Cache

WAKE_SECONDS = 80e-6  # for each follower: about what one frame takes server and client together
WAKE_SHARE = 1  # and at least so many times as long as waking them took, which is longer where others need the machine, too
WAKE_AT_ONCE = 50  # then whoever else waits for the event loop has a turn
LOOK_SHARE = 2  # how many times as long as it has looked a feed rests, for each of those that look, too
FRESH_BYTES, FRESH_RUNS = 1024 * 1024, 4096  # of what was just stored: so much is kept until it is looked at
MOVE_ON_SECONDS = 30  # how often the cursors of quiet followers move on
TICKS = 30  # in which all feeds have their turn to do so


class Feeds:
    """The feeds of a log, one for each filter that is followed. Belongs to the event loop it is used in."""

    def __init__(self, log: MessageLog, page_messages: int = PAGE_MESSAGES) -> None:
        self._log = log
        self._feeds: OrderedDict[Filter, Feed] = OrderedDict()
        self._cache = Cache(log, min(page_messages, PAGE_MESSAGES))
        self._looking: set[Feed] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._released = False

    def join(self, wanted: Filter) -> "Feed":
        """Be a follower; `leave` in the end. Raises Stopping once released."""
        if self._released:
            raise _stopping()
        feed = self._feeds.get(wanted)
        if feed is None:
            if not self._feeds:
                self._unwatch = self._log.watch((), self._moved)
            feed = self._feeds[wanted] = Feed(wanted, self._log, self._cache, self._looking)
        feed.catch_up()
        feed.followers += 1
        return feed

    def leave(self, feed: "Feed") -> None:
        """Be no follower any more."""
        feed.followers -= 1
        if not feed.followers:
            feed.close()
            del self._feeds[feed.wanted]
            if not self._feeds:
                self._unwatch()

    def release(self) -> None:
        """Let everybody who waits, now or later, go with Stopping."""
        self._released = True
        for feed in self._feeds.values():
            feed.release()

    def _moved(self, _: Sequence[Run], __: int) -> None:
        if self._timer is None:
            self._tick_later()

    def _tick_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(MOVE_ON_SECONDS / TICKS, self._tick)

    def _tick(self) -> None:
        """Some feeds at a time move on, so that thousands of quiet ones do not all want something in the same moment."""
        self._timer = None
        for _ in range(-(-len(self._feeds) // TICKS)):
            wanted, feed = self._feeds.popitem(last=False)
            self._feeds[wanted] = feed
            feed.move_on()
        if any(feed.stale for feed in self._feeds.values()):
            self._tick_later()


class Feed:
    """What the followers of one filter share. `Feeds.join` gives it, and `leave` closes it with the last of them."""

    def __init__(self, wanted: Filter, log: MessageLog, cache: Cache, looking: "set[Feed]") -> None:
        """`looking` are the feeds that have something to look at, or rest from it."""
        self.followers = 0
        self.wanted = wanted
        self._log = log
        self._cache = cache
        self._looking = looking
        self.newest = log.head
        """No message that is wanted is beyond it."""
        self.head = self.newest
        """Followers read up to here; it follows `newest` at the pace that they can bear."""
        self._fresh: list[Run] | None = []  # all in its rooms beyond the head; None if that is much
        self._fresh_bytes = 0
        self._quiet = (self.head, self.head)  # after the first and up to the second nothing is wanted
        self._told = self.head  # the head when the followers were last woken
        self._sleepers: set[asyncio.Future[None]] = set()
        self._busy: asyncio.Handle | None = None  # waking its followers, or resting
        self._pause = 0.0  # seconds to rest for looking
        self._look: asyncio.Task[None] | None = None
        self._unwatch = log.watch(wanted.rooms, self._moved)
        self._released = False

    async def read(self, after: int, end: int) -> Answers:
        """The next page of messages with after < sequence <= end; the position of an empty one says how far it looked."""
        return await self._cache.read(self.wanted, after, end, keep=self.followers > 1)

    def skip(self, after: int) -> int:
        """The position, moved on to where the feed already knows that nothing is wanted before."""
        first, last = self._quiet
        return last if first <= after < last else after

    async def wait(self) -> None:
        """Return when `head` or `skip` has moved, or may have. Raises Stopping once released."""
        if self._released:
            raise _stopping()
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            self._sleepers.discard(sleeper)

    @property
    def stale(self) -> bool:
        """Whether the log has come further than the followers have been told."""
        return self._told < self._log.head

    def catch_up(self) -> None:
        """Move on to the log's head, if nothing wanted can be there."""
        if self.head == self.newest < self._log.head:
            self.newest = self._log.head
            self._pass_over(self.newest)

    def move_on(self) -> None:
        """The same, and let quiet followers know how far the log has come without anything for them."""
        self.catch_up()
        if self._told < self.head and not self._busy and not self._look:
            self._wake()

    def release(self) -> None:
        """See Feeds."""
        self._released = True
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_exception(_stopping())

    def close(self) -> None:
        """Look no more."""
        self._unwatch()
        self._looking.discard(self)
        if self._busy:
            self._busy.cancel()
        if self._look:
            self._look.cancel()

    def _moved(self, runs: Sequence[Run], size: int) -> None:
        """These are new."""
        self.newest = self._log.head
        if self._fresh is not None:
            self._fresh += runs
            self._fresh_bytes += size
            if self._fresh_bytes > FRESH_BYTES or len(self._fresh) > FRESH_RUNS:
                self._fresh = None
        if not self._busy and not self._look:
            self._go_on()

    def _go_on(self) -> None:
        """Show the followers what is new; if it is not at hand, and somebody waits for it, only after looking at it."""
        self._busy = None
        if self.head == self.newest:
            self._looking.discard(self)
            return
        self._looking.add(self)
        start = asyncio.get_running_loop().time()
        fresh, self._fresh, self._fresh_bytes = self._fresh, [], 0
        if fresh is not None:
            page = self.wanted.matching(Page(fresh, self.newest))
            if page.runs:
                self._cache.keep((self.wanted, self.head), page)
            self._show(page.position, bool(page.runs), start)
        elif self._sleepers:
            self._look = asyncio.create_task(self._look_on(self.newest))
        else:
            self._show(self.newest, True, start)

    async def _look_on(self, goal: int) -> None:
        """Read on, until something is wanted or nothing is up to the goal."""
        start, position, wanted = asyncio.get_running_loop().time(), self.head, False
        try:
            while position < goal and not wanted:
                answer, _ = await self._cache.read(self.wanted, position, goal)
                position, wanted = answer.position, bool(answer.runs)
                if not wanted:
                    self._pass_over(position)
        except Exception:
            wanted = True  # those who wait will meet the same, and tell their clients
        self._look = None
        self._show(goal, wanted, start)

    def _show(self, head: int, wanted: bool, start: float) -> None:
        """Raise the head, and wake the followers if there may be something for them; `start` is when it began to look."""
        # However many look for what is rare in what is much, they leave half of the time to those who write it.
        self._pause = LOOK_SHARE * len(self._looking) * (asyncio.get_running_loop().time() - start)
        if wanted:
            self.head = head
            self._wake()
        else:
            if self.head < head:
                self._pass_over(head)
            self._rest(self._pause)

    def _pass_over(self, position: int) -> None:
        """Nothing is wanted up to this position."""
        first, last = self._quiet
        self._quiet = (first if last == self.head else self.head, position)
        self.head = position

    def _wake(self) -> None:
        """Wake all who sleep by now, some at a time, then rest."""
        self._told = self.head
        self._wake_some(list(self._sleepers), asyncio.get_running_loop().time())

    def _wake_some(self, sleepers: "list[asyncio.Future[None]]", start: float) -> None:
        loop = asyncio.get_running_loop()
        for sleeper in sleepers[:WAKE_AT_ONCE]:
            if not sleeper.done():
                sleeper.set_result(None)
        if sleepers:
            self._busy = loop.call_soon(self._wake_some, sleepers[WAKE_AT_ONCE:], start)
        else:
            self._rest(max(self.followers * WAKE_SECONDS, WAKE_SHARE * (loop.time() - start), self._pause))

    def _rest(self, seconds: float) -> None:
        self._busy = asyncio.get_running_loop().call_later(seconds, self._go_on)


def _stopping() -> Stopping:
    return Stopping("the server is stopping: reconnect and go on from the last cursor")
