"""Many followers with random filters that stall, leave and return while several users write."""

import asyncio
import contextlib
import random
from contextlib import aclosing

import pytest

from chatctl.core import feeds, history, page_cache
from chatctl.core.chat import Chat
from chatctl.model.limits import Limits
from chatctl.model.messages import Query
from tests.support.feed_followers import cursor
from tests.support.logs import batch, messages, opened_log, page_messages
from tests.support.waiting import until_async

ROOMS, USERS, WORDS = ("den", "lobby", "attic"), ("ann", "bob", "eve"), ("hay", "straw", "Needle", "grass")


class Wanderer:
    """A follower that stalls, leaves and returns with its last cursor, at random."""

    def __init__(self, log, chat, rng):
        self.seen = []
        self._chat, self._rng = chat, rng
        self.rooms = tuple(rng.sample(ROOMS, rng.choice((0, 0, 1, 2))))
        self.users = tuple(rng.sample(USERS, rng.choice((0, 0, 0, 1))))
        self.contains = rng.choice(("", "", "", "needle"))
        self.also_contains = rng.choice(((), (), ("1",), ("1", "2")))
        self.start = rng.choice((0, log.head, rng.randrange(log.head + 1)))
        self.position = self.start
        self._stalls = rng.choice((0, 0, 0.001, 0.02))
        self._stays = rng.choice((0.02, 0.1, 10))
        self.task = asyncio.create_task(self._wander())

    async def _wander(self):
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rng.random() * self._stays):
                    await self._follow()

    async def _follow(self):
        after = cursor(self._chat.log, self.position)
        query = Query(
            rooms=self.rooms,
            users=self.users,
            contains=self.contains,
            also_contains=self.also_contains,
            after=after,
            follow=True,
        )
        async with aclosing(history.read(self._chat, query)) as answers:
            async for answer in answers:
                assert answer.position >= self.position
                self.position = answer.position
                self.seen += page_messages(answer)
                if self._stalls:
                    await asyncio.sleep(self._rng.random() * self._stalls)

    def expected(self, everything):
        return [
            (sequence, room, user, text)
            for sequence, room, user, text in everything
            if sequence > self.start
            and room in (self.rooms or ROOMS)
            and user in (self.users or USERS)
            and all(needle in text.casefold() for needle in (self.contains, *self.also_contains))
        ]


async def write(log, user, rng):
    for number in range(40):
        texts = [f"{rng.choice(WORDS)} {number}.{i}" for i in range(rng.choice((1, 1, 1, 3, 30)))]
        await log.append(batch(*texts, number=1 + 100 * number, room=rng.choice(ROOMS), user=user))
        await asyncio.sleep(rng.choice((0, 0, 0.002)))


@pytest.mark.parametrize("paced", [False, True])
async def test_every_follower_gets_its_matches_in_order_and_once(tmp_path, monkeypatch, paced):
    seed = random.randrange(1_000_000)
    print("seed", seed)
    rng = random.Random(seed)
    monkeypatch.setattr(page_cache, "MAX_CACHE_BYTES", 20_000)
    if paced:
        monkeypatch.setattr(feeds, "PROGRESS_INTERVAL_SECONDS", 0.03)
        monkeypatch.setattr(feeds, "PROGRESS_TICKS", 3)
        monkeypatch.setattr(history, "SEARCH_PROGRESS_SECONDS", 0.01)
        monkeypatch.setattr(feeds, "WAKE_SECONDS_PER_FOLLOWER", 1e-3)
        monkeypatch.setattr(feeds, "MAX_RECENT_RUNS", 2)
        monkeypatch.setattr(feeds, "WAKE_BATCH", 2)

    async with opened_log(f"sqlite:{tmp_path}/chat.db") as log:
        chat = Chat(log, Limits(batch_messages=7))
        wanderers = []
        writers = [asyncio.create_task(write(log, user, random.Random(rng.random()))) for user in USERS]
        while not all(writer.done() for writer in writers):
            if len(wanderers) < 40:
                wanderers.append(Wanderer(log, chat, random.Random(rng.random())))
            await asyncio.sleep(rng.random() * 0.005)
        await asyncio.gather(*writers)
        everything = await messages(log)
        assert len(everything) == log.head
        for wanderer in wanderers:
            expected = wanderer.expected(everything)
            await until_async(lambda wanderer=wanderer, expected=expected: len(wanderer.seen) >= len(expected))
            assert wanderer.seen == expected
        for wanderer in wanderers:
            assert not wanderer.task.done(), wanderer.task
            wanderer.task.cancel()
        await asyncio.wait([wanderer.task for wanderer in wanderers])
        await until_async(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        assert chat.feeds._feeds == {}
