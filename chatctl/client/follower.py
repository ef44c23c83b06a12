"""Follower: reads pages over as many calls as needed, each from the cursor where the last one broke."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType
from typing import Any

from chatctl.client.call import Call
from chatctl.client.call_errors import outdated_server_error
from chatctl.client.connector import Connector
from chatctl.client.retry import Attempts, RetryState
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.errors import ChatError, InvalidRequest, Unavailable
from chatctl.model.messages import HistoryPage, Query
from chatctl.model.stats import ServerStats
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert
from chatctl.wire.page_reader import PageReader
from chatctl.wire.stats import server_stats_from_pb

UNTIL_GRACE_SECONDS = 10.0  # how long after its `until` a query still waits for the server to end it


async def read_pages(call: Call, query: Query, on_response: Callable[[bool], None]) -> AsyncGenerator[HistoryPage, None]:
    """Yield the pages of one call of GetMessages. Calls `on_response` with whether another response is due.

    Raises IncompatibleServer for a page that does not fit the query, or if the server is too old for its conditions.
    """
    reader = PageReader(query)
    needles = query.needles if query.also_contains else ()
    while (response := await call.read()) is not None:
        on_response(False)  # the caller's time does not count
        if query.input_id and any(run.number == 0 for run in response.runs):
            raise outdated_server_error(call.server, "reading by input id")
        if needles and any(
            needle not in text.casefold() for run in response.runs for text in run.texts for needle in needles
        ):
            raise outdated_server_error(call.server, "searching for several texts")
        yield reader.read(response)
        # After a live page, the server responds only once there are new messages. Without `follow` it never has to wait.
        on_response(not (response.live and query.follow))


class Follower:
    """An async iterator over pages: stored messages, then new ones if the query follows.

    Calls again after a failure, within the timeout. Use it as an async context manager, or `aclose` it, to stop early.
    """

    def __init__(self, connector: Connector, query: Query, from_now: bool = False, channel: Any = None) -> None:
        """Use `ChatClient.follow` or `read`. With `channel` the first call is made on it, and not retried if it fails."""
        self._connector = connector
        self._query = query
        self._from_now = from_now
        self._channel = channel
        self._complete = False  # all messages that the query asks for are read
        self._retry_state = RetryState(connector.server, connector.timeout, connector.notify, retry_first=channel is None)
        self._generator = self._generate_pages()

    async def __aenter__(self) -> "Follower":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> "Follower":
        return self

    async def __anext__(self) -> HistoryPage:
        return await anext(self._generator)

    async def aclose(self) -> None:
        """End the call in progress; the iteration is over."""
        await self._generator.aclose()

    @property
    def last_error(self) -> ChatError | None:
        """The error that stops it at the moment, or None while the server responds."""
        return self._retry_state.last_error

    async def _generate_pages(self) -> AsyncGenerator[HistoryPage, None]:
        # It calls nothing on a timeout: the loop looks at the time that remains.
        self._watchdog = ResponseWatchdog(self._connector.timeout, lambda: None, self._retry_state.notify_waiting)
        try:
            async for attempt in Attempts(self._retry_state, self._watchdog, self._is_past_until):
                with attempt:
                    try:
                        async with aclosing(self._pages_of_call()) as pages:
                            async for page in pages:
                                yield page
                    except InvalidRequest:
                        await self._check_until()
                        raise
        finally:
            self._watchdog.close()
            self._retry_state.close()

    async def _pages_of_call(self) -> AsyncGenerator[HistoryPage, None]:
        """Yield the pages of the next call. The query advances past each of them."""
        if self._complete:  # the last call broke at its end
            return
        if self._from_now:
            await self._start_at_head()
        query, (channel, self._channel) = self._query, (self._channel, None)
        async with self._connector.open_call(
            self._call_timeout, lambda stub: stub.GetMessages(convert.query_to_pb(query)), channel
        ) as call:

            def on_response(expecting: bool) -> None:
                self._retry_state.responded()
                self._retry_state.recovered()
                self._watchdog.reset(expecting)
                call.watchdog.reset(expecting)

            async with aclosing(read_pages(call, query, on_response)) as pages:
                async for page in pages:
                    self._complete |= self._advance_query(page)
                    yield page
                    if self._complete and query.follow:
                        return
        if query.follow and query.until is None:
            raise Unavailable(f"{self._connector.server} ended a stream that has no end")

    def _is_past_until(self) -> bool:
        """Return whether `until` has passed, and with it the time in which the server could have ended the query."""
        query = self._query
        return query.follow and query.until is not None and time.time() > query.until / 1e6 + UNTIL_GRACE_SECONDS

    @property
    def _call_timeout(self) -> float:
        return self._retry_state.attempt_timeout(self._watchdog.remaining)

    async def _stats(self) -> ServerStats:
        request = pb.GetStatsRequest(top=1)
        async with self._connector.open_call(self._call_timeout, lambda stub: stub.GetStats(request)) as call:
            return server_stats_from_pb(await call.response())

    async def _check_until(self) -> None:
        """Raise IncompatibleServer if the server is too old for `until` with `follow`: it reports no activity."""
        query = self._query
        if query.follow and query.until is not None and not (response := await self._stats()).has_activity:
            raise outdated_server_error(self._connector.server, "following until a time", response.version) from None

    async def _start_at_head(self) -> None:
        """Move the query past the newest message of this moment."""
        response = await self._stats()
        self._watchdog.reset(expecting=True)
        self._from_now = False
        self._query = replace(self._query, after=response.head)

    def _advance_query(self, page: HistoryPage) -> bool:
        """Move the query past a page. Return whether nothing is left to read."""
        query = self._query
        if page.runs:
            self._retry_state.made_progress()  # an empty page does not count: a server may break after each
        elif query.last and not page.live:
            return False  # the server is still searching for the start of the last N messages
        count, limit = sum(len(run.texts) for run in page.runs), query.limit
        if query.last and not query.follow:
            limit = min(limit or query.last, query.last)  # without those that are new at the next call
        self._query = replace(query, after=page.cursor, last=0, limit=max(0, limit - count))
        return 0 < limit <= count
