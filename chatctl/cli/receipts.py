"""Reading receipts, as `send --json` writes them: a JSON object on each line."""

import json
from collections.abc import AsyncIterator
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from chatctl.chat import MAX_NUMBER, name_fault
from chatctl.cli.records import chunks
from chatctl.config import MAX_NAME_BYTES
from chatctl.log import Status
from chatctl.verify import DIGEST_BYTES, MAX_SEQUENCE, Claim

LINE_BYTES = 1024 * 1024
PREFIX_LENGTH = 128  # of a cursor without its sequence; ours are much shorter
STATUSES = {status.name.lower(): status for status in Status}
CLAIM = itemgetter("room", "user", "sequence", "cursor", "sha256")


class Record(NamedTuple):
    """Whose receipt it is, in which line, and of which log."""

    line: int
    number: int
    sender: str
    cursor_prefix: str


class NoReceipt(NamedTuple):
    """A line that is none, and why."""

    line: int
    error: str


async def lines(descriptor: int) -> AsyncIterator[list[bytes | None]]:
    """The lines of a file or pipe as they come, without their ends; None for one over the limit, which is not held."""
    tail: bytes | None = b""
    async for chunk in chunks(descriptor):
        first, *others = chunk.split(b"\n")
        tail = None if tail is None or len(tail) + len(first) > LINE_BYTES else tail + first
        if others:
            yield [tail, *others[:-1]]
            tail = others[-1]
    if tail != b"":
        yield [tail]


def understood(at: int, line: bytes | None) -> Claim | Status | NoReceipt:
    """What line number `at` says: what is claimed to be stored (about a Record), or the status of what is not."""
    if line is None:
        return NoReceipt(at, f"it has more than {LINE_BYTES} bytes")
    try:
        receipt: Any = json.loads(line)
        status = STATUSES[receipt["status"]]
        number, sender = receipt["number"], receipt["sender"]
        if status is not Status.STORED and status is not Status.DUPLICATE:
            return status
        room, user, sequence, cursor, digest = CLAIM(receipt)
        digest = bytes.fromhex(digest)
        if not _are_names(room, user):
            return NoReceipt(at, "its room or its user cannot be one")
    except (ValueError, TypeError, LookupError, RecursionError):
        return NoReceipt(at, "it is not an object as `chatctl send --json` writes it")
    if type(number) is not int or not 1 <= number <= MAX_NUMBER or not isinstance(sender, str):
        return NoReceipt(at, "its number or its sender cannot be one")
    if type(sequence) is not int or not 1 <= sequence <= MAX_SEQUENCE or len(digest) != DIGEST_BYTES:
        return NoReceipt(at, "its sequence or its sha256 cannot be one")
    prefix = _prefix(cursor, str(sequence))
    if not prefix:
        return NoReceipt(at, "its cursor is not that of its sequence")
    return Claim(sequence, room, user, digest, Record(at, number, sender, prefix))


def _prefix(cursor: Any, digits: str) -> str:
    """A cursor without its sequence; empty if it is none with this sequence."""
    if not isinstance(cursor, str) or not cursor.endswith(digits) or not (cursor.isascii() and cursor.isprintable()):
        return ""
    prefix = cursor[: -len(digits)]
    return "" if prefix[-1:].isdigit() or len(prefix) > PREFIX_LENGTH else prefix


def _are_names(room: str, user: str) -> bool:
    """Whether a room and a user can be called so. Raises TypeError for what is no text."""
    return len(room) <= MAX_NAME_BYTES >= len(user) and _is_name(room) and _is_name(user)


@lru_cache(256)  # names repeat from line to line
def _is_name(name: str) -> bool:
    return isinstance(name, str) and not name_fault("name", name, MAX_NAME_BYTES)
