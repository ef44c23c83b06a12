"""The kinds of violations, and the keys of records that do not exist."""

from enum import StrEnum
from typing import NamedTuple

ABSENT, UNKNOWN = 0, -1  # instead of a record's key: no message has the sequence, or its message is not from these tests


class ViolationKind(StrEnum):
    """Kinds of violations."""

    LOST = "lost"  # has a receipt or was seen, and is not in the log
    DOUBLED = "doubled"  # a record stored twice, or a message seen twice
    DISORDER = "out of order"
    GAP = "gap"  # a reader missed a message
    INVENTED = "invented"  # no sender of these tests sent it
    CHANGED = "changed"  # its text, room, user or time differs
    RECEIPT = "wrong receipt"
    TIME = "time went back"


class Violation(NamedTuple):
    kind: ViolationKind
    text: str
