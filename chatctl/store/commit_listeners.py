"""Who is told of what: a commit calls those who watch the rooms it has written to, and nobody else."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chatctl.model.messages import Run
from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch

logger = logging.getLogger(__name__)

ALL_ROOMS = ""  # stands for every room; no room is called that

OnCommit = Callable[[Sequence[Run], int], None]


@dataclass(slots=True)
class PendingNotification:
    """What a watcher is to be told."""

    on_commit: OnCommit
    runs: list[Run]
    size: int = 0


class CommitListeners:
    """The callbacks for each room. Belongs to the event loop it is used in."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[object, OnCommit]] = {}

    def subscribe(self, rooms: Sequence[str], on_commit: OnCommit) -> Callable[[], None]:
        key = object()
        keys = set(rooms) or {ALL_ROOMS}
        for room in keys:
            self._listeners.setdefault(room, {})[key] = on_commit

        def unsubscribe() -> None:
            for room in keys:
                del self._listeners[room][key]
                if not self._listeners[room]:
                    del self._listeners[room]

        return unsubscribe

    def notify(self, stored: Iterable[tuple[RecordBatch, list[Receipt]]]) -> None:
        """These drafts were taken, in this order, and got these receipts."""
        if not self._listeners:
            return
        pending: dict[object, PendingNotification] = {}
        for batch, receipts in stored:
            listeners = [*self._listeners.get(batch.room, {}).items(), *self._listeners.get(ALL_ROOMS, {}).items()]
            if listeners and (runs := _new_runs(batch, receipts)):
                for key, on_commit in listeners:
                    notification = pending.setdefault(key, PendingNotification(on_commit, []))
                    notification.runs += runs
                    notification.size += batch.size
        for notification in pending.values():
            try:
                notification.on_commit(notification.runs, notification.size)
            except Exception:
                logger.exception("somebody who watches the log failed")  # the others must not go without


def _new_runs(batch: RecordBatch, receipts: Iterable[Receipt]) -> list[Run]:
    """What of a draft is stored by now and was not before."""
    runs = []
    for receipt in receipts:
        if receipt.status is ReceiptStatus.STORED:
            first = receipt.number - batch.number
            texts = list(batch.texts[first : first + receipt.count])
            runs.append(Run(receipt.sequence, batch.room, batch.user, receipt.time, texts))
    return runs
