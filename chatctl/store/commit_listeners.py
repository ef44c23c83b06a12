"""Commit listeners: a commit notifies the listeners of the rooms and inputs it wrote to, and no others."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chatctl.model.messages import Run
from chatctl.model.records import Receipt, ReceiptStatus, RecordBatch

logger = logging.getLogger(__name__)

ALL_ROOMS = ""  # stands for every room: no room has an empty name

Key = TypeVar("Key")
OnCommit = Callable[[Sequence[Run], int], None]


@dataclass(slots=True)
class PendingNotification:
    """The arguments for one listener, collected over a commit."""

    on_commit: OnCommit
    runs: list[Run]
    size: int = 0


class CommitListeners:
    """The callbacks of each room. Belongs to one event loop."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[object, OnCommit]] = {}
        self._input_listeners: dict[tuple[str, str], dict[object, OnCommit]] = {}
        """The listeners to one input, by room and input id."""

    def subscribe(self, rooms: Sequence[str], on_commit: OnCommit, input_id: str = "") -> Callable[[], None]:
        """Add a listener, as `MessageLog.subscribe` does; the function returned removes it."""
        listener = object()
        names = set(rooms) or {ALL_ROOMS}
        if input_id:
            return _add(self._input_listeners, [(room, input_id) for room in names], listener, on_commit)
        return _add(self._listeners, names, listener, on_commit)

    def notify(self, stored: Iterable[tuple[RecordBatch, list[Receipt]]]) -> None:
        """Notify the listeners of the batches of a commit, which are in log order."""
        if not self._listeners and not self._input_listeners:
            return
        pending: dict[object, PendingNotification] = {}
        for batch, receipts in stored:
            room, input_id = batch.room, batch.input_id
            if listeners := [*self._listeners.get(room, {}).items(), *self._listeners.get(ALL_ROOMS, {}).items()]:
                _collect(pending, listeners, batch, _new_runs(batch, receipts))
            if self._input_listeners:
                keys = (room, input_id), (ALL_ROOMS, input_id)
                if listeners := [each for key in keys for each in self._input_listeners.get(key, {}).items()]:
                    _collect(pending, listeners, batch, _new_runs(batch, receipts, numbered=True))
        for notification in pending.values():
            try:
                notification.on_commit(notification.runs, notification.size)
            except Exception:
                logger.exception("a commit listener failed")  # the others are notified nevertheless


def _add(
    listeners: dict[Key, dict[object, OnCommit]], keys: Collection[Key], listener: object, on_commit: OnCommit
) -> Callable[[], None]:
    """Add a listener under several keys; the function returned removes it."""
    for key in keys:
        listeners.setdefault(key, {})[listener] = on_commit

    def remove() -> None:
        for key in keys:
            del listeners[key][listener]
            if not listeners[key]:
                del listeners[key]

    return remove


def _collect(
    pending: dict[object, PendingNotification],
    listeners: Sequence[tuple[object, OnCommit]],
    batch: RecordBatch,
    runs: Sequence[Run],
) -> None:
    if not runs:
        return
    for key, on_commit in listeners:
        notification = pending.setdefault(key, PendingNotification(on_commit, []))
        notification.runs += runs
        notification.size += batch.size


def _new_runs(batch: RecordBatch, receipts: Iterable[Receipt], numbered: bool = False) -> list[Run]:
    """Return the messages of a batch that are new, with or without their numbers."""
    runs = []
    for receipt in receipts:
        if receipt.status is ReceiptStatus.STORED:
            first = receipt.number - batch.number
            texts = list(batch.texts[first : first + receipt.count])
            number = receipt.number if numbered else 0
            runs.append(Run(receipt.sequence, batch.room, batch.user, receipt.time, texts, number))
    return runs
