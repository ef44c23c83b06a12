"""Claims: what receipts say of messages, and the faults that a verification finds.

A fault never contains what is stored instead of a claimed message.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

DIGEST_BYTES = 32
MAX_SEQUENCE = 2**63 - 1


class FaultKind(enum.IntEnum):
    """The way in which a message differs from its claim. The numbers are those of the contract's FaultKind."""

    MISSING = 1
    OTHER_ROOM = 2
    OTHER_USER = 3
    OTHER_TEXT = 4


class Claim(NamedTuple):
    """The content of a receipt, as a claim about a message. `digest` is the SHA-256 of its text in UTF-8.

    `context` identifies the claim for the client and is not sent.
    """

    sequence: int
    room: str
    user: str
    digest: bytes
    context: Any = None


class Claims(NamedTuple):
    """Claims about one log, whose cursors begin with `cursor_prefix`."""

    cursor_prefix: str
    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """The claim at `index` is wrong."""

    index: int
    sequence: int
    kind: FaultKind
