"""Verifying: whether messages are stored as their receipts claim. What is stored in place of a claim is never told."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

DIGEST_BYTES = 32
MAX_SEQUENCE = 2**63 - 1


class FaultKind(enum.IntEnum):
    """What is wrong with a message that is not as claimed; the numbers are those of the contract's FaultKind."""

    MISSING = 1
    OTHER_ROOM = 2
    OTHER_USER = 3
    OTHER_TEXT = 4


class Claim(NamedTuple):
    """What a receipt says of a message; `digest` is the SHA-256 of its text's UTF-8.

    `context` is for whoever asks, to know it again: it does not travel.
    """

    sequence: int
    room: str
    user: str
    digest: bytes
    context: Any = None


class Claims(NamedTuple):
    """Some claims of one log: any cursor of it is `cursor_prefix` and a sequence in decimal."""

    cursor_prefix: str
    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """The claim at `index` among those asked for does not hold."""

    index: int
    sequence: int
    kind: FaultKind
