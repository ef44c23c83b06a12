"""Clients in tasks in the process of a test: they send, join rooms or follow, and record the results."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from math import inf

import pytest

from chatctl.client import DeliveryReport, HistoryPage, Query
from chatctl.client.client import ChatClient
from chatctl.errors import Unavailable
from tests.support.waiting import TIMEOUT_SECONDS, until_async

ROOM = "lobby"


class SendTask:
    """An active send stream whose reports are collected."""

    def __init__(self, sending, notices):
        self.sending = sending
        self.notices = notices
        self.put = 0
        self.records = []  # (number, text, status, sequence) of each, in the order of the reports
        self.collecting = asyncio.create_task(self._collect())

    async def _collect(self):
        async for receipt, room, texts in self.sending.reports():
            assert room == ROOM
            assert receipt.count == len(texts)
            self.records += [
                (receipt.number + i, text, receipt.status, receipt.sequence + i) for i, text in enumerate(texts)
            ]  # fmt: skip

    def put_numbered(self, count):
        """Put this many more records; the text of each is its number."""
        self.sending.put(ROOM, [f"{self.put + i}" for i in range(1, count + 1)])
        self.put += count

    async def put_until(self, condition, max_records=inf):
        """Put records as fast as possible until the condition holds, at most `max_records`."""
        end = self.put + max_records
        while not condition():
            if self.put < end:
                self.put_numbered(250)
            else:
                await asyncio.sleep(0.01)
            with contextlib.suppress(TimeoutError):  # the condition may hold while no server is reachable
                await asyncio.wait_for(self.sending.drain(), 0.1)

    async def finish(self):
        self.sending.finish()
        await asyncio.wait_for(self.collecting, TIMEOUT_SECONDS)

    def numbers(self, *statuses):
        return [number for number, _, status, _ in self.records if status in statuses]

    def assert_all_in_order(self):
        assert [(number, text) for number, text, *_ in self.records] == [(n, f"{n}") for n in range(1, self.put + 1)]


@asynccontextmanager
async def send_task(address, timeout=TIMEOUT_SECONDS, input_id="input"):
    notices = []
    async with ChatClient(address, timeout, notices.append) as chat, chat.send("ann", input_id) as stream:
        sent = SendTask(stream, notices)
        try:
            yield sent
        finally:
            sent.collecting.cancel()
            await asyncio.wait([sent.collecting])


async def stored_texts(address, **conditions):
    """Return (sequence, text) of all stored messages."""
    async with ChatClient(address) as chat:
        pages = [page async for page in chat.read(Query(**conditions))]
    return [(run.sequence + i, text) for page in pages for run in page.runs for i, text in enumerate(run.texts)]


class RoomTask:
    """A user in rooms; records all events."""

    def __init__(self, joining):
        self.joining = joining
        self.events = []
        self.messages = []
        """(room, sequence, user, text) of all messages received."""
        self.errors_at_pages = []
        """What the stream gave as its error when each page came."""
        self.outcomes = []
        self._changed = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        try:
            async for event in self.joining.events():
                self.events.append(event)
                if isinstance(event, HistoryPage):
                    self.errors_at_pages.append(self.joining.last_error)
                    self.messages += [
                        (run.room, n, run.user, text) for run in event.runs for n, text in enumerate(run.texts, run.sequence)
                    ]
                elif isinstance(event, DeliveryReport):
                    self.outcomes.append(event)
                self._changed.set()
        finally:
            self._changed.set()

    async def until(self, condition):
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not condition():
                assert not self.task.done() or self.task.result(), "the stream has ended"
                self._changed.clear()
                await self._changed.wait()

    def events_of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def texts(self):
        return [text for *_, text in self.messages]

    async def wait_receiving(self):
        """Wait until it receives messages, and return it."""
        await self.until(lambda: self.events_of(HistoryPage))
        return self

    async def finish(self):
        self.joining.finish()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self.task


@asynccontextmanager
async def room_task(address, user, *rooms, timeout=0):
    async with ChatClient(address, timeout) as chat, chat.join(user, rooms) as joining:
        user_task = RoomTask(joining)
        yield user_task
        user_task.task.cancel()
        await asyncio.wait({user_task.task})


class FollowTask:
    """Follows in a task and records the messages; while `may_read` is cleared it takes no further page."""

    def __init__(self, chat, notices, query, from_now):
        self.notices = notices
        self._follower = chat.follow(query, from_now)
        self.texts = []
        self.sequences = []
        self.pages = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.task = asyncio.create_task(self._follow())

    async def _follow(self):
        async with self._follower:
            async for page in self._follower:
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
        return self._follower.last_error

    async def expect_first(self, count):
        """Wait until it has seen this many texts, and check that they are complete, in order and without duplicates."""
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
    """Wait as long as a follower without a server needs to give up."""
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
