"""Followers in the process of a test, and a log that records its reads."""

import asyncio
import contextlib
from contextlib import aclosing

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.model.limits import Limits
from chatctl.model.messages import Query
from tests.support.logs import batch, page_messages
from tests.support.waiting import until_async


class FeedFollower:
    """Follows in a task; while `may_read` is cleared it takes no further page."""

    def __init__(self, chat, **conditions):
        self.pages = []
        self.seen = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.task = asyncio.create_task(self._follow(chat, Query(follow=True, **conditions)))

    async def _follow(self, chat, query):
        async with aclosing(history.read(chat, query)) as answers:
            async for answer in answers:
                self.pages.append(answer)
                self.seen += page_messages(answer)
                await self.may_read.wait()

    @property
    def texts(self):
        return [text for *_, text in self.seen]

    @property
    def live(self):
        return bool(self.pages) and self.pages[-1].live

    @property
    def position(self):
        return self.pages[-1].position if self.pages else -1

    async def expect_texts(self, *texts):
        """Wait until it has seen this many texts, then compare."""
        await until_async(lambda: len(self.seen) >= len(texts) or self.task.done())
        assert self.texts == list(texts)

    async def cancel(self):
        self.task.cancel()
        await asyncio.wait({self.task})


@contextlib.asynccontextmanager
async def live_followers(log, count=1, limits=None, **conditions):
    """Start followers and wait until they are live. Yields the chat and the followers, and cancels them at the end."""
    chat = Chat(log, limits or Limits())
    followers = [FeedFollower(chat, **conditions) for _ in range(count)]
    try:
        await until_async(lambda: all(follower.live for follower in followers))
        yield chat, followers
    finally:
        for follower in followers:
            await follower.cancel()


class RecordedReads(list):
    """Replaces `log.read` and records (rooms, after) of each call. While `may_answer` is cleared, reads wait."""

    def __init__(self, log):
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error = None
        self._read = log.read
        log.read = self

    async def __call__(self, selection, after, *rest):
        self.append((selection.rooms, after))
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return await self._read(selection, after, *rest)


async def append_each(log, *texts, room="lobby", user="ann"):
    """Store messages, each in a batch."""
    for text in texts:
        await log.append(batch(text, number=log.head + 1, room=room, user=user))


async def append_many(log, count):
    """Store many messages in a few commits; the text of each is its sequence."""
    end = log.head + count + 1
    for first in range(log.head + 1, end, 500):
        await log.append(batch(*map(str, range(first, min(first + 500, end))), number=first))


def cursor(log, sequence):
    return f"{log.id}:{sequence}"
