"""A trial: a server with its supervisor, a proxy, senders and readers at work, and the checker that compares them."""

import asyncio
import contextlib
import random

from chatctl.v1 import chat_pb2 as pb
from tests.faults.checker import Checker, ViolationKind
from tests.faults.follower_processes import RestartedFollower
from tests.faults.grpc_api import STORE_FULL, Connection
from tests.faults.inputs import Input
from tests.faults.readers import ReconnectingFollower, read_log
from tests.faults.senders import FULL_EXIT, SendProcess, StreamClient
from tests.faults.strict_proxy import StrictProxy
from tests.faults.supervisor import ServerSupervisor
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until_async

SEED = random.randrange(1_000_000)


async def run_trial(directory, rounds, messages, **options):
    """Run a trial with a list of faults for each round, and return it. Raises ViolationFound."""
    async with Trial(directory, SEED, **options) as trial:
        for chosen in rounds:
            await trial.run_round(messages, chosen)
        await trial.final_check()
    assert trial.checker.confirmed == trial.sent == messages * len(rounds)
    return trial


ROOMS = ("den", "lobby", "war room")
STREAM_SHARE = 0.1  # of all messages, by each stream client; the rest goes through `chatctl send`
LATEST_FAULT = 0.75  # no fault begins after this part of a round's receipts
JITTER_SECONDS = 0.02  # a fault begins up to this much later than the receipt it waits for
ROUND_SECONDS = 180  # a longer round hangs


class ViolationFound(AssertionError):
    """The checker found a violation, or a process ended unexpectedly."""


class Trial:
    """An async context manager. The store is kept when it ends; `seed` is for all random choices."""

    def __init__(self, directory, seed, pipes=3, timeout="2s", prefix=(), store=None):
        """`directory` is for files of the faults; `pipes` is the number of concurrent `chatctl send`."""
        self.directory = directory
        self.seed = seed
        self.rng = random.Random(seed)
        self.checker = Checker()
        self.supervisor = ServerSupervisor(store or directory / "chat.db", prefix)
        self.proxy = TcpProxy(self.supervisor.address)
        self.strict_proxy = StrictProxy(self.supervisor.address, directory / "strict-proxy")
        self.send_processes = []  # of this round
        self.followers = []
        self.stream_clients = []
        self.follower_processes = []
        self.sent = 0
        self.runs = 0  # of `chatctl send`
        self._num_send_processes = pipes
        self._timeout = timeout
        self._cursor = ""  # up to where the checker has read the log
        self._num_inputs = 0
        self._stack = contextlib.AsyncExitStack()
        self._tasks = []

    async def __aenter__(self):
        await self._stack.enter_async_context(self.supervisor)
        await self._stack.enter_async_context(self.proxy)
        await self._stack.enter_async_context(self.strict_proxy)
        direct, proxied = self.supervisor.address, self.proxy.address
        for name, address, rooms in (
            ("follower of everything", direct, ()),
            ("follower of everything through the proxy", proxied, ()),
            ("follower of a room", direct, ROOMS[:1]),
            ("follower of two rooms through the proxy", proxied, ROOMS[1:]),
        ):
            self.followers.append(ReconnectingFollower(self.supervisor, address, self.checker.add_reader(name, rooms)))
        async with Connection(direct) as stub:
            head = (await stub.GetStats(pb.GetStatsRequest())).head
        for number, address in enumerate((direct, proxied)):
            sent = Input("tim", f"stream-{number}", ROOMS[number], 0)
            check = self.checker.add_reader(f"stream client {number}")
            self.stream_clients.append(StreamClient(self.supervisor, address, self.checker, sent, check, head, self.rng))
        for number, (address, rooms) in enumerate(((direct, ()), (proxied, ROOMS[1:]), (self.strict_proxy.address, ()))):
            check = self.checker.add_reader(f"follower process {number}", rooms)
            self.follower_processes.append(
                RestartedFollower(address, self.directory / f"cursor-{number}", check, self._timeout)
            )
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

    async def run_round(self, messages, faults):
        """Send messages while the faults happen, then check all that arrived since the last round.

        A fault is an async function of the trial. Each begins at a random moment while work is left.
        """
        before = self.checker.confirmed
        self.sent += messages
        self._assign_inputs(messages)
        moments = sorted(before + int(messages * self.rng.random() * LATEST_FAULT) for _ in faults)
        senders = asyncio.gather(*(process.run() for process in self.send_processes), self._wait_confirmed())
        injecting = asyncio.create_task(self._inject_faults(list(zip(moments, faults, strict=True))))
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                await asyncio.gather(senders, injecting)
        finally:
            senders.cancel()
            injecting.cancel()
            await asyncio.gather(senders, injecting, return_exceptions=True)
        self.runs += sum(process.exit_codes.total() for process in self.send_processes)
        await self.check_log()

    def _assign_inputs(self, messages):
        """Divide the messages among the senders."""
        for client in self.stream_clients:
            client.add_texts(int(messages * STREAM_SHARE))
        unassigned = messages - sum(int(messages * STREAM_SHARE) for _ in self.stream_clients)
        addresses = (self.proxy.address, self.strict_proxy.address, self.supervisor.address)
        self.send_processes = []
        for i in range(self._num_send_processes):
            count = unassigned // (self._num_send_processes - i)
            unassigned -= count
            self._num_inputs += 1
            sent = Input(self.rng.choice(("ann", "bob")), f"job-{self._num_inputs}", self.rng.choice(ROOMS), count)
            address = addresses[i % len(addresses)]
            self.send_processes.append(SendProcess(self.supervisor, address, self.checker, sent, self.rng, self._timeout))

    async def _wait_confirmed(self):
        await until_async(
            lambda: all(client.is_confirmed for client in self.stream_clients) or self._raise_if_ended(),
            "the receipts of the stream clients",
            ROUND_SECONDS,
        )

    async def _inject_faults(self, moments):
        for moment, fault in moments:
            await until_async(
                lambda moment=moment: self.checker.confirmed >= moment or self._raise_if_ended(),
                f"receipt {moment}",
                ROUND_SECONDS,
            )
            await asyncio.sleep(self.rng.random() * JITTER_SECONDS)
            await fault(self)

    def _raise_if_ended(self):
        """Raise the error of a reader or stream client that has ended, which none should. Return False."""
        for task in self._tasks:
            if task.done():
                task.result()
        return False

    # --- judging

    async def check_log(self):
        """Read the new part of the log, wait until all readers have seen it, and compare. Raises ViolationFound."""
        await self.supervisor.wait_ready()
        self._cursor = await read_log(self.supervisor.address, self.checker.add_messages, self._cursor)
        checks = [actor.check for actor in self._readers]
        expected = {check: self.checker.last_sequence(check.rooms) for check in checks}
        with contextlib.suppress(AssertionError):  # the checker explains it better
            await until_async(
                lambda: all(check.last >= expected[check] for check in checks) or self._raise_if_ended(), "the readers"
            )
        self.checker.check()
        self.raise_violations()

    def raise_violations(self):
        found = [*(f"{each.kind}: {each.text}" for each in self.checker.violations), *self.supervisor.unexpected_ends]
        if found:
            counts = {str(kind): count for kind, count in self.checker.counts.items()}
            raise ViolationFound(f"seed {self.seed}, store {self.supervisor.store}, {counts}:\n" + "\n".join(found))

    async def final_check(self):
        """Check that every record is stored, and that the log reads the same from its beginning. Raises ViolationFound."""
        self.checker.complete()
        await read_log(self.supervisor.address, self.checker.add_reader("the log, read again").add)
        self.checker.check()
        async with Connection(self.supervisor.address) as stub:
            counted = (await stub.GetStats(pb.GetStatsRequest())).num_messages
        if counted != self.sent:
            self.checker.add_violation(ViolationKind.CHANGED, f"the server counts {counted} messages, {self.sent} were sent")
        self.raise_violations()

    @property
    def is_done(self):
        """Whether all records sent so far have their receipt."""
        return self.checker.confirmed >= self.sent

    @property
    def refusals(self):
        """How often a sender had the error of a full disk."""
        failed_streams = sum(client.failures[STORE_FULL] for client in self.stream_clients)
        return failed_streams + sum(process.exit_codes[FULL_EXIT] for process in self.send_processes)

    @property
    def reconnects(self):
        return sum(actor.reconnects for actor in self._readers)

    @property
    def _readers(self):
        return (*self.followers, *self.stream_clients, *self.follower_processes)
