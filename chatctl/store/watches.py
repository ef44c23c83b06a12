"""Who is told of what: a commit calls those who watch the rooms it has written to, and nobody else."""

import logging
from collections.abc import Callable, Iterable, Sequence

from chatctl.log import Draft, Receipt, Run, Status

logger = logging.getLogger(__name__)

ANY = ""  # stands for every room; no room is called that

Call = Callable[[Sequence[Run]], None]


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
        runs = [run for draft, receipts in stored for run in _runs(draft, receipts)]
        due: dict[object, tuple[Call, list[Run]]] = {key: (call, runs) for key, call in self._calls.get(ANY, {}).items()}
        for run in runs:
            for key, call in self._calls.get(run.room, {}).items():
                due.setdefault(key, (call, []))[1].append(run)
        for call, wanted in due.values():
            if wanted:
                try:
                    call(wanted)
                except Exception:
                    logger.exception("somebody who watches the log failed")  # the others must not go without


def _runs(draft: Draft, receipts: Iterable[Receipt]) -> Iterable[Run]:
    """What of a draft is stored by now and was not before."""
    for receipt in receipts:
        if receipt.status is Status.STORED:
            first = receipt.number - draft.number
            texts = list(draft.texts[first : first + receipt.count])
            yield Run(receipt.sequence, draft.room, draft.user, receipt.time, texts)
