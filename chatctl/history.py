"""Reading the log: what is stored, and with `follow` what comes after, without a gap."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from chatctl.chat import Chat
from chatctl.errors import InvalidRequest
from chatctl.feeds import Feed
from chatctl.filters import Filter
from chatctl.pages import PAGE_MESSAGES, Answer

MAX_CONTAINS = 1024
PROGRESS_SECONDS = 1.0  # a search that finds nothing says at least this often how far it has looked
COMMIT_SECONDS = 1.0  # beyond `until`: what was given its time before may be on its way to the disk


@dataclass(frozen=True, slots=True)
class Query:
    """Which messages to read; see GetMessagesRequest in the contract. 0, None and empty are no condition."""

    rooms: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    contains: str = ""
    after: str = ""
    before: str = ""
    last: int = 0
    limit: int = 0
    follow: bool = False


def check(chat: Chat, query: Query) -> None:
    """Raise InvalidRequest, or an error of a cursor's, unless `read` can answer the query."""
    chat.check_names("room", query.rooms)
    chat.check_names("user", query.users)
    for what, number in (("last", query.last), ("limit", query.limit)):
        if number < 0:
            raise InvalidRequest(f"{what} is {number}: it must be at least 1, or 0 for no bound")
    if query.last and query.after:
        raise InvalidRequest("last and after exclude each other: one counts from the end, the other from a cursor")
    if query.follow and query.before:
        raise InvalidRequest("follow and before exclude each other: one goes on from the end, the other ends before it")
    if len(query.contains.encode()) > MAX_CONTAINS:
        raise InvalidRequest(f"the text to look for is longer than {MAX_CONTAINS} bytes")
    for cursor in (query.after, query.before):
        if cursor:
            chat.position(cursor)


async def read(chat: Chat, query: Query) -> AsyncGenerator[Answer, None]:
    """Every message that matches, exactly once and in log order; with `follow` it goes on until it is closed, or `until`.

    At least one answer comes; one may be empty, to say how far the log was looked through or that the live part begins.
    Raises what `check` raises, StoreFailed, and Stopping while it waits for more.
    """
    check(chat, query)
    clock = asyncio.get_running_loop().time
    span = await _span(chat, query)
    after, spoke = span.after, clock()
    async for at in _before_last(chat, query, span):
        after = at
        if clock() - spoke > PROGRESS_SECONDS:
            spoke = clock()
            yield Answer([], span.after)
    left, live, told, position = query.limit, False, -1, after
    async with aclosing((_follow if span.open else _stored)(chat, query, span, after)) as answers:
        async for answer in answers:
            position = answer.position
            if left and answer.runs:
                answer = answer.first(left)
                left -= sum(len(run.texts) for run in answer.runs)
            if answer.runs or answer.live > live or clock() - spoke > PROGRESS_SECONDS:
                live, told, spoke = answer.live, answer.position, clock()
                due = [answer]
                del answer  # or it would stay for as long as the reader stalls
                yield due.pop()
            if query.limit and not left:
                return
    if told < position or told < 0:
        yield Answer([], position)


@dataclass(frozen=True, slots=True)
class Span:
    """The part of the log to look at: after < sequence <= end. `open`: and then what comes."""

    after: int
    end: int
    open: bool
    since: int
    """What is still to be looked at: a time that no message has reached."""


async def _span(chat: Chat, query: Query) -> Span:
    log = chat.log
    after, end, following, coming = 0, log.head, query.follow, 0
    if query.before:
        end = min(end, chat.position(query.before) - 1)
    if query.until is not None and (first := await log.sequence_at(query.until)) <= end:
        end, following = first - 1, False  # nothing can be stored before that time any more
    if query.after:
        after = chat.position(query.after)
    if query.since is not None:
        first = await log.sequence_at(query.since)
        coming = query.since if first > end else 0
        after = max(after, min(end, first - 1))
    return Span(after, end, following, coming)


async def _stored(chat: Chat, query: Query, span: Span, after: int) -> AsyncGenerator[Answer, None]:
    """The pages of what is stored."""
    wanted = _filter(query, span)
    count = min(PAGE_MESSAGES, chat.limits.batch_messages)
    if query.limit and not query.contains:
        count = min(count, query.limit)
    while after < span.end:
        page = await wanted.read(chat.log, after, span.end, count)
        after = page.position
        due = [Answer(page.runs, after)]
        del page
        yield due.pop()


async def _follow(chat: Chat, query: Query, span: Span, after: int) -> AsyncGenerator[Answer, None]:
    """The pages of what is stored, and of what comes; those that others follow, too, are shared with them."""
    feed = chat.feeds.join(_filter(query, span))
    try:
        live, told = False, -1
        while True:
            after = feed.skip(after)
            end = feed.head if live else feed.newest
            if after < end:
                answers = await feed.read(after, end)
                if query.until is not None and answers[0].runs and answers[0].runs[-1].time >= query.until:
                    break
                after = told = answers[0].position
                live = live or after >= feed.newest
                due = [answers[live]]
                del answers
                yield due.pop()
            elif not live or told < after:
                live, told = True, after
                yield Answer([], after, live=True)
            elif not await _more(feed, query.until):
                break
    finally:
        chat.feeds.leave(feed)
    end = await chat.log.sequence_at(query.until) - 1 if query.until is not None else after
    async for answer in _stored(chat, query, Span(after, end, False, span.since), after):
        yield answer


async def _more(feed: Feed, until: int | None) -> bool:
    """Wait for more; whether some may come before that time."""
    if until is None:
        await feed.wait()
        return True
    try:
        async with asyncio.timeout(until / 1e6 - time.time() + COMMIT_SECONDS):
            await feed.wait()
    except TimeoutError:
        return False
    return True


def _filter(query: Query, span: Span) -> Filter:
    return Filter.of(query.rooms, query.users, query.contains, span.since)


async def _before_last(chat: Chat, query: Query, span: Span) -> AsyncIterator[int]:
    """How far it has looked back; the last one is where exactly the last `query.last` matching messages follow.

    Nothing if all are asked for.
    """
    left, wanted = query.last, _filter(query, span)
    end = span.end
    while left and span.after < end:
        count = PAGE_MESSAGES if query.contains else min(left, PAGE_MESSAGES)
        page = await wanted.read(chat.log, span.after, end, count, backwards=True)
        for run in reversed(page.runs):
            if len(run.texts) >= left:
                yield run.sequence + len(run.texts) - left - 1
                return
            left -= len(run.texts)
        end = page.position
        yield end
