"""Pages that many want: read once, kept for a while, and bounded in bytes."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from sys import getsizeof

from chatctl.filters import Filter
from chatctl.log import MessageLog, Page, Run

PAGE_MESSAGES = 1000
KEPT_CHARS = 128 * 1024  # of a page that was not read from the log, which gives none that are much larger
CACHE_BYTES = 8 * 1024 * 1024
ANSWER_BYTES, RUN_BYTES = 2000, 350  # of one without messages, and of a run without texts: about


@dataclass(slots=True, eq=False)
class Answer:
    """A part of what a query is answered with: messages in log order, and the sequence up to which (inclusive) it goes."""

    runs: list[Run]
    position: int
    live: bool = False
    """Whether everything that was stored when it was made has come."""
    frame: bytes = b""
    """What it is on the wire; kept here by whoever sends it to many."""

    def first(self, count: int) -> "Answer":
        """Its first `count` messages, or all if they are fewer."""
        left = count
        for i, run in enumerate(self.runs):
            if len(run.texts) >= left:
                return Answer([*self.runs[:i], run._replace(texts=run.texts[:left])], run.sequence + left - 1, self.live)
            left -= len(run.texts)
        return self


Answers = tuple[Answer, Answer]
"""The same page for those who are still reading what is stored, and for those who are live."""
Key = tuple[Filter, int]
"""What is wanted, and after which cursor."""


class Cache:
    """Pages that several followers want, those used last; each is read once even if they ask in the same moment."""

    def __init__(self, log: MessageLog, count: int) -> None:
        self._log = log
        self._count = count
        self._kept: OrderedDict[Key, tuple[Answers, int]] = OrderedDict()  # and how many bytes each takes
        self._bytes = 0
        self._reading: dict[Key, asyncio.Task[Answers]] = {}

    def keep(self, key: Key, page: Page) -> None:
        """Have this page at hand, unless it is too large for one."""
        counts = [(len(run.texts), sum(map(len, run.texts))) for run in page.runs]
        if sum(count for count, _ in counts) <= self._count and sum(chars for _, chars in counts) <= KEPT_CHARS:
            self._keep(key, _answers(page))

    async def read(self, wanted: Filter, after: int, end: int, keep: bool = True) -> Answers:
        """The first page after a cursor that was read up to `end` or before; kept for others or not."""
        key = (wanted, after)
        if kept := self._kept.get(key):
            if keep:
                self._kept.move_to_end(key)
            else:
                self._drop(key)
            return kept[0]
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(key, end, keep))
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())  # even if nobody waits any more
        return await asyncio.shield(reading)  # whoever goes must not take the page from the others

    async def _read(self, key: Key, end: int, keep: bool) -> Answers:
        wanted, after = key
        try:
            page = await wanted.read(self._log, after, end, self._count)
        finally:
            del self._reading[key]
        answers = _answers(page)
        if keep:
            self._keep(key, answers)
        return answers

    def _keep(self, key: Key, answers: Answers) -> None:
        if key in self._kept:
            self._drop(key)
        size = _size(answers)
        self._kept[key] = answers, size
        self._bytes += size
        while self._bytes > CACHE_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        self._bytes -= self._kept.pop(key)[1]


def _answers(page: Page) -> Answers:
    return Answer(page.runs, page.position), Answer(page.runs, page.position, live=True)


def _size(answers: Answers) -> int:
    """About how many bytes it takes: the texts, and the frame that is made of them.

    A page of short messages by many is nearly all overhead, 400 bytes for each of them.
    """
    return ANSWER_BYTES + sum(RUN_BYTES + 2 * sum(map(getsizeof, run.texts)) for run in answers[0].runs)
