"""Records, which become messages, and their receipts.

Times are whole microseconds since 1970 in UTC, sizes are bytes of UTF-8.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class ReceiptStatus(enum.IntEnum):
    """The fate of a record. The numbers are those of the contract's ReceiptStatus."""

    UNCONFIRMED = 0  # only in clients: the stream ended before the receipt arrived
    STORED = 1
    DUPLICATE = 2
    REJECTED = 3


class RejectReason(enum.IntEnum):
    """The reason why a record was rejected. The numbers are those of the contract's RejectReason."""

    NONE = 0
    TEXT_TOO_LONG = 1
    BAD_ROOM = 2
    BAD_USER = 3
    BAD_INPUT_ID = 4
    BAD_NUMBER = 5
    CONFLICT = 6


class RecordBatch(NamedTuple):
    """Consecutive records of one input for one room: texts[i] is the record `number` + i. `size` is that of all texts."""

    user: str
    input_id: str
    room: str
    number: int
    texts: Sequence[str]
    size: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of `count` consecutive records, the first of which is `number`.

    If they are stored or duplicates, their messages are `sequence` and the following ones, stored at `time`. If they are
    rejected, `reason` and `error` say why.
    """

    number: int
    count: int
    status: ReceiptStatus
    sequence: int = 0
    time: int = 0
    reason: RejectReason = RejectReason.NONE
    error: str = ""
