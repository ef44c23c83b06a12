"""`join --plain`: lines of stdin go to the first room, and messages of all rooms come out, a line each."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing

from chatctl.cli import formats, options
from chatctl.cli.interrupts import Interrupts
from chatctl.cli.join import leaving
from chatctl.cli.printing import Lines, json_lines, on_desertion
from chatctl.cli.sources import Stdin
from chatctl.client import ChatClient, Connected, HistoryPage, Joining, Lost, Outcome, Query
from chatctl.log import Run, Status

LEAVE_SECONDS = 2.0  # how long leaving waits for receipts


class Plain:
    """Use it once: `main`. Lines are known by their number in stdin, from 1."""

    def __init__(self, user: str, rooms: Sequence[str], last: int, as_json: bool, utc: bool) -> None:
        """`last`: begin with so many messages."""
        self._user, self._rooms, self._last, self._as_json, self._utc = user, rooms, last, as_json, utc
        self._notice = formats.notice(as_json)
        self._lines = Lines(json_lines if as_json else self._rows)
        self._source = Stdin(b"\n", typed=False)
        self._joining: Joining | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._seen: dict[str, int] = {}  # sequence of the newest message printed, by room
        self._own = 0  # that of the newest one stored for us
        self._lost = self._deserted = self._failed = False

    async def main(self, server: str, seconds: float) -> int:
        """Send and print until stdin ends; the exit code comes back. Raises what ended it before that."""
        self._interrupts = Interrupts(self._stop, dying=self._tell_left)
        self._work = asyncio.ensure_future(self._run(server, seconds))
        try:
            await self._work
        except asyncio.CancelledError:
            if not (self._interrupts.code or self._deserted):
                raise
        finally:
            self._tell_left()
        return self._interrupts.code or int(self._failed)

    def _tell_left(self) -> None:
        if not self._joining:
            return
        self._failed |= not leaving.tell(self._joining.remaining(), {}, self._as_json)
        stopped = self._source.stopped() if self._feeder else None
        if stopped and (stopped.unfinished or (stopped.record and not self._deserted)):
            rest = f", and {stopped.unfinished} bytes of the next one were read but not sent" if stopped.unfinished else ""
            self._notice(f"reading stopped after line {stopped.record} of the input{rest}")

    def _stop(self) -> None:
        """Read no more, and wait a moment for receipts."""
        if not self._feeder:
            self._work.cancel()
            return
        self._feeder.cancel()
        asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._work.cancel)

    def _desert(self) -> None:
        self._deserted = True
        self._stop()

    # --- the stream

    async def _run(self, server: str, seconds: float) -> None:
        async with ChatClient(server, seconds) as chat, chat.join(self._user, self._rooms) as joining:
            self._joining = joining
            on_desertion(self._desert)
            try:
                async for event in joining.events():
                    await self._take(event, chat, joining)
                    self._end_if_done(joining)
            finally:
                if self._feeder:
                    self._feeder.cancel()
                    await asyncio.wait([self._feeder])
            if self._feeder and not self._feeder.cancelled():
                self._feeder.result()  # the input may have failed

    async def _take(self, event: object, chat: ChatClient, joining: Joining) -> None:
        match event:
            case HistoryPage():
                if not self._feeder:
                    await self._begin(chat)
                    self._feeder = asyncio.create_task(self._source.feed(joining, self._rooms[0], None))
                    self._feeder.add_done_callback(lambda _: self._end_if_done(joining))
                self._show(event)
            case Outcome():
                self._settle(event)
            case Lost(error):
                if not self._lost:
                    self._notice(f"{error}; trying again")
                self._lost = True
            case Connected():
                if self._lost:
                    self._notice("the server answers again")
                self._lost = False

    def _end_if_done(self, joining: Joining) -> None:
        """The input has ended, all has its receipt, and what is stored of it has been printed: that is the confirmation."""
        ended = self._feeder is not None and self._feeder.done() and joining.settled
        if ended and (self._deserted or self._seen.get(self._rooms[0], 0) >= self._own):
            joining.finish()

    async def _begin(self, chat: ChatClient) -> None:
        """Print the last messages. From here on the stream gives all that is newer."""
        if self._last:
            async with aclosing(chat.read(Query(rooms=tuple(self._rooms), last=min(self._last, options.MOST)))) as pages:
                async for page in pages:
                    self._show(page)

    def _settle(self, outcome: Outcome) -> None:
        receipt = outcome.receipt
        if receipt.status is Status.REJECTED:
            self._failed = True
            self._notice(f"line {receipt.number} was not stored: {receipt.error}")
        else:
            self._own = max(self._own, receipt.sequence + receipt.count - 1)

    # --- what is printed

    def _show(self, page: HistoryPage) -> None:
        runs = [fresh for run in page.runs if (fresh := self._fresh(run))]
        if not runs or self._deserted:
            return
        try:
            self._lines.show(page._replace(runs=runs))
        except BrokenPipeError:
            self._desert()

    def _fresh(self, run: Run) -> Run | None:
        """What of it was not printed, as one of the last."""
        over = self._seen.get(run.room, 0) - run.sequence + 1
        if over >= len(run.texts):
            return None
        self._seen[run.room] = run.sequence + len(run.texts) - 1
        return run._replace(sequence=run.sequence + over, texts=run.texts[over:]) if over > 0 else run

    def _rows(self, page: HistoryPage) -> Iterable[str]:
        for run in page.runs:
            room = f"{formats.visible_name(run.room)}  " if len(self._rooms) > 1 else ""
            head = f"{formats.person_time(run.time, self._utc)}  {room}{formats.visible_name(run.user)}: "
            for text in run.texts:
                yield f"{head}{formats.visible(text)}\n"
