"""Following: all followers of one filter share a feed, which looks into the log for them and wakes them.

What many want is read once. A feed wakes its followers at most every 80 µs for each of them: with more of them, or at a
higher pace, they get larger pages and not more of them. Whoever lags behind reads from the log like anybody else.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from sys import getsizeof

from chatctl.errors import Stopping
from chatctl.filters import Filter
from chatctl.log import MessageLog, Run

PAGE_MESSAGES = 1000
WAKE_SECONDS = 80e-6  # for each follower: about what one frame takes server and client together
CACHE_BYTES = 8 * 1024 * 1024
ANSWER_BYTES, RUN_BYTES = 2000, 350  # of one without messages, and of a run without texts: about
MOVE_ON_SECONDS = 30  # how often the cursors of quiet followers move on
TICKS = 30  # in which all feeds have their turn to do so


@dataclass(slots=True, eq=False)
class Answer:
    """A part of what a query is answered with: messages in log order, and the sequence up to which (inclusive) it goes."""

    runs: list[Run]
    position: int
    live: bool = False
    """Whether everything that was stored when it was made has come."""
    frame: bytes = b""
    """What it is on the wire; kept here by whoever sends it to many."""

    def first(self, count: int) -> "Answer":
        """Its first `count` messages, or all if they are fewer."""
        left = count
        for i, run in enumerate(self.runs):
            if len(run.texts) >= left:
                return Answer([*self.runs[:i], run._replace(texts=run.texts[:left])], run.sequence + left - 1, self.live)
            left -= len(run.texts)
        return self


Answers = tuple[Answer, Answer]
"""The same page for those who are still reading what is stored, and for those who are live."""
Key = tuple[Filter, int]
"""What is wanted, and after which cursor."""


class Feeds:
    """The feeds of a log, one for each filter that is followed. Belongs to the event loop it is used in."""

    def __init__(self, log: MessageLog, page_messages: int = PAGE_MESSAGES) -> None:
        self._log = log
        self._feeds: OrderedDict[Filter, Feed] = OrderedDict()
        self._cache = Cache(log, min(page_messages, PAGE_MESSAGES))
        self._timer: asyncio.TimerHandle | None = None
        self._released = False

    @contextmanager
    def join(self, wanted: Filter) -> Iterator["Feed"]:
        """Be a follower. Raises Stopping once released."""
        if self._released:
            raise _stopping()
        feed = self._feeds.get(wanted)
        if feed is None:
            if not self._feeds:
                self._unwatch = self._log.watch((), self._moved)
            feed = self._feeds[wanted] = Feed(wanted, self._log, self._cache)
        feed.catch_up()
        feed.followers += 1
        try:
            yield feed
        finally:
            feed.followers -= 1
            if not feed.followers:
                feed.close()
                del self._feeds[wanted]
                if not self._feeds:
                    self._unwatch()

    def release(self) -> None:
        """Let everybody who waits, now or later, go with Stopping."""
        self._released = True
        for feed in self._feeds.values():
            feed.release()

    def _moved(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MOVE_ON_SECONDS / TICKS, self._tick)

    def _tick(self) -> None:
        """Some feeds at a time move on, so that thousands of quiet ones do not all want something in the same moment."""
        self._timer = None
        for _ in range(-(-len(self._feeds) // TICKS)):
            wanted, feed = self._feeds.popitem(last=False)
            self._feeds[wanted] = feed
            feed.move_on()
        if any(feed.stale for feed in self._feeds.values()):
            self._moved()


class Feed:
    """What the followers of one filter share. `Feeds.join` gives it, and closes it with the last of them."""

    def __init__(self, wanted: Filter, log: MessageLog, cache: "Cache") -> None:
        self.followers = 0
        self._wanted = wanted
        self._log = log
        self._cache = cache
        self.newest = log.head
        """No message that is wanted is beyond it."""
        self.head = self.newest
        """Followers read up to here; it follows `newest` at the pace that they can bear."""
        self._quiet = (self.head, self.head)  # after the first and up to the second nothing is wanted
        self._told = self.head  # the head when the followers were last woken
        self._sleepers: set[asyncio.Future[None]] = set()
        self._look: asyncio.Task[None] | None = None
        self._unwatch = log.watch(wanted.rooms, self._moved)
        self._released = False

    async def read(self, after: int, end: int) -> Answers:
        """The next page of messages with after < sequence <= end; the position of an empty one says how far it looked."""
        return await self._cache.read(self._wanted, after, end, keep=self.followers > 1)

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
        if self._look is None and self.head < self._log.head:
            self.newest = self._log.head
            self._pass_over(self.newest)

    def move_on(self) -> None:
        """The same, and let quiet followers know how far the log has come without anything for them."""
        self.catch_up()
        if self._told < self.head:
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
        if self._look:
            self._look.cancel()

    def _moved(self) -> None:
        self.newest = self._log.head
        if self._look is None:
            self._look = asyncio.create_task(self._look_on())

    async def _look_on(self) -> None:
        """Look at what is new, and wake the followers if they want some of it, until nothing is new."""
        clock = asyncio.get_running_loop().time
        while self.head < self.newest:
            start, goal, position = clock(), self.newest, 0
            if self._sleepers:  # else there is nobody to read it for
                position = await self._unwanted(goal)
            if position:
                self._pass_over(position)
                await asyncio.sleep(clock() - start)  # what is rarely wanted must not slow those who write the rest
            else:
                self.head = goal
                self._wake()
                await asyncio.sleep(self.followers * WAKE_SECONDS)
        self._look = None

    async def _unwanted(self, goal: int) -> int:
        """Read the next page for all; its position if nothing in it is wanted, else 0."""
        try:
            answer, _ = await self._cache.read(self._wanted, self.head, goal)
        except Exception:
            return 0  # those who wait will meet the same, and tell their clients
        return 0 if answer.runs else answer.position

    def _pass_over(self, position: int) -> None:
        """Nothing is wanted up to this position."""
        first, last = self._quiet
        self._quiet = (first if last == self.head else self.head, position)
        self.head = position

    def _wake(self) -> None:
        self._told = self.head
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)


class Cache:
    """Pages that several followers want, those used last; each is read once even if they ask in the same moment."""

    def __init__(self, log: MessageLog, count: int) -> None:
        self._log = log
        self._count = count
        self._kept: OrderedDict[Key, Answers] = OrderedDict()
        self._bytes = 0
        self._reading: dict[Key, asyncio.Task[Answers]] = {}

    async def read(self, wanted: Filter, after: int, end: int, keep: bool = True) -> Answers:
        """The first page after a cursor that was read up to `end` or before; kept for others or not."""
        key = (wanted, after)
        if answers := self._kept.get(key):
            if keep:
                self._kept.move_to_end(key)
            else:
                self._drop(key)
            return answers
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(key, end, keep))
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())  # even if nobody waits any more
        return await asyncio.shield(reading)  # whoever goes must not take the page from the others

    async def _read(self, key: Key, end: int, keep: bool) -> Answers:
        wanted, after = key
        try:
            page = await wanted.read(self._log, after, end, self._count)
        finally:
            del self._reading[key]
        answers = Answer(page.runs, page.position), Answer(page.runs, page.position, live=True)
        if keep:
            self._kept[key] = answers
            self._bytes += _size(answers)
            while self._bytes > CACHE_BYTES:
                self._drop(next(iter(self._kept)))
        return answers

    def _drop(self, key: Key) -> None:
        self._bytes -= _size(self._kept.pop(key))


def _size(answers: Answers) -> int:
    """About how many bytes it takes: the texts, and the frame that is made of them.

    A page of short messages by many is nearly all overhead, 400 bytes for each of them.
    """
    return ANSWER_BYTES + sum(RUN_BYTES + 2 * sum(map(getsizeof, run.texts)) for run in answers[0].runs)


def _stopping() -> Stopping:
    return Stopping("the server is stopping: reconnect and go on from the last cursor")
