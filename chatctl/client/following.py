"""Following: a reader goes on over as many calls as it takes, each from the cursor where the last one broke."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import NamedTuple

from chatctl import wire
from chatctl.client.call import Call, Dial, outdated
from chatctl.client.patience import Patience
from chatctl.client.retrying import Retrying
from chatctl.errors import ChatError, InvalidRequest, Passing, Unavailable, Unexpected
from chatctl.history import Query
from chatctl.log import Run
from chatctl.v1 import chat_pb2 as pb

OVER_SECONDS = 10.0  # after a query's end it is tried for so long to hear of it


class HistoryPage(NamedTuple):
    """Messages in log order, and the cursor to read on from.

    The cursor of any message is `cursor_prefix` and its sequence in decimal. `live`: everything stored so far has been read.
    """

    runs: list[Run]
    cursor: str
    cursor_prefix: str
    live: bool


async def pages(call: Call, heard: Callable[[bool], None]) -> AsyncGenerator[HistoryPage, None]:
    """The pages of one call of GetMessages; `heard` is called with whether another is due."""
    while (response := await call.read()) is not None:
        heard(False)  # the reader's time is its own
        yield HistoryPage(wire.runs(response.runs), response.cursor, response.cursor_prefix, response.live)
        # Waiting for what nobody has written yet is no silence of the server's.
        heard(not response.live)


class Following:
    """One reader that follows; it calls again when a call breaks or the server goes away, as long as the timeout allows."""

    def __init__(
        self, dial: Dial, server: str, query: Query, from_now: bool, timeout: float, notice: Callable[[str], None] | None
    ) -> None:
        """Use `ChatClient.follow`."""
        self._dial = dial
        self._server = server
        self._query = query
        self._from_now = from_now
        self._retrying = Retrying(server, timeout, notice)
        self._patience = Patience(timeout, lambda: None, self._retrying.tell_silence)  # whoever calls looks at what is left

    async def pages(self) -> AsyncGenerator[HistoryPage, None]:
        """See `ChatClient.follow`."""
        try:
            while True:
                try:
                    async with aclosing(self._pages()) as found:
                        async for page in found:
                            yield page
                    return
                except InvalidRequest:
                    await self._check_until()
                    raise
                except (Passing, Unexpected) as error:
                    if (task := asyncio.current_task()) and task.cancelling():  # just when the call was given up
                        raise asyncio.CancelledError from None
                    seconds = self._retrying.take(error)
                self._patience.expect()
                await asyncio.sleep(min(seconds, self._patience.left))
                if self._patience.left <= 0 or self._is_over():
                    raise self._retrying.gave_up()
        finally:
            self._patience.close()

    async def _pages(self) -> AsyncGenerator[HistoryPage, None]:
        """Those of the next call; with each, the query moves on behind it."""
        if self._from_now:
            await self._start_now()
        query = self._query
        async with self._dial(self._seconds, lambda stub: stub.GetMessages(wire.query_request(query))) as call:

            def heard(expecting: bool) -> None:
                self._retrying.met = True
                self._retrying.got_on()
                self._retrying.answered()
                self._patience.heard(expecting)
                call.patience.heard(expecting)

            async with aclosing(pages(call, heard)) as found:
                async for page in found:
                    ended = self._move_on(page)
                    yield page
                    if ended:
                        return
        if query.until is None:
            raise Unavailable(f"{self._server} ended the stream, which has no end")

    @property
    def trouble(self) -> ChatError | None:
        """What keeps it from going on at this moment, if anything does."""
        return self._retrying.trouble

    def _is_over(self) -> bool:
        """Whether the query's end has passed, and with it the time in which the server could have told of it."""
        return self._query.until is not None and time.time() > self._query.until / 1e6 + OVER_SECONDS

    @property
    def _seconds(self) -> float:
        return min(self._retrying.seconds, self._patience.left)

    async def _stats(self) -> pb.GetStatsResponse:
        async with self._dial(self._seconds, lambda stub: stub.GetStats(pb.GetStatsRequest(top=1))) as call:
            response: pb.GetStatsResponse = await call.answer()
        return response

    async def _check_until(self) -> None:
        """Raise OtherVersion if the server is too old for `until` with `follow`: such servers report no activity."""
        if self._query.until is not None and not (response := await self._stats()).HasField("activity"):
            raise outdated(self._server, "following until a time", response.version) from None

    async def _start_now(self) -> None:
        """From now on: behind what is the newest message at this moment."""
        response = await self._stats()
        self._patience.heard(expecting=True)
        self._from_now = False
        self._query = replace(self._query, after=response.head)

    def _move_on(self, page: HistoryPage) -> bool:
        """What the next call is to ask for; whether there is nothing more to ask."""
        query = self._query
        if page.runs:
            self._retrying.proved()  # an empty page does not count: a server may break after each
        elif query.last and not page.live:
            return False  # still looking for where the last ones begin
        count = sum(len(run.texts) for run in page.runs)
        self._query = replace(query, after=page.cursor, last=0, limit=max(0, query.limit - count))
        return 0 < query.limit <= count
