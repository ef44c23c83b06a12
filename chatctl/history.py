"""Reading the log: what is stored, and with `follow` what comes after, without a gap."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from chatctl.chat import Chat
from chatctl.errors import InvalidRequest
from chatctl.log import Page, Run

PAGE_MESSAGES = 1000
MAX_CONTAINS = 1024
PROGRESS_SECONDS = 1.0  # a search that finds nothing says at least this often how far it has looked


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
    if query.follow and (query.before or query.until is not None):
        raise InvalidRequest("follow has no end: it excludes before and until")
    if len(query.contains.encode()) > MAX_CONTAINS:
        raise InvalidRequest(f"the text to look for is longer than {MAX_CONTAINS} bytes")
    for cursor in (query.after, query.before):
        if cursor:
            chat.position(cursor)


async def read(chat: Chat, query: Query) -> AsyncIterator[Page]:
    """Pages with every message that matches, exactly once and in log order; with `follow` it goes on for ever.

    At least one page comes; a page may be empty, to say how far the log was looked through or that the live part begins.
    Raises what `check` raises, StoreFailed, and Stopping while it waits for more.
    """
    check(chat, query)
    log, clock = chat.log, asyncio.get_running_loop().time
    after, end = await _span(chat, query)
    full = min(PAGE_MESSAGES, chat.limits.batch_messages)
    left, live, told, spoke = query.limit, False, -1, clock()
    start = after
    async for at in _before_last(chat, query, after, end):
        start = at
        if clock() - spoke > PROGRESS_SECONDS:
            spoke = clock()
            yield Page([], after)
    after = start
    while True:
        while after < end:
            count = min(left, full) if query.limit and not query.contains else full
            page = matching(await log.read(query.rooms, query.users, after, end, count), query, left)
            after = page.position
            if query.limit:
                left -= sum(len(run.texts) for run in page.runs)
            if page.runs or clock() - spoke > PROGRESS_SECONDS:
                live = live or (query.follow and after >= log.head)
                told, spoke = after, clock()
                due = [page._replace(live=live)]
                del page  # or it would stay for as long as the reader stalls
                yield due.pop()
            if query.limit and not left:
                return
        if query.follow and after < log.head:
            end = log.head
            continue
        if not query.follow:
            if told < after or told < 0:
                yield Page([], after)
            return
        if not live:
            live = True
            yield Page([], after, live)
        await log.wait(after, query.rooms)  # what other rooms get costs a follower nothing


async def _span(chat: Chat, query: Query) -> tuple[int, int]:
    """The part of the log to look at: after < sequence <= end."""
    log = chat.log
    after, end = 0, log.head
    if query.before:
        end = min(end, chat.position(query.before) - 1)
    if query.until is not None:
        end = min(end, await log.sequence_at(query.until) - 1)
    if query.after:
        after = chat.position(query.after)
    if query.since is not None:
        after = max(after, min(end, await log.sequence_at(query.since) - 1))
    return after, end


async def _before_last(chat: Chat, query: Query, after: int, end: int) -> AsyncIterator[int]:
    """How far it has looked back; the last one is where exactly the last `query.last` matching messages follow.

    Nothing if all are asked for.
    """
    left = query.last
    while left and after < end:
        count = PAGE_MESSAGES if query.contains else min(left, PAGE_MESSAGES)
        page = await chat.log.read(query.rooms, query.users, after, end, count, backwards=True)
        for run in reversed(matching(page, query, 0).runs):
            if len(run.texts) >= left:
                yield run.sequence + len(run.texts) - left - 1
                return
            left -= len(run.texts)
        end = page.position
        yield end


def matching(page: Page, query: Query, left: int) -> Page:
    """The page without what does not match in time or text; at most `left` messages unless `left` is 0."""
    if not query.contains and query.since is None:
        return page
    runs = [run for run in page.runs if query.since is None or run.time >= query.since]
    if query.contains:
        runs = _containing(runs, query.contains.casefold())
    if left:
        for i, run in enumerate(runs):
            if len(run.texts) >= left:
                runs[i:] = [run._replace(texts=run.texts[:left])]
                return Page(runs, run.sequence + left - 1)
            left -= len(run.texts)
    return Page(runs, page.position)


def _containing(runs: list[Run], needle: str) -> list[Run]:
    """The parts of the runs whose texts contain the needle, which is casefolded."""
    found: list[Run] = []
    for run in runs:
        # All texts at once first: where nothing matches, which is nearly everywhere, this is ten times as fast.
        if needle not in "\n".join(run.texts).casefold():
            continue
        last = -2
        for i, text in enumerate(run.texts):
            if needle in text.casefold():
                if i == last + 1:
                    found[-1].texts.append(text)
                else:
                    found.append(run._replace(sequence=run.sequence + i, texts=[text]))
                last = i
    return found
