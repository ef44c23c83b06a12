"""Who is told of what: a commit calls those who watch the rooms it has written to, and nobody else."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chatctl.log import Draft, Receipt, Run, Status

logger = logging.getLogger(__name__)

ANY = ""  # stands for every room; no room is called that

Call = Callable[[Sequence[Run], int], None]


@dataclass(slots=True)
class Due:
    """What a watcher is to be told."""

    call: Call
    runs: list[Run]
    size: int = 0


class Watches:
    """The callbacks for each room. Belongs to the event loop it is used in."""

    def __init__(self) -> None:
        self._calls: dict[str, dict[object, Call]] = {}

    def watch(self, rooms: Sequence[str], moved: Call) -> Callable[[], None]:
        """See `MessageLog.watch`."""
        key = object()
        keys = set(rooms) or {ANY}
        for room in keys:
            self._calls.setdefault(room, {})[key] = moved

        def unwatch() -> None:
            for room in keys:
                del self._calls[room][key]
                if not self._calls[room]:
                    del self._calls[room]

        return unwatch

    def moved(self, stored: Iterable[tuple[Draft, list[Receipt]]]) -> None:
        """These drafts were taken, in this order, and got these receipts."""
        if not self._calls:
            return
        due: dict[object, Due] = {}
        for draft, receipts in stored:
            calls = [*self._calls.get(draft.room, {}).items(), *self._calls.get(ANY, {}).items()]
            if calls and (runs := _runs(draft, receipts)):
                for key, call in calls:
                    wanted = due.setdefault(key, Due(call, []))
                    wanted.runs += runs
                    wanted.size += draft.size
        for wanted in due.values():
            try:
                wanted.call(wanted.runs, wanted.size)
            except Exception:
                logger.exception("somebody who watches the log failed")  # the others must not go without


def _runs(draft: Draft, receipts: Iterable[Receipt]) -> list[Run]:
    """What of a draft is stored by now and was not before."""
    runs = []
    for receipt in receipts:
        if receipt.status is Status.STORED:
            first = receipt.number - draft.number
            texts = list(draft.texts[first : first + receipt.count])
            runs.append(Run(receipt.sequence, draft.room, draft.user, receipt.time, texts))
    return runs
