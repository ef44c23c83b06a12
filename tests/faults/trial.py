"""A trial: a server with its keeper, a proxy, senders and readers at work, and the checker, who watches them all."""

import asyncio
import contextlib
import random

from checker import Checker, Kind
from contract import FULL, Connection
from inputs import Input
from keeper import Keeper
from proxy import Proxy
from readers import Follower, read
from senders import FULL_EXIT, Piped, Talker
from tails import Tail
from waiting import until

from chatctl.v1 import chat_pb2 as pb

ROOMS = ("den", "lobby", "war room")
TALK = 0.1  # the share of the messages that each talker says; the rest is piped
LATEST = 0.75  # the part of a round's receipts after which no fault begins
JITTER_SECONDS = 0.02  # a fault comes up to so much later than the receipt it waits for
ROUND_SECONDS = 180  # a round that takes longer hangs


class Found(AssertionError):
    """The checker, or a process, found something wrong."""


class Trial:
    """An async context manager. The store stays when it ends; `seed` decides what is random."""

    def __init__(self, directory, seed, pipes=3, timeout="2s", prefix=(), store=None):
        """`directory` is for what the faults need; `pipes` is how many `chatctl send` are at work at once."""
        self.directory = directory
        self.seed = seed
        self.rng = random.Random(seed)
        self.checker = Checker()
        self.keeper = Keeper(store or directory / "chat.db", prefix)
        self.proxy = Proxy(self.keeper.address)
        self.piped = []  # those of this round
        self.followers = []
        self.talkers = []
        self.tails = []
        self.sent = 0
        self.runs = 0  # of `chatctl send`
        self._pipes = pipes
        self._timeout = timeout
        self._cursor = ""  # up to where the checker has read the log
        self._jobs = 0
        self._stack = contextlib.AsyncExitStack()
        self._tasks = []

    async def __aenter__(self):
        await self._stack.enter_async_context(self.keeper)
        await self._stack.enter_async_context(self.proxy)
        direct, proxied = self.keeper.address, self.proxy.address
        for name, address, rooms in (
            ("follower of everything", direct, ()),
            ("follower of everything through the proxy", proxied, ()),
            ("follower of a room", direct, ROOMS[:1]),
            ("follower of two rooms through the proxy", proxied, ROOMS[1:]),
        ):
            self.followers.append(Follower(self.keeper, address, self.checker.reader(name, rooms)))
        async with Connection(direct) as stub:
            head = (await stub.GetStats(pb.GetStatsRequest())).head
        for number, address in enumerate((direct, proxied)):
            what = Input("tim", f"talk-{number}", ROOMS[number], 0)
            seen = self.checker.reader(f"talker {number}")
            self.talkers.append(Talker(self.keeper, address, self.checker, what, seen, head, self.rng))
        for number, (address, rooms) in enumerate(((direct, ()), (proxied, ROOMS[1:]))):
            seen = self.checker.reader(f"follower of the command line {number}", rooms)
            self.tails.append(Tail(address, self.directory / f"cursor-{number}", seen, self._timeout))
        self._tasks = [asyncio.create_task(actor.run()) for actor in self._readers]
        return self

    async def __aexit__(self, kind, error, *_):
        if error:
            error.add_note(f"seed {self.seed}")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    # --- rounds

    async def round(self, messages, faults):
        """Send so many messages while the faults happen, then check what came in since the last round.

        A fault is an async function of the trial; each begins at a random moment, with some work left to harm.
        """
        before = self.checker.confirmed
        self.sent += messages
        self._share_out(messages)
        moments = sorted(before + int(messages * self.rng.random() * LATEST) for _ in faults)
        senders = asyncio.gather(*(piped.run() for piped in self.piped), self._silence())
        trouble = asyncio.create_task(self._trouble(list(zip(moments, faults, strict=True))))
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                await asyncio.gather(senders, trouble)
        finally:
            senders.cancel()
            trouble.cancel()
            await asyncio.gather(senders, trouble, return_exceptions=True)
        self.runs += sum(piped.ends.total() for piped in self.piped)
        await self.judge()

    def _share_out(self, messages):
        """Give every sender its part."""
        for talker in self.talkers:
            talker.say(int(messages * TALK))
        left = messages - sum(int(messages * TALK) for _ in self.talkers)
        self.piped = []
        for i in range(self._pipes):
            count = left // (self._pipes - i)
            left -= count
            self._jobs += 1
            what = Input(self.rng.choice(("ann", "bob")), f"job-{self._jobs}", self.rng.choice(ROOMS), count)
            address = self.proxy.address if i == 0 else self.keeper.address
            self.piped.append(Piped(self.keeper, address, self.checker, what, self.rng, self._timeout))

    async def _silence(self):
        await until(lambda: all(talker.silent for talker in self.talkers) or self._ended(), "the talkers' receipts")

    async def _trouble(self, moments):
        for moment, fault in moments:
            await until(lambda moment=moment: self.checker.confirmed >= moment or self._ended(), f"receipt {moment}")
            await asyncio.sleep(self.rng.random() * JITTER_SECONDS)
            await fault(self)

    def _ended(self):
        """Raise if an actor, who never should, has ended."""
        for task in self._tasks:
            if task.done():
                task.result()
        return False

    # --- judging

    async def judge(self):
        """Read what is new in the log, wait until all readers have seen it, and compare. Raises Found."""
        await self.keeper.ready()
        self._cursor = await read(self.keeper.address, self.checker.log, self._cursor)
        readers = [actor.seen for actor in self._readers]
        due = {reader: self.checker.newest(reader.rooms) for reader in readers}
        with contextlib.suppress(AssertionError):  # the checker says it better
            await until(lambda: all(reader.last >= due[reader] for reader in readers) or self._ended(), "the readers")
        self.checker.check()
        self.raise_faults()

    def raise_faults(self):
        faults = [*(f"{fault.kind}: {fault.what}" for fault in self.checker.faults), *self.keeper.faults]
        if faults:
            counts = {str(kind): count for kind, count in self.checker.counts.items()}
            raise Found(f"seed {self.seed}, store {self.keeper.store}, {counts}:\n" + "\n".join(faults))

    async def end(self):
        """The last word: every record is there, and the log read again from its beginning is the same. Raises Found."""
        self.checker.complete()
        await read(self.keeper.address, self.checker.reader("the log, read again").see)
        self.checker.check()
        async with Connection(self.keeper.address) as stub:
            counted = (await stub.GetStats(pb.GetStatsRequest())).num_messages
        if counted != self.sent:
            self.checker.fault(Kind.CHANGED, f"the server counts {counted} messages, {self.sent} were sent")
        self.raise_faults()

    @property
    def is_done(self):
        """Whether every record sent so far has its receipt."""
        return self.checker.confirmed >= self.sent

    @property
    def refusals(self):
        """How often a sender was told that the disk is full."""
        talkers = sum(talker.refused[FULL] for talker in self.talkers)
        return talkers + sum(piped.ends[FULL_EXIT] for piped in self.piped)

    @property
    def reconnects(self):
        return sum(actor.reconnects for actor in self._readers)

    @property
    def _readers(self):
        return (*self.followers, *self.talkers, *self.tails)
