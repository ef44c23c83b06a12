"""The log in one SQLite file: a writer thread with group commit, reader connections beside it, WAL, synchronous=FULL."""

import asyncio
from collections import OrderedDict, deque
from typing import NamedTuple

from chatctl.model.records import Receipt, RecordBatch

MAX_GROUP_MESSAGES, MAX_GROUP_BYTES = (
    4000,
    4 * 1024 * 1024,
)  # of one commit; 1,000 messages cost 15 to 25 %, more gain nothing


class PendingAppend(NamedTuple):
    """A draft and the future its receipts go to."""

    batch: RecordBatch
    receipts: "asyncio.Future[list[Receipt]]"


FAILURE_DELIVERED = PendingAppend(RecordBatch("", "", "", 0, (), 0), None)  # type: ignore[arg-type]
"""In the queue: whoever appends from here on can have heard of the failure before."""

InputQueues = OrderedDict[tuple[str, str], deque[PendingAppend]]
"""A line of jobs for each user and sender."""


def _next_group(queues: InputQueues) -> list[PendingAppend]:
    """The jobs of the next commit, one of each sender in turn, so that a lone message does not wait behind bulk."""
    group, num_messages, size = [], 0, 0
    while queues and num_messages < MAX_GROUP_MESSAGES and size < MAX_GROUP_BYTES:
        key, input_queue = queues.popitem(last=False)
        pending = input_queue.popleft()
        group.append(pending)
        num_messages += len(pending.batch.texts)
        size += pending.batch.size
        if input_queue:
            queues[key] = input_queue
    return group
