"""Following: a reader goes on over as many calls as it takes, each from the cursor where the last one broke."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from chatctl.client.call import Call, OpenCall, outdated_server_error
from chatctl.client.retry import RetryState
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.errors import ChatError, InvalidRequest, TransientError, Unavailable, UnexpectedStatus
from chatctl.model.messages import HistoryPage, Query
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert

UNTIL_GRACE_SECONDS = 10.0  # after a query's end it is tried for so long to hear of it


async def read_pages(call: Call, on_response: Callable[[bool], None]) -> AsyncGenerator[HistoryPage, None]:
    """The pages of one call of GetMessages; `on_response` is called with whether another is due."""
    while (response := await call.read()) is not None:
        on_response(False)  # the reader's time is its own
        yield HistoryPage(convert.runs_from_pb(response.runs), response.cursor, response.cursor_prefix, response.live)
        # Waiting for what nobody has written yet is no silence of the server's.
        on_response(not response.live)


class Follower:
    """One reader that follows; it calls again when a call breaks or the server goes away, as long as the timeout allows."""

    def __init__(
        self,
        open_call: OpenCall,
        server: str,
        query: Query,
        from_now: bool,
        timeout: float,
        notify: Callable[[str], None] | None,
    ) -> None:
        """Use `ChatClient.follow`."""
        self._open_call = open_call
        self._server = server
        self._query = query
        self._from_now = from_now
        self._retry_state = RetryState(server, timeout, notify)
        self._watchdog = ResponseWatchdog(
            timeout, lambda: None, self._retry_state.notify_waiting
        )  # whoever calls looks at what is left

    async def pages(self) -> AsyncGenerator[HistoryPage, None]:
        try:
            while True:
                try:
                    async with aclosing(self._pages_of_call()) as found:
                        async for page in found:
                            yield page
                    return
                except InvalidRequest:
                    await self._check_until()
                    raise
                except (TransientError, UnexpectedStatus) as error:
                    if (task := asyncio.current_task()) and task.cancelling():  # just when the call was given up
                        raise asyncio.CancelledError from None
                    pause = self._retry_state.record_failure(error)
                self._watchdog.start()
                await asyncio.sleep(min(pause, self._watchdog.remaining))
                if self._watchdog.remaining <= 0 or self._is_past_until():
                    raise self._retry_state.final_error()
        finally:
            self._watchdog.close()

    async def _pages_of_call(self) -> AsyncGenerator[HistoryPage, None]:
        """Those of the next call; with each, the query moves on behind it."""
        if self._from_now:
            await self._start_at_head()
        query = self._query
        async with self._open_call(self._call_timeout, lambda stub: stub.GetMessages(convert.query_to_pb(query))) as call:

            def on_response(expecting: bool) -> None:
                self._retry_state.server_seen = True
                self._retry_state.recovered()
                self._retry_state.responded()
                self._watchdog.reset(expecting)
                call.watchdog.reset(expecting)

            async with aclosing(read_pages(call, on_response)) as found:
                async for page in found:
                    complete = self._advance_query(page)
                    yield page
                    if complete:
                        return
        if query.until is None:
            raise Unavailable(f"{self._server} ended the stream, which has no end")

    @property
    def last_error(self) -> ChatError | None:
        """What keeps it from going on at this moment, if anything does."""
        return self._retry_state.last_error

    def _is_past_until(self) -> bool:
        """Whether the query's end has passed, and with it the time in which the server could have told of it."""
        return self._query.until is not None and time.time() > self._query.until / 1e6 + UNTIL_GRACE_SECONDS

    @property
    def _call_timeout(self) -> float:
        return min(self._retry_state.call_timeout, self._watchdog.remaining)

    async def _stats(self) -> pb.GetStatsResponse:
        async with self._open_call(self._call_timeout, lambda stub: stub.GetStats(pb.GetStatsRequest(top=1))) as call:
            response: pb.GetStatsResponse = await call.response()
        return response

    async def _check_until(self) -> None:
        """Raise IncompatibleServer if the server is too old for `until` with `follow`: it reports no activity."""
        if self._query.until is not None and not (response := await self._stats()).HasField("activity"):
            raise outdated_server_error(self._server, "following until a time", response.version) from None

    async def _start_at_head(self) -> None:
        """Continue after the message that is the newest one now."""
        response = await self._stats()
        self._watchdog.reset(expecting=True)
        self._from_now = False
        self._query = replace(self._query, after=response.head)

    def _advance_query(self, page: HistoryPage) -> bool:
        """What the next call is to ask for; whether there is nothing more to ask."""
        query = self._query
        if page.runs:
            self._retry_state.made_progress()  # an empty page does not count: a server may break after each
        elif query.last and not page.live:
            return False  # still looking for where the last ones begin
        count = sum(len(run.texts) for run in page.runs)
        self._query = replace(query, after=page.cursor, last=0, limit=max(0, query.limit - count))
        return 0 < query.limit <= count
