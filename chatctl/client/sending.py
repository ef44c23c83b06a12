"""Sending: records go out on a stream, and on the next one when it breaks, until each has its receipt."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress

from chatctl import wire
from chatctl.chat import Limits
from chatctl.client.call import NO_SERVER_ADVICE, Call, silence
from chatctl.client.patience import Patience
from chatctl.client.window import Outcome, Window
from chatctl.errors import ChatError, LogChanged, OtherVersion, Passing, TimedOut, Unavailable, Unexpected
from chatctl.v1 import chat_pb2 as pb

RETRY_SECONDS, RETRY_MOST_SECONDS = 0.1, 2.0  # before connecting again: doubled each time up to the most, less up to a half
STALE_SECONDS = 30.0  # a stream silent for so long, or for half the timeout, may be dead: another is tried

Dial = Callable[[float], AbstractAsyncContextManager[Call]]
"""Opens a call on a connection of its own; the seconds are those of silence that end it with TimedOut."""


class Sending:
    """Sends records of one user and sender. `put` them and `drain`, then `finish`; all the while, iterate over `outcomes`.

    When the stream breaks, the server goes away or its store is full, it connects again and sends again what has no receipt;
    `--timeout` seconds without a receipt, when one is due, or without a connection end it.
    """

    def __init__(
        self, dial: Dial, server: str, user: str, sender: str, log: str, timeout: float, notice: Callable[[str], None] | None
    ) -> None:
        """Use `ChatClient.send`."""
        self._dial = dial
        self._server = server
        self.user = user
        self.sender = sender
        self.limits = Limits()
        self.log = log
        self.cursor_prefix = ""
        self._timeout = timeout
        self._notice = notice or (lambda _: None)
        self._stale = min(timeout / 2 or STALE_SECONDS, STALE_SECONDS)
        self._silences = self._tries = 0  # since the last receipts
        self._trouble: ChatError | None = None  # what broke the last stream, until the server gets on with it again
        self._told = False  # whether a notice of it was given
        self._window = Window()
        self._finished = False
        self._welcomed = asyncio.Event()
        self._changed = asyncio.Event()  # for the writer: look again
        self._room = asyncio.Event()  # for `drain`: look again
        self._news = asyncio.Event()  # for `outcomes`: look again
        self._patience = Patience(timeout, self._give_up, self._tell_silence)
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    # --- for the caller

    async def welcomed(self) -> None:
        """Wait for the server's terms: sender, limits, cursor_prefix. Raises why there are none."""
        await self._welcomed.wait()
        if self._task.done():
            self._task.result()

    def put(self, room: str, texts: Sequence[str], number: int = 0) -> None:
        """Take texts to send, numbered from `number`, or on from the last. They go out without delay.

        `drain` between puts bounds memory. Raises UnicodeEncodeError for a text that UTF-8 cannot carry and ValueError for
        a number that is not greater than the last; then nothing is taken.
        """
        self._window.put(room, texts, number)
        self._changed.set()

    def reject(self, room: str, error: str) -> None:
        """Count a record that cannot be sent; its rejection comes among the outcomes, in its turn."""
        self._window.reject(room, error)
        self._changed.set()

    async def drain(self) -> None:
        """Wait until little of what was put is still to be sent; or until the sending has ended."""
        while self._window.full and not self._task.done():
            self._room.clear()
            await self._room.wait()
        if self._task.done():
            await asyncio.sleep(0)  # whoever only puts and drains would never let `outcomes` say that it has ended

    def finish(self) -> None:
        """Say that no more records come; the outcomes end once all have receipts."""
        self._finished = True
        self._changed.set()
        self._news.set()

    async def outcomes(self) -> AsyncIterator[Outcome]:
        """What became of the records, in order, until all that was put has its receipt.

        Raises what ended the sending before that; `remaining` tells of the rest.
        """
        while True:
            while outcome := self._window.settle():
                self._changed.set()
                yield outcome
            if self._finished and self._window.empty:
                return
            if self._task.done():
                self._task.result()
                raise Unexpected("the sending ended before all was answered", 13)
            self._news.clear()
            await self._news.wait()

    def remaining(self) -> list[Outcome]:
        """The outcomes of all records put that have not come out of `outcomes`, most of them without a receipt."""
        settled: list[Outcome] = []
        with suppress(Unexpected):  # a receipt that was not due says nothing, and what comes after it no more
            settled += iter(self._window.settle, None)
        return [*settled, *self._window.unconfirmed()]

    async def close(self) -> None:
        """End the stream, whatever is still under way."""
        self._task.cancel()
        self._patience.close()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # told by `outcomes`, if anybody still asked

    # --- streams, one after the other

    async def _run(self) -> None:
        try:
            while True:
                try:
                    async with self._dial(self._stale * 2**self._silences) as call:
                        await self._exchange(call)
                    return
                except (Passing, Unexpected) as error:
                    if isinstance(error, OtherVersion) or (isinstance(error, Unexpected) and not self._welcomed.is_set()):
                        raise  # waiting does not help, or it never was a chatctl server
                    if self._task.cancelling():  # in the very moment in which the call was given up
                        raise asyncio.CancelledError from None
                    await self._pause(error)
        except asyncio.CancelledError:
            if not self._patience.gone:
                raise
            raise self._gave_up() from None

    async def _pause(self, error: ChatError) -> None:
        """After a broken stream: what has no receipt is to be sent again, but not at once."""
        self._window.rewind()
        self._patience.expect()
        silent = isinstance(error, TimedOut)
        self._silences += silent  # a server that is only slow must get the time to answer some day
        if not silent and (self._trouble is None or isinstance(self._trouble, TimedOut)):
            tries = f"for up to {self._timeout:g} s" if self._timeout else "until it answers"
            self._tell(f"{self._words(error)}; trying again {tries}")
        self._trouble = error
        most = min(RETRY_SECONDS * 2**self._tries, RETRY_MOST_SECONDS)
        self._tries += 1
        # Not all clients at once: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        await asyncio.sleep(random.uniform(most / 2, most))  # noqa: S311

    async def _exchange(self, call: Call) -> None:
        """One stream, from its welcome to its end."""
        await call.write(pb.SendAndReceiveMessageRequest(user=self.user, sender=self.sender))
        response = await call.read()
        if response is None or not response.HasField("welcome"):
            raise OtherVersion(f"{self._server} did not say welcome: it is no chatctl server, or another version", 12)
        self._welcome(response.welcome)
        call.patience.heard(expecting=False)
        writer = asyncio.create_task(self._write(call))
        writer.add_done_callback(lambda done: None if done.cancelled() or not done.exception() else call.close())
        try:
            await self._read(call)
        finally:
            writer.cancel()
            await asyncio.wait({writer})
            if not writer.cancelled():
                writer.result()
        if not (self._finished and self._window.answered):
            raise Unavailable(f"{self._server} ended the stream before it had answered everything")

    def _welcome(self, welcome: pb.Welcome) -> None:
        if self.log and welcome.log != self.log:
            raise LogChanged(
                f"{self._server} serves another log, {welcome.log}, than the one these records were sent to, {self.log}: "
                "nothing more was sent; name the server that has it, or see what became of its store"
            )
        self.sender, self.log, self.cursor_prefix = welcome.sender, welcome.log, welcome.cursor_prefix
        self.limits = wire.limits(welcome.limits)
        self._window.obey(self.limits)
        if self._window.answered or not self._window.may_send(self._finished):  # then no receipt is due
            self._got_on()
        self._welcomed.set()

    def _got_on(self) -> None:
        """The server does what it should: no more trouble, and time is counted anew."""
        if self._told:
            self._notice(f"{self._server} answers again")
        self._trouble, self._told = None, False
        self._patience.heard(expecting=self._window.waiting > 0)

    async def _write(self, call: Call) -> None:
        """The writer: frame after frame, as long as the window has room."""
        while True:
            while self._window.may_send(self._finished):
                frame = self._window.take()
                self._room.set()
                if frame is None:
                    self._news.set()
                    continue
                call.patience.expect()
                self._patience.expect()
                request = pb.SendAndReceiveMessageRequest(room=frame.room, number=frame.number, texts=frame.texts)
                if not await call.write(request):
                    return  # reading raises why
            if self._finished and self._window.all_sent:
                await call.done_writing()
                return
            self._changed.clear()
            await self._changed.wait()

    async def _read(self, call: Call) -> None:
        """The reader: takes receipts as they come; the window bounds how many can be waiting."""
        while (response := await call.read()) is not None:
            self._window.receive(wire.receipts(response.receipts))
            self._silences = self._tries = 0  # a welcome alone does not count: a server may break after each
            call.patience.heard(expecting=self._window.waiting > 0)
            self._got_on()
            self._news.set()
            self._changed.set()

    # --- the end

    def _tell_silence(self) -> None:
        if self._trouble is None or isinstance(self._trouble, TimedOut):
            self._tell(f"waiting for {self._server} to answer")

    def _tell(self, trouble: str) -> None:
        self._told = True
        self._notice(trouble)

    def _give_up(self) -> None:
        self._task.cancel()

    def _gave_up(self) -> ChatError:
        """The last trouble says most; without any, the server was silent."""
        after = f"gave up after {self._timeout:g} s, wait longer with --timeout"
        if self._trouble is None or isinstance(self._trouble, TimedOut):
            return silence(self._server, self._timeout)
        if isinstance(self._trouble, Unexpected):
            return Unavailable(f"{self._trouble}; {after}")
        return type(self._trouble)(f"{self._words(self._trouble)}; {after}")

    def _words(self, error: ChatError) -> str:
        """What an error says; whoever has met a server needs no advice to start one."""
        return str(error).removesuffix(NO_SERVER_ADVICE) if self._welcomed.is_set() else str(error)

    def _ended(self, _: object) -> None:
        for event in (self._welcomed, self._room, self._news):
            event.set()
