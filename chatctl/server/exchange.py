"""One SendAndReceiveMessage stream: receipts for what comes in, and the messages of the rooms asked for."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from chatctl import history, wire, wire_stats
from chatctl.chat import MAX_NUMBER, Chat, name_fault, utf8_size
from chatctl.errors import InvalidRequest
from chatctl.history import Query
from chatctl.log import Draft
from chatctl.pages import Answer
from chatctl.presence import Watch
from chatctl.server.pipeline import Outcome, Pipeline
from chatctl.server.streams import Streams, stopping
from chatctl.v1 import chat_pb2 as pb


class Exchange:
    """The state of a stream. `close` it in the end."""

    def __init__(
        self, chat: Chat, streams: Streams, requests: AsyncIterator[pb.SendAndReceiveMessageRequest], wake: asyncio.Event
    ) -> None:
        """`wake` is the stream's alarm clock: it rings for whatever may be something to do."""
        self._chat = chat
        self._streams = streams
        self._wake = wake
        self._user = self._sender = self._room = ""
        self._number = 1
        self._welcomed = False
        self._told_receipts = False  # in the last response
        self._follower: Follower | None = None
        self._receives = 0  # how many were taken
        self._rooms: tuple[str, ...] = ()  # received by name
        self._leave: Callable[[], None] | None = None  # those rooms, where the user is present
        self._watch: Watch | None = None
        self._sends = False
        self._pipeline = Pipeline(requests, _size, self._start, wake, streams.load)

    def _start(self, frame: pb.SendAndReceiveMessageRequest) -> list[Outcome]:
        """Take a frame from the client; what comes back are the receipts to be."""
        self._settle(frame)
        if frame.HasField("receive"):
            self._receive(frame.receive)
        self._enter()
        limits = self._chat.limits
        if not frame.texts:
            return []
        if not self._sends:
            self._sends = True
            self._streams.senders += 1
        if len(frame.texts) > limits.batch_messages:
            raise InvalidRequest(
                f"{len(frame.texts)} texts in one frame, the limit is {limits.batch_messages}: send several frames"
            )
        texts = list(frame.texts)
        size = utf8_size(texts)
        if size > limits.batch_bytes and len(texts) > 1:
            raise InvalidRequest(
                f"{size} bytes of text in one frame, the limit is {limits.batch_bytes}: send several frames"
            )
        # Beyond the highest number all are equally wrong, and have to fit the wire.
        number, self._number = self._number, min(self._number + len(texts), MAX_NUMBER + 1)
        return list(self._chat.post(Draft(self._user, self._sender, self._room, number, texts, size)))

    def _settle(self, frame: pb.SendAndReceiveMessageRequest) -> None:
        """Who sends to where, from here on."""
        for what, now, named in (("user", self._user, frame.user), ("sender", self._sender, frame.sender)):
            if now and named and now != named:
                raise InvalidRequest(
                    f"the {what} changed in mid-stream, from {now[:40]!r} to {named[:40]!r}: open another stream"
                )
        self._user = frame.user or self._user
        self._sender = self._sender or frame.sender or secrets.token_hex(8)
        self._room = frame.room or self._room
        self._number = frame.number or self._number

    def _receive(self, receive: pb.Receive) -> None:
        """Receive something else from here on."""
        self._receive_no_more()
        self._receives += 1
        if receive.rooms or receive.all_rooms:
            after = receive.after or f"{self._chat.cursor_prefix}{self._chat.log.head}"
            query = Query(rooms=() if receive.all_rooms else tuple(receive.rooms), after=after, follow=True)
            history.check(self._chat, query)
            self._follower = Follower(self._chat, query, self._wake)
            self._streams.followers += 1
            self._rooms = query.rooms
            self._enter()
            if receive.presence:
                self._watch = self._chat.presence.watch(query.rooms, self._wake.set)

    def _enter(self) -> None:
        """Be present, if there is a name by which to be."""
        if self._user and not self._leave and not name_fault("user", self._user, self._chat.limits.name_bytes):
            self._leave = self._chat.presence.enter(self._user, self._rooms)

    def _receive_no_more(self) -> None:
        if self._follower:
            self._follower.close()
            self._streams.followers -= 1
        if self._leave:
            self._leave()
        if self._watch:
            self._watch.close()
        self._follower = self._leave = self._watch = None
        self._rooms = ()

    async def responses(self) -> AsyncIterator[pb.SendAndReceiveMessageResponse]:
        """What to send, until there is nothing more to come. Raises what ends the stream with an error."""
        while True:
            self._wake.clear()
            due = self._next()
            if due:
                yield due.pop()  # popped: it is not to stay for as long as the client does not read
                continue
            if self._streams.stopping:
                self._pipeline.stop()
                if self._pipeline.idle:
                    raise stopping()
            elif self._pipeline.ended and not self._follower:
                return
            await self._wake.wait()

    def _next(self) -> list[pb.SendAndReceiveMessageResponse]:
        """All that can be said now, in one response; none if there is nothing."""
        # A full page and the longest receipts together would be more than the 4 MiB that clients accept: they take turns.
        page = self._page() if self._told_receipts else None
        receipts = [] if page else self._pipeline.ready()
        page = page or (None if receipts else self._page())
        present = self._watch.take() if self._watch and not (receipts or page) else []
        self._told_receipts = bool(receipts)
        welcome = bool(self._sender) and not self._welcomed
        if not (receipts or page or present or welcome):
            return []
        prefix = self._chat.cursor_prefix
        response = pb.SendAndReceiveMessageResponse(receipts=[wire.receipt_message(receipt) for receipt in receipts])
        if present or page:
            response.receive = self._receives
            response.present.extend(wire_stats.presence_messages(present))
        if page:
            response.runs.extend(wire.run_messages(page.runs))
            response.cursor, response.cursor_prefix, response.live = f"{prefix}{page.position}", prefix, page.live
        if welcome:
            self._welcomed = True
            limits = wire.limits_message(self._chat.limits)
            response.welcome.CopyFrom(
                pb.Welcome(sender=self._sender, log=self._chat.log.id, cursor_prefix=prefix, limits=limits)
            )
        return [response]

    def _page(self) -> Answer | None:
        """The next page received. None once the server stops: then following fails, and receipts that are due come first."""
        return self._follower.take() if self._follower and not self._streams.stopping else None

    async def close(self) -> None:
        """Let everything of the stream go."""
        self._receive_no_more()
        self._streams.senders -= self._sends
        await self._pipeline.close()


class Follower:
    """Pages of a query that follows, one at a time: the next is read when this one is taken."""

    def __init__(self, chat: Chat, query: Query, wake: asyncio.Event) -> None:
        self._pages: list[Answer] = []  # at most one: so much a client costs that does not read
        self._taken = asyncio.Event()
        self._wake = wake
        self._task = asyncio.create_task(self._follow(chat, query))

    async def _follow(self, chat: Chat, query: Query) -> None:
        try:
            async with aclosing(history.read(chat, query)) as pages:
                async for page in pages:
                    self._pages.append(page)
                    del page
                    self._wake.set()
                    await self._taken.wait()
                    self._taken.clear()
        finally:
            self._wake.set()

    def take(self) -> Answer | None:
        """The next page, if it is there. Raises what ended the following."""
        if self._pages:
            self._taken.set()
            return self._pages.pop()
        if self._task.done():
            self._task.result()
        return None

    def close(self) -> None:
        """Follow no more."""
        self._task.cancel()
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())


def _size(frame: pb.SendAndReceiveMessageRequest) -> int:
    return frame.ByteSize()
