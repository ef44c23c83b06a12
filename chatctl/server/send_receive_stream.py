"""One SendAndReceiveMessage stream: receipts for what comes in, and the messages of the rooms asked for."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.core.page_cache import QueryPage
from chatctl.core.presence import PresenceSubscription
from chatctl.errors import InvalidRequest
from chatctl.model.limits import MAX_NUMBER, name_error, utf8_size
from chatctl.model.messages import Query
from chatctl.model.records import RecordBatch
from chatctl.server.page_prefetcher import PagePrefetcher
from chatctl.server.request_pipeline import PendingReceipt, RequestPipeline
from chatctl.server.stream_registry import StreamRegistry, stopping_error
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert, stats


class SendReceiveStream:
    """The state of a stream. `close` it in the end."""

    def __init__(
        self,
        chat: Chat,
        streams: StreamRegistry,
        requests: AsyncIterator[pb.SendAndReceiveMessageRequest],
        wakeup: asyncio.Event,
    ) -> None:
        """`wakeup` is the stream's alarm clock: it rings for whatever may be something to do."""
        self._chat = chat
        self._streams = streams
        self._wakeup = wakeup
        self._user = self._input_id = self._room = ""
        self._number = 1
        self._welcome_sent = False
        self._sent_receipts_last = False  # in the last response
        self._prefetcher: PagePrefetcher | None = None
        self._subscription_id = 0  # how many were taken
        self._rooms: tuple[str, ...] = ()  # received by name
        self._leave_rooms: Callable[[], None] | None = None  # those rooms, where the user is present
        self._presence_subscription: PresenceSubscription | None = None
        self._is_sender = False
        self._pipeline = RequestPipeline(requests, _request_bytes, self._start_request, wakeup, streams.in_flight)

    def _start_request(self, frame: pb.SendAndReceiveMessageRequest) -> list[PendingReceipt]:
        """Take a frame from the client; what comes back are the receipts to be."""
        self._apply_defaults(frame)
        if frame.HasField("receive"):
            self._subscribe(frame.receive)
        self._enter_rooms()
        limits = self._chat.limits
        if not frame.texts:
            return []
        if not self._is_sender:
            self._is_sender = True
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
        return list(self._chat.submit(RecordBatch(self._user, self._input_id, self._room, number, texts, size)))

    def _apply_defaults(self, frame: pb.SendAndReceiveMessageRequest) -> None:
        """Who sends to where, from here on."""
        for what, current, requested in (("user", self._user, frame.user), ("input id", self._input_id, frame.input_id)):
            if current and requested and current != requested:
                raise InvalidRequest(
                    f"the {what} changed in mid-stream, from {current[:40]!r} to {requested[:40]!r}: open another stream"
                )
        self._user = frame.user or self._user
        self._input_id = self._input_id or frame.input_id or secrets.token_hex(8)
        self._room = frame.room or self._room
        self._number = frame.number or self._number

    def _subscribe(self, receive: pb.Receive) -> None:
        """Receive something else from here on."""
        self._unsubscribe()
        self._subscription_id += 1
        if receive.rooms or receive.all_rooms:
            after = receive.after or f"{self._chat.cursor_prefix}{self._chat.log.head}"
            query = Query(rooms=() if receive.all_rooms else tuple(receive.rooms), after=after, follow=True)
            history.validate(self._chat, query)
            self._prefetcher = PagePrefetcher(self._chat, query, self._wakeup)
            self._streams.followers += 1
            self._rooms = query.rooms
            self._enter_rooms()
            if receive.presence:
                self._presence_subscription = self._chat.presence.subscribe(query.rooms, self._wakeup.set)

    def _enter_rooms(self) -> None:
        """Be present, if there is a name by which to be."""
        if self._user and not self._leave_rooms and not name_error("user", self._user, self._chat.limits.name_bytes):
            self._leave_rooms = self._chat.presence.enter(self._user, self._rooms)

    def _unsubscribe(self) -> None:
        if self._prefetcher:
            self._prefetcher.close()
            self._streams.followers -= 1
        if self._leave_rooms:
            self._leave_rooms()
        if self._presence_subscription:
            self._presence_subscription.close()
        self._prefetcher = self._leave_rooms = self._presence_subscription = None
        self._rooms = ()

    async def responses(self) -> AsyncIterator[pb.SendAndReceiveMessageResponse]:
        """What to send, until there is nothing more to come. Raises what ends the stream with an error."""
        while True:
            self._wakeup.clear()
            handoff = self._next_response()
            if handoff:
                yield handoff.pop()  # popped: it is not to stay for as long as the client does not read
                continue
            if self._streams.stopping:
                self._pipeline.stop()
                if self._pipeline.idle:
                    raise stopping_error()
            elif self._pipeline.ended and not self._prefetcher:
                return
            await self._wakeup.wait()

    def _next_response(self) -> list[pb.SendAndReceiveMessageResponse]:
        """All that can be said now, in one response; none if there is nothing."""
        # A full page and the longest receipts together would be more than the 4 MiB that clients accept: they take turns.
        page = self._next_page() if self._sent_receipts_last else None
        receipts = [] if page else self._pipeline.pop_receipts()
        page = page or (None if receipts else self._next_page())
        present = self._presence_subscription.pop_changes() if self._presence_subscription and not (receipts or page) else []
        self._sent_receipts_last = bool(receipts)
        welcome_due = bool(self._input_id) and not self._welcome_sent
        if not (receipts or page or present or welcome_due):
            return []
        prefix = self._chat.cursor_prefix
        response = pb.SendAndReceiveMessageResponse(receipts=[convert.receipt_to_pb(receipt) for receipt in receipts])
        if present or page:
            response.receive = self._subscription_id
            response.present.extend(stats.presence_to_pb(present))
        if page:
            response.runs.extend(convert.runs_to_pb(page.runs))
            response.cursor, response.cursor_prefix, response.live = f"{prefix}{page.position}", prefix, page.live
        if welcome_due:
            self._welcome_sent = True
            limits = convert.limits_to_pb(self._chat.limits)
            response.welcome.CopyFrom(
                pb.Welcome(input_id=self._input_id, log=self._chat.log.id, cursor_prefix=prefix, limits=limits)
            )
        return [response]

    def _next_page(self) -> QueryPage | None:
        """The next page received. None once the server stops: then following fails, and receipts that are due come first."""
        return self._prefetcher.pop() if self._prefetcher and not self._streams.stopping else None

    async def close(self) -> None:
        """Let everything of the stream go."""
        self._unsubscribe()
        self._streams.senders -= self._is_sender
        await self._pipeline.close()


def _request_bytes(frame: pb.SendAndReceiveMessageRequest) -> int:
    return frame.ByteSize()
