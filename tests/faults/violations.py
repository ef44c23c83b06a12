"""What can be wrong, and what stands for records that are not there."""

from enum import StrEnum
from typing import NamedTuple

ABSENT, UNKNOWN = 0, -1  # instead of a record's key: no message has the sequence, or one that nobody sent


class ViolationKind(StrEnum):
    """What can be wrong."""

    LOST = "lost"  # receipted or seen, and not in the log
    DOUBLED = "doubled"  # a record stored twice, or a message seen twice
    DISORDER = "out of order"
    GAP = "gap"  # a reader did not see what it should have
    INVENTED = "invented"  # nobody sent it
    CHANGED = "changed"  # its text, room, user or time is another
    RECEIPT = "wrong receipt"
    TIME = "time went back"


class Violation(NamedTuple):
    kind: ViolationKind
    text: str
