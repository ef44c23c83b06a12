"""One SendAndReceiveMessage stream: receipts for the client's records, and the messages of the rooms it receives."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import ExitStack

from chatctl.core import history
from chatctl.core.chat import Chat
from chatctl.core.page_cache import QueryPage
from chatctl.core.presence import PresenceSubscription
from chatctl.errors import InvalidRequest
from chatctl.model.limits import MAX_NUMBER, name_error, utf8_size
from chatctl.model.messages import Query
from chatctl.model.records import RecordBatch
from chatctl.server.auth import Identity
from chatctl.server.client_log import log_user
from chatctl.server.page_prefetcher import PagePrefetcher
from chatctl.server.request_pipeline import PendingReceipt, RequestPipeline
from chatctl.server.stream_registry import StreamRegistry, stopping_error
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert, stats


class SendReceiveStream:
    """The state of a stream. `close` it at the end."""

    def __init__(
        self,
        chat: Chat,
        streams: StreamRegistry,
        identity: Identity,
        requests: AsyncIterator[pb.SendAndReceiveMessageRequest],
        wakeup: asyncio.Event,
        peer: str = "",
    ) -> None:
        """Use `peer`, the client's address as gRPC writes it, in the log.

        `wakeup` is set when there may be something to do: receipts, a page, presence, or the server stops.
        """
        self._chat = chat
        self._streams = streams
        self._identity = identity
        self._wakeup = wakeup
        self._peer = peer
        self._user = self._input_id = self._room = ""
        self._number = 1
        self._welcome_sent = False
        self._sent_receipts_last = False  # in the last response
        self._subscription_id = 0  # number of `receive` frames so far
        self._subscription: ExitStack | None = None  # ends what the current `receive` started
        self._rooms: tuple[str, ...] = ()  # received by name
        self._prefetcher: PagePrefetcher | None = None
        self._presence_subscription: PresenceSubscription | None = None
        self._is_present = False
        self._sending: ExitStack | None = None  # from the first text on
        size = pb.SendAndReceiveMessageRequest.ByteSize
        self._pipeline = RequestPipeline(requests, size, self._start_request, wakeup, streams.in_flight)

    def _start_request(self, frame: pb.SendAndReceiveMessageRequest) -> list[PendingReceipt]:
        """Begin to store the texts of a frame, and return their receipts to come."""
        self._apply_defaults(frame, self._identity.stamp(frame.user))
        if frame.HasField("receive"):
            self._subscribe(frame.receive)
        self._enter_rooms()
        limits = self._chat.limits
        if not frame.texts:
            return []
        if not self._sending:
            self._sending = ExitStack()
            self._sending.enter_context(self._streams.sending())
        if len(frame.texts) > limits.batch_messages:
            raise InvalidRequest(
                f"{len(frame.texts)} texts in one frame, the limit is {limits.batch_messages}", "send several frames"
            )
        texts = list(frame.texts)
        size = utf8_size(texts)
        if size > limits.batch_bytes and len(texts) > 1:
            raise InvalidRequest(
                f"{size} bytes of text in one frame, the limit is {limits.batch_bytes}", "send several frames"
            )
        # All numbers past the highest are equally invalid, and must fit the wire.
        number, self._number = self._number, min(self._number + len(texts), MAX_NUMBER + 1)
        return list(self._chat.submit(RecordBatch(self._user, self._input_id, self._room, number, texts, size)))

    def _apply_defaults(self, frame: pb.SendAndReceiveMessageRequest, user: str) -> None:
        """Set user, input id, room and number for the frame; those that it omits stay as they were."""
        for what, current, requested in (("user", self._user, user), ("input id", self._input_id, frame.input_id)):
            if current and requested and current != requested:
                raise InvalidRequest(
                    f"the {what} changed within the stream, from {current[:40]!r} to {requested[:40]!r}",
                    "open another stream",
                )
        if user and not self._user:
            log_user(self._peer, user)
        self._user = user or self._user
        self._input_id = self._input_id or frame.input_id or secrets.token_hex(8)
        self._room = frame.room or self._room
        self._number = frame.number or self._number

    def _subscribe(self, receive: pb.Receive) -> None:
        """Replace what the stream receives."""
        self._unsubscribe()
        self._subscription_id += 1
        if not (receive.rooms or receive.all_rooms):
            return
        after = receive.after or self._chat.cursor(self._chat.log.head)
        query = Query(rooms=() if receive.all_rooms else tuple(receive.rooms), after=after, follow=True)
        history.validate(self._chat, query)
        self._subscription = ExitStack()
        self._prefetcher = PagePrefetcher(self._chat, query, self._wakeup)
        self._subscription.callback(self._prefetcher.close)
        self._subscription.enter_context(self._streams.receiving())
        self._rooms = query.rooms
        self._enter_rooms()
        if receive.presence:
            self._presence_subscription = self._chat.presence.subscribe(query.rooms, self._wakeup.set)
            self._subscription.callback(self._presence_subscription.close)

    def _enter_rooms(self) -> None:
        """Make the user present in the received rooms, once the user's name is known and valid."""
        if not (self._user and self._subscription) or self._is_present:
            return
        if not name_error("user", self._user, self._chat.limits.name_bytes):
            self._is_present = True
            self._subscription.callback(self._chat.presence.enter(self._user, self._rooms))

    def _unsubscribe(self) -> None:
        if self._subscription:
            self._subscription.close()
        self._subscription = self._prefetcher = self._presence_subscription = None
        self._is_present = False
        self._rooms = ()

    async def responses(self) -> AsyncIterator[pb.SendAndReceiveMessageResponse]:
        """Yield responses until nothing more can follow. Raises the error that ends the stream."""
        while True:
            self._wakeup.clear()
            handoff = self._next_response()
            if handoff:
                yield handoff.pop()
                continue
            if self._streams.stopping:
                self._pipeline.stop()
                if self._pipeline.idle:
                    raise stopping_error()
            elif self._pipeline.ended and not self._prefetcher:
                return
            await self._wakeup.wait()

    def _next_response(self) -> list[pb.SendAndReceiveMessageResponse]:
        """Return one response with everything that is ready, or an empty list."""
        # Receipts and pages take turns: a full page and the longest receipts together exceed the 4 MiB that clients accept.
        page = self._next_page() if self._sent_receipts_last else None
        receipts = [] if page else self._pipeline.pop_receipts()
        page = page or (None if receipts else self._next_page())
        present = self._presence_subscription.pop_changes() if self._presence_subscription and not (receipts or page) else []
        self._sent_receipts_last = bool(receipts)
        welcome_due = bool(self._input_id) and not self._welcome_sent
        if not (receipts or page or present or welcome_due):
            return []
        response = pb.SendAndReceiveMessageResponse(receipts=[convert.receipt_to_pb(receipt) for receipt in receipts])
        if present or page:
            response.receive = self._subscription_id
            response.present.extend(stats.presence_to_pb(present))
        if page:
            response.runs.extend(convert.runs_to_pb(page.runs))
            response.cursor, response.cursor_prefix = self._chat.cursor(page.position), self._chat.cursor_prefix
            response.live = page.live
        if welcome_due:
            self._welcome_sent = True
            response.welcome.CopyFrom(self._welcome())
        return [response]

    def _welcome(self) -> pb.Welcome:
        return pb.Welcome(
            input_id=self._input_id,
            log=self._chat.log.id,
            cursor_prefix=self._chat.cursor_prefix,
            limits=convert.limits_to_pb(self._chat.limits),
        )

    def _next_page(self) -> QueryPage | None:
        """Return the next received page, if it is ready.

        Returns None once the server stops: reading then fails, and the outstanding receipts come first.
        """
        return self._prefetcher.pop() if self._prefetcher and not self._streams.stopping else None

    async def close(self) -> None:
        """End what the stream started. The store still finishes appends in progress."""
        self._unsubscribe()
        if self._sending:
            self._sending.close()
        await self._pipeline.close()
