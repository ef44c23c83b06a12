"""Group commit: a writer thread collects appended batches and stores many of them in one synced transaction."""

import asyncio
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chatctl.errors import ChatError, StoreFailed
from chatctl.model.records import Receipt, RecordBatch

# Of one commit: 1,000 messages cost 15 to 25 % of the throughput, more than 4,000 gain nothing.
MAX_GROUP_MESSAGES, MAX_GROUP_BYTES = 4000, 4 * 1024 * 1024


class PendingAppend(NamedTuple):
    """A batch and the future for its receipts."""

    batch: RecordBatch
    receipts: "asyncio.Future[list[Receipt]]"

    @property
    def input_key(self) -> tuple[str, str]:
        """The user and input whose order the commits keep."""
        return self.batch.user, self.batch.input_id


class FailureDelivered:
    """A marker in the queue: the callers of all later appends could have learned of the failure."""


class Committed(NamedTuple):
    """The receipts of each batch of a group, and the log's head after it."""

    receipts: list[list[Receipt]]
    head: int


GroupResult = Committed | ChatError
"""The outcome of a group: everything in it is stored (or a duplicate), or nothing is."""

InputQueues = OrderedDict[tuple[str, str], deque[PendingAppend]]
"""The pending appends of each user and input, in order."""


def next_group(queues: InputQueues) -> list[PendingAppend]:
    """Take the next group: one batch of each input in turn, so that a lone message does not wait behind bulk."""
    group: list[PendingAppend] = []
    num_messages, size = 0, 0
    while queues and num_messages < MAX_GROUP_MESSAGES and size < MAX_GROUP_BYTES:
        key, input_queue = queues.popitem(last=False)
        pending = input_queue.popleft()
        group.append(pending)
        num_messages += len(pending.batch.texts)
        size += pending.batch.size
        if input_queue:
            queues[key] = input_queue
    return group


class GroupCommitter:
    """The writer thread and its queue. `commit` runs in the thread, `publish` in the event loop that made this object.

    `commit` stores the batches of a group, all or none; it raises nothing. `publish` receives each group's result, in order.
    After a StoreFailed nothing more is tried: `commit` is not called again.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[RecordBatch]], GroupResult],
        publish: Callable[[Sequence[PendingAppend], GroupResult], None],
    ) -> None:
        self.fatal_error: StoreFailed | None = None
        """The reason why nothing is stored any more. The thread sets it, before the event loop learns of it."""
        self._commit = commit
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[PendingAppend | FailureDelivered | None] = queue.SimpleQueue()
        self._close_received = False  # the thread has taken the None of `close` from the queue
        self._thread = threading.Thread(target=self._run, name="chatctl-write", daemon=True)

    def start(self) -> None:
        """Start the writer thread."""
        self._thread.start()

    def append(self, batch: RecordBatch) -> "asyncio.Future[list[Receipt]]":
        """Queue a batch and return the future of its receipts."""
        receipts: asyncio.Future[list[Receipt]] = self._loop.create_future()
        self._queue.put(PendingAppend(batch, receipts))
        return receipts

    def close(self) -> None:
        """Commit what was appended, then end the thread and wait for it. Call it after the last `append`."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        queues: InputQueues = OrderedDict()
        while self._collect(queues) or queues:
            group = next_group(queues)
            result = self.fatal_error or self._commit([pending.batch for pending in group])
            if isinstance(result, StoreFailed):
                self.fatal_error = result
            if isinstance(result, ChatError):
                self._fail_group(queues, group, result)
            else:
                self._loop.call_soon_threadsafe(self._publish, group, result)

    def _fail_group(self, queues: InputQueues, group: list[PendingAppend], error: ChatError) -> None:
        """Fail a group and later appends of its inputs until they can know of it: no record overtakes a failed one."""
        self._loop.call_soon_threadsafe(self._deliver_failure, group, error)
        if isinstance(error, StoreFailed):
            return  # everything later fails, too
        while not isinstance(pending := self._queue.get(), FailureDelivered):
            self._enqueue(queues, pending)
        later_appends = [pending for key in {each.input_key for each in group} for pending in queues.pop(key, ())]
        self._loop.call_soon_threadsafe(self._publish, later_appends, error)

    def _deliver_failure(self, group: list[PendingAppend], error: ChatError) -> None:
        """In the event loop: publish the failure, and mark in the queue which appends came before that."""
        self._publish(group, error)
        if not isinstance(error, StoreFailed):
            self._queue.put(FailureDelivered())

    def _collect(self, queues: InputQueues) -> bool:
        """Move appends into the queues of their inputs. Waits only if these are empty. Returns False after `close`."""
        try:
            pending = None if self._close_received else self._queue.get(block=not queues)
            while pending is not None:
                self._enqueue(queues, pending)
                pending = self._queue.get_nowait()
            self._close_received = True
        except queue.Empty:
            pass
        return not self._close_received

    def _enqueue(self, queues: InputQueues, pending: PendingAppend | FailureDelivered | None) -> None:
        if pending is None:
            self._close_received = True
        elif isinstance(pending, PendingAppend):
            queues.setdefault(pending.input_key, deque()).append(pending)
