"""Sending: records go out on a stream, and on the next one when it breaks, until each has its receipt."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from chatctl import wire
from chatctl.chat import Limits
from chatctl.client.call import Call, Dial
from chatctl.client.patience import Patience
from chatctl.client.retrying import STALE_SECONDS, Retrying
from chatctl.client.window import Outcome, Window
from chatctl.errors import ChatError, LogChanged, OtherVersion, Passing, Unavailable, Unexpected
from chatctl.v1 import chat_pb2 as pb


class Sending:
    """Sends records of one user and sender. `put` them and `drain`, then `finish`; all the while, iterate over `outcomes`.

    When the stream breaks, the server goes away or its store is full, it connects again and sends again what has no receipt;
    `--timeout` seconds without a receipt, when one is due, or without a connection end it.
    """

    STALE_SECONDS = STALE_SECONDS

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
        self._retrying = Retrying(server, timeout, notice, self.STALE_SECONDS)
        self._window = Window()
        self._finished = False
        self._welcomed = asyncio.Event()
        self._changed = asyncio.Event()  # for the writer: look again
        self._room = asyncio.Event()  # for `drain`: look again
        self._news = asyncio.Event()  # for `outcomes`: look again
        self._patience = Patience(timeout, self._give_up, self._retrying.tell_silence)
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

    @property
    def settled(self) -> bool:
        """Whether the outcomes of all that was put have been told."""
        return self._window.empty

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
                    async with self._dial(self._retrying.seconds, lambda stub: stub.SendAndReceiveMessage()) as call:
                        await self._exchange(call)
                    return
                except (Passing, Unexpected) as error:
                    if self._task.cancelling():  # in the very moment in which the call was given up
                        raise asyncio.CancelledError from None
                    seconds = self._retrying.take(error)
                    self._lost(error)
                self._window.rewind()  # what has no receipt is to be sent again
                self._patience.expect()
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if not self._patience.gone:
                raise
            raise self._retrying.gave_up() from None

    async def _exchange(self, call: Call) -> None:
        """One stream, from its welcome to its end."""
        await call.write(self._opening())
        response = await call.read()
        if response is None or not response.HasField("welcome"):
            raise OtherVersion(f"{self._server} did not say welcome: it is no chatctl server, or another version", 12)
        self._welcome(response.welcome)
        call.patience.heard(expecting=False)
        writer = asyncio.create_task(self._write(call))
        writer.add_done_callback(lambda done: None if done.cancelled() or not done.exception() else call.close())
        try:
            await self._take(call, response)
            await self._read(call)
        finally:
            writer.cancel()
            await asyncio.wait({writer})
            if not writer.cancelled():
                writer.result()
        if not (self._finished and self._window.answered):
            raise Unavailable(f"{self._server} ended the stream before it had answered everything")

    def _opening(self) -> pb.SendAndReceiveMessageRequest:
        """The first request of a stream."""
        return pb.SendAndReceiveMessageRequest(user=self.user, sender=self.sender)

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
        self._retrying.met = True
        self._welcomed.set()

    def _got_on(self) -> None:
        """The server does what it should: no more trouble, and time is counted anew."""
        self._retrying.got_on()
        self._patience.heard(expecting=self._window.waiting > 0)

    async def _write(self, call: Call) -> None:
        """The writer: request after request."""
        while True:
            while request := self._due():
                call.patience.expect()
                self._patience.expect()
                if not await call.write(request):
                    return  # reading raises why
            if self._finished and self._window.all_sent:
                await call.done_writing()
                return
            self._changed.clear()
            await self._changed.wait()

    def _due(self) -> pb.SendAndReceiveMessageRequest | None:
        """The next request to send, as long as the window has room; None if there is nothing to be sent now."""
        while self._window.may_send(self._finished):
            frame = self._window.take()
            self._room.set()
            if frame is not None:
                return pb.SendAndReceiveMessageRequest(room=frame.room, number=frame.number, texts=frame.texts)
            self._news.set()
        return None

    async def _read(self, call: Call) -> None:
        """The reader: takes what comes."""
        while (response := await call.read()) is not None:
            self._retrying.proved()  # a welcome alone does not count: a server may break after each
            await self._take(call, response)
            call.patience.heard(expecting=self._window.waiting > 0)
            self._got_on()
            self._news.set()
            self._changed.set()

    async def _take(self, call: Call, response: pb.SendAndReceiveMessageResponse) -> None:
        """Take the receipts; the window bounds how many can be waiting."""
        self._window.receive(wire.receipts(response.receipts))

    def _lost(self, error: ChatError) -> None:
        """The stream broke; another will be tried."""

    # --- the end

    def _give_up(self) -> None:
        self._task.cancel()

    def _ended(self, _: object) -> None:
        for event in (self._welcomed, self._room, self._news):
            event.set()
