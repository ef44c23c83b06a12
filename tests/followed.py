"""A follower over the client, in the process of a test, and what is sent for it to see."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from test_client_reconnect import TIMEOUT_SECONDS, until_async

from chatctl.client import ChatClient, Query
from chatctl.errors import Unavailable


class FollowTask:
    """What a follower has seen, in a task; while `may_read` is cleared it takes no further page."""

    def __init__(self, chat, notices, query, from_now):
        self.notices = notices
        self._chat = chat
        self.texts = []
        self.sequences = []
        self.pages = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.task = asyncio.create_task(self._follow(chat, query, from_now))

    async def _follow(self, chat, query, from_now):
        async for page in chat.follow(query, from_now):
            self.pages.append(page)
            for run in page.runs:
                self.texts += run.texts
                self.sequences += range(run.sequence, run.sequence + len(run.texts))
            await self.may_read.wait()

    @property
    def live(self):
        return bool(self.pages) and self.pages[-1].live

    @property
    def last_error(self):
        return self._chat.trouble

    async def expect_first(self, count):
        """Wait until it has seen so many, and see that they are all, in order and once."""
        await until_async(lambda: len(self.texts) >= count or self.task.done())
        assert self.texts == [f"{n}" for n in range(1, count + 1)]
        assert self.sequences == sorted(set(self.sequences))

    async def wait_ended(self):
        await asyncio.wait_for(self.task, TIMEOUT_SECONDS)


@asynccontextmanager
async def follow_task(address, timeout=TIMEOUT_SECONDS, from_now=False, **conditions):
    notices = []
    async with ChatClient(address, timeout, notices.append) as chat:
        follower = FollowTask(chat, notices, Query(**conditions), from_now)
        try:
            yield follower
        finally:
            follower.task.cancel()
            await asyncio.wait([follower.task])


async def wait_out(timeout):
    """Wait for as long as another follower, who has no server, needs to give up."""
    async with follow_task("127.0.0.1:1", timeout=timeout) as other:
        with pytest.raises(Unavailable):
            await other.wait_ended()


async def send_numbered(address, first, last, room="lobby"):
    """Store messages; the text of each is its number."""
    async with ChatClient(address) as chat, chat.send("ann", room) as sending:
        for start in range(first, last + 1, 500):
            numbers = range(start, min(start + 500, last + 1))
            sending.put(room, [f"{n}" for n in numbers], start)
        sending.finish()
        assert [outcome async for outcome in sending.reports()]
