"""Sending: a bounded window of records without receipts on one stream, and what became of each, in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chatctl import wire
from chatctl.chat import utf8_size
from chatctl.client.call import Call
from chatctl.errors import Unavailable, Unexpected
from chatctl.log import Receipt, Status
from chatctl.v1 import chat_pb2 as pb

FRAME_MESSAGES = 500  # a frame costs 0.2 ms whatever it holds; more than 500 messages in one gain nothing
WINDOW_FRAMES, WINDOW_BYTES = 256, 16 * 1024 * 1024  # without receipts; 256 frames keep a far server busy
EAGER_FRAMES = 2  # while fewer are without receipts a frame goes at once; beyond, it may grow until a receipt comes
PENDING_RECORDS, PENDING_BYTES = 4 * FRAME_MESSAGES, 1024 * 1024  # taken but not yet sent; beyond, `drain` waits


class Outcome(NamedTuple):
    """What became of some consecutive records: the receipt, their room and their texts (none, of what never was a text)."""

    receipt: Receipt
    room: str
    texts: Sequence[str]


@dataclass(slots=True)
class _Records:
    """Consecutive records for one room; or one with a `rejection`, which is not sent but waits for its turn."""

    room: str
    number: int
    texts: list[str]
    rejection: Receipt | None = None
    size: int = 0


class Sending:
    """A stream that sends. `put` records and `drain`, then `finish`; all the while, iterate over `outcomes`."""

    def __init__(self, call: Call, user: str, welcome: pb.Welcome) -> None:
        """Use `ChatClient.send`."""
        self._call = call
        self.user = user
        self.sender = welcome.sender
        self.limits = wire.limits(welcome.limits)
        self.cursor_prefix = welcome.cursor_prefix
        self._frame_messages = max(1, min(FRAME_MESSAGES, self.limits.batch_messages))
        self._next = 1  # number of the next record put
        self._pending: deque[_Records] = deque()
        self._pending_records = 0
        self._pending_bytes = 0
        self._sent: deque[_Records] = deque()  # without receipts, or rejected and waiting for their turn
        self._frames = self._bytes = 0  # what of it is on its way
        self._finished = False
        self._changed = asyncio.Event()  # for the writer: look again
        self._room = asyncio.Event()  # for `drain`: look again
        call.patience.heard(expecting=False)
        self._receipts: deque[Receipt] = deque()  # come, and not yet told
        self._waiting = 0  # records sent whose receipts have not come
        self._news = asyncio.Event()  # for `outcomes`: look again
        self._writer = asyncio.create_task(self._write())
        self._reader = asyncio.create_task(self._read())

    def put(self, room: str, texts: Sequence[str]) -> None:
        """Take texts to send, numbered on from the last. They go out without delay; `drain` between puts bounds memory.

        Raises UnicodeEncodeError for a text that UTF-8 cannot carry; then nothing is taken.
        """
        size = utf8_size(texts)  # raises UnicodeEncodeError
        if not texts:
            return
        last = self._pending[-1] if self._pending else None
        if last and last.room == room and not last.rejection:
            last.texts += texts
        else:
            self._pending.append(_Records(room, self._next, list(texts)))
        self._pending_bytes += size
        self._count(len(texts))

    def reject(self, room: str, error: str) -> None:
        """Count a record that cannot be sent; its rejection comes among the outcomes, in its turn."""
        rejection = Receipt(self._next, 1, Status.REJECTED, error=error)
        self._pending.append(_Records(room, self._next, [], rejection))
        self._count(1)

    def _count(self, records: int) -> None:
        self._next += records
        self._pending_records += records
        self._changed.set()

    async def drain(self) -> None:
        """Wait until little of what was put is still to be sent; or until the stream has ended."""
        while self._full() and not self._reader.done():
            self._room.clear()
            await self._room.wait()

    def _full(self) -> bool:
        return self._pending_records >= PENDING_RECORDS or self._pending_bytes >= PENDING_BYTES

    def finish(self) -> None:
        """Say that no more records come; the outcomes end once all have receipts."""
        self._finished = True
        self._changed.set()

    async def _write(self) -> None:
        """The writer: frame after frame, as long as the window has room."""
        while True:
            while self._may_send():
                frame = self._take()
                if not frame.rejection:
                    request = pb.SendAndReceiveMessageRequest(room=frame.room, number=frame.number, texts=frame.texts)
                    if not await self._call.write(request):
                        return  # reading raises why
            if self._finished and not self._pending:
                await self._call.done_writing()
                return
            self._changed.clear()
            await self._changed.wait()

    def _may_send(self) -> bool:
        if not self._pending or self._frames >= WINDOW_FRAMES or self._bytes >= WINDOW_BYTES:
            return False
        if len(self._sent) >= WINDOW_FRAMES + PENDING_RECORDS:  # rejections, which wait for their turn, are bounded too
            return False
        full = len(self._pending) > 1 or self._pending_records >= self._frame_messages
        return full or self._finished or self._frames < EAGER_FRAMES

    def _take(self) -> _Records:
        """Move records from the pending to the sent, as many as a frame may hold."""
        first = self._pending[0]
        if first.rejection:
            frame = self._pending.popleft()
            self._pending_records -= 1
        else:
            texts = first.texts[: self._frame_messages]
            while (size := utf8_size(texts)) > self.limits.batch_bytes and len(texts) > 1:
                texts = texts[: len(texts) // 2]
            frame = _Records(first.room, first.number, texts, size=size)
            if len(texts) == len(first.texts):
                self._pending.popleft()
            else:
                del first.texts[: len(texts)]
                first.number += len(texts)
            self._pending_records -= len(texts)
            self._pending_bytes -= size
            if not self._waiting:
                self._call.patience.heard(expecting=True)
            self._waiting += len(texts)
            self._frames += 1
            self._bytes += size
        self._sent.append(frame)
        self._room.set()
        if frame.rejection:
            self._news.set()
        return frame

    async def _read(self) -> None:
        """The reader: takes receipts as they come; the window bounds how many can be waiting."""
        try:
            while (response := await self._call.read()) is not None:
                for receipt in wire.receipts(response.receipts):
                    self._receipts.append(receipt)
                    self._waiting -= receipt.count
                self._call.patience.heard(expecting=self._waiting > 0)
                self._news.set()
        finally:
            self._news.set()
            self._room.set()

    async def outcomes(self) -> AsyncIterator[Outcome]:
        """What became of the records, in order, until all that was put has its receipt.

        Raises what ended the stream before that; `unconfirmed` tells of the rest.
        """
        while True:
            while outcome := self._settle():
                yield outcome
            if self._finished and not self._pending and not self._sent:
                return
            if self._reader.done():
                self._reader.result()
                raise Unexpected("the server ended the stream before it had answered everything", Unavailable.code)
            self._news.clear()
            await self._news.wait()

    def _settle(self) -> Outcome | None:
        """The next outcome, if it is known."""
        if not self._sent:
            return None
        first = self._sent[0]
        if first.rejection:
            self._sent.popleft()
            self._changed.set()
            return Outcome(first.rejection, first.room, ())
        if not self._receipts:
            return None
        receipt = self._receipts.popleft()
        if receipt.number != first.number or receipt.count > len(first.texts):
            raise Unexpected(f"the server sent a receipt for number {receipt.number}, due was {first.number}", 13)
        texts = first.texts[: receipt.count]
        if receipt.count == len(first.texts):
            self._sent.popleft()
            self._frames -= 1
            self._bytes -= first.size
            self._changed.set()
        else:
            del first.texts[: receipt.count]
            first.number += receipt.count
        return Outcome(receipt, first.room, texts)

    def unconfirmed(self) -> list[Outcome]:
        """All records put that have no receipt, in order; the rejected ones among them with their rejection."""
        return [
            Outcome(
                records.rejection or Receipt(records.number, len(records.texts), Status.UNCONFIRMED),
                records.room,
                records.texts,
            )
            for records in (*self._sent, *self._pending)
        ]

    async def close(self) -> None:
        """End the stream, whatever is still under way."""
        for task in (self._writer, self._reader):
            task.cancel()
        self._call.close()
        await asyncio.wait({self._writer, self._reader})
        if not self._reader.cancelled():
            self._reader.exception()  # told by `outcomes`, if anybody still asked
