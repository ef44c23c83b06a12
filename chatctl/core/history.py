"""Read and follow the log: stored messages, then new ones, without a gap.

Handoff: a generator that waits in `yield` keeps its variables alive, so a plain `yield page` would hold the page until the
reader goes on. A reader may stall for hours, and thousands of them would hold a page each. So the generator keeps the page
in a list named `handoff`, deletes the page's own name, and pops the list in the `yield`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from chatctl.core.chat import Chat
from chatctl.core.feeds import Feed
from chatctl.core.filters import MessageFilter
from chatctl.core.page_cache import PAGE_MESSAGES, QueryPage
from chatctl.errors import InvalidRequest
from chatctl.model.limits import MAX_FILTERS, name_error
from chatctl.model.messages import Query

MAX_CONTAINS_BYTES = 1024
SEARCH_PROGRESS_SECONDS = 1.0  # how often a search without a match reports its position
COMMIT_GRACE_SECONDS = 1.0  # after `until`: messages with an earlier time may not be synced yet


def validate(chat: Chat, query: Query) -> None:
    """Raise InvalidRequest or the error of a cursor unless the query is valid."""
    chat.validate_names("room", query.rooms)
    chat.validate_names("user", query.users)
    if query.input_id and (error := name_error("input id", query.input_id, chat.limits.name_bytes)):
        raise InvalidRequest(error)
    for what, number in (("last", query.last), ("limit", query.limit)):
        if number < 0:
            raise InvalidRequest(f"invalid {what} {number}", "use a number from 1, or 0 for no bound")
    if query.last and query.after:
        raise InvalidRequest("last and after exclude each other", "last counts from the end, after from a cursor")
    if query.follow and query.before:
        raise InvalidRequest("follow and before exclude each other", "follow has no end, before sets one")
    if (count := len(query.also_contains)) > MAX_FILTERS:
        raise InvalidRequest(f"too many texts to search for: {count + 1}", f"use at most {MAX_FILTERS + 1}")
    if any(len(text.encode()) > MAX_CONTAINS_BYTES for text in (query.contains, *query.also_contains)):
        raise InvalidRequest(f"the text to search for is longer than {MAX_CONTAINS_BYTES} bytes of UTF-8")
    for cursor in (query.after, query.before):
        if cursor:
            chat.parse_cursor(cursor)


async def read(chat: Chat, query: Query) -> AsyncGenerator[QueryPage, None]:
    """Yield every matching message once and in log order; with `follow`, until it is closed or the time `until` is reached.

    Yields at least one page. An empty page reports how far the log was searched, or that the reader is live. Raises what
    `validate` raises, StoreFailed, and ServerStopping while it waits for new messages.
    """
    validate(chat, query)
    clock = asyncio.get_running_loop().time
    log_range = await _log_range(chat, query)
    after, last_yield = log_range.after, clock()
    async for scanned in _find_last_start(chat, query, log_range):
        after = scanned
        if clock() - last_yield > SEARCH_PROGRESS_SECONDS:
            last_yield = clock()
            yield QueryPage([], log_range.after)
    remaining, live, reported, position = query.limit, False, -1, after
    async with aclosing((_follow if log_range.follow else _read_stored)(chat, query, log_range, after)) as pages:
        async for page in pages:
            position = page.position
            if remaining and page.runs:
                page = page.truncated(remaining)
                remaining -= sum(len(run.texts) for run in page.runs)
            if page.runs or page.live > live or clock() - last_yield > SEARCH_PROGRESS_SECONDS:
                live, reported, last_yield = page.live, page.position, clock()
                handoff = [page]
                del page
                yield handoff.pop()
            if query.limit and not remaining:
                return
    if reported < position or reported < 0:
        yield QueryPage([], position)


@dataclass(frozen=True, slots=True)
class LogRange:
    """The part of the log to read: after < sequence <= end; with `follow`, new messages too."""

    after: int
    end: int
    follow: bool
    since: int
    """The filter for times, if new messages may still be older than the query's `since`; else 0."""


async def _log_range(chat: Chat, query: Query) -> LogRange:
    log = chat.log
    after, end, following, pending_since = 0, log.head, query.follow, 0
    if query.before:
        end = min(end, chat.parse_cursor(query.before) - 1)
    # A follower's end is a time of the clock: see EndTime.
    if query.until is not None and not (following and _seconds_until(query.until) > 0):
        first = await log.sequence_at(query.until)
        end, following = min(end, first - 1), following and first > end  # else new messages have later times
    if query.after:
        after = chat.parse_cursor(query.after)
    if query.since is not None:
        first = await log.sequence_at(query.since)
        pending_since = query.since if first > end else 0
        after = max(after, min(end, first - 1))
    return LogRange(after, end, following, pending_since)


async def _read_stored(chat: Chat, query: Query, log_range: LogRange, after: int) -> AsyncGenerator[QueryPage, None]:
    """Yield the pages of stored messages."""
    message_filter = _filter(query, log_range)
    count = min(PAGE_MESSAGES, chat.limits.batch_messages)
    if query.limit and not query.needles:
        count = min(count, query.limit)
    while after < log_range.end:
        page = await message_filter.read(chat.log, after, log_range.end, count)
        after = page.position
        handoff = [QueryPage(page.runs, after)]
        del page
        yield handoff.pop()


async def _follow(chat: Chat, query: Query, log_range: LogRange, after: int) -> AsyncGenerator[QueryPage, None]:
    """Yield the pages of stored and new messages. Followers with the same filter share them."""
    feed = chat.feeds.acquire(_filter(query, log_range))
    end_time = EndTime(chat, query.until)
    try:
        live, reported, report_due = False, -1, False
        while True:
            after = feed.skip_empty(after)
            end = feed.head if live else feed.known_head
            if after < end:
                pair = await feed.read(after, end)
                if end_time.is_before(pair[0]):
                    break
                after = reported = pair[0].position
                live, report_due = live or after >= feed.known_head, False
                handoff = [pair[live]]
                del pair
                yield handoff.pop()
            elif not live or reported < after or report_due:
                live, reported, report_due = True, after, False
                yield QueryPage([], after, live=True)
            elif await _wait_for_commit(feed, query.until):
                report_due = True  # woken without a message: the client and proxies are to hear something
            else:
                break
    finally:
        end_time.close()
        chat.feeds.release(feed)
    end = await end_time.last_sequence() if query.until is not None else after
    async for page in _read_stored(chat, query, LogRange(after, end, False, log_range.since), after):
        yield page


class EndTime:
    """The end of a follower, at a time of the clock.

    A message has the time of its commit, unless the clock was ahead before: then its time is later. So the messages stored
    until the end are those with earlier times, and with such a clock also those in the log when the time came.
    """

    def __init__(self, chat: Chat, until: int | None) -> None:
        """Use the log at the time `until`. Close it, or it keeps a timer."""
        self._log, self._until = chat.log, until
        self._head: int | None = None
        """The head when the time came, or 0 if the times of messages are right; None before."""
        self._timer: asyncio.TimerHandle | None = None
        if until is not None:
            self._timer = asyncio.get_running_loop().call_later(_seconds_until(until), self._on_time)

    def _on_time(self) -> None:
        if self._head is None:
            self._head = self._log.head if self._log.clock_lag else 0

    def is_before(self, page: QueryPage) -> bool:
        """Return whether the page has messages that were stored later."""
        if self._until is None or not page.runs or page.runs[-1].time < self._until:
            return False
        if self._head is None and _seconds_until(self._until) <= 0:
            self._on_time()
        return self._head is not None and page.position > self._head

    async def last_sequence(self) -> int:
        """Return the last sequence that was stored before the time, once it has come."""
        assert self._until is not None
        return max(await self._log.sequence_at(self._until) - 1, self._head or 0)

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer:
            self._timer.cancel()


def _seconds_until(time_micros: int) -> float:
    return time_micros / 1e6 - time.time()


async def _wait_for_commit(feed: Feed, until: int | None) -> bool:
    """Wait for new messages. Returns False if the time is past and none can be earlier."""
    if until is None:
        await feed.wait()
        return True
    try:
        async with asyncio.timeout(_seconds_until(until) + COMMIT_GRACE_SECONDS):
            await feed.wait()
    except TimeoutError:
        return False
    return True


def _filter(query: Query, log_range: LogRange) -> MessageFilter:
    return MessageFilter.for_query(query, log_range.since)


async def _find_last_start(chat: Chat, query: Query, log_range: LogRange) -> AsyncIterator[int]:
    """Search backwards for the position that exactly the last `query.last` matching messages follow.

    Yields the positions that it has reached, the found one at last; none if the query has no `last`.
    """
    remaining, message_filter = query.last, _filter(query, log_range)
    end = log_range.end
    while remaining and log_range.after < end:
        count = PAGE_MESSAGES if query.needles else min(remaining, PAGE_MESSAGES)
        page = await message_filter.read(chat.log, log_range.after, end, count, backwards=True)
        for run in reversed(page.runs):
            if len(run.texts) >= remaining:
                yield run.sequence + len(run.texts) - remaining - 1
                return
            remaining -= len(run.texts)
        end = page.position
        yield end
