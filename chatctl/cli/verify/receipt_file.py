"""Reading receipts, as `send --json` writes them: a JSON object on each line."""

import json
from collections.abc import AsyncIterator
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from chatctl.cli.streams.stdin import read_chunks
from chatctl.model.claims import DIGEST_BYTES, MAX_SEQUENCE, Claim
from chatctl.model.limits import MAX_NAME_BYTES, MAX_NUMBER, name_error
from chatctl.model.records import ReceiptStatus

MAX_LINE_BYTES = 1024 * 1024
MAX_PREFIX_CHARS = 128  # of a cursor without its sequence; ours are much shorter
STATUS_BY_NAME = {status.name.lower(): status for status in ReceiptStatus}
CLAIM_FIELDS = itemgetter("room", "user", "sequence", "cursor", "sha256")


class ReceiptOrigin(NamedTuple):
    """Whose receipt it is, in which line, and of which log."""

    line: int
    number: int
    input_id: str
    cursor_prefix: str


class InvalidReceipt(NamedTuple):
    """A line that is none, and why."""

    line: int
    error: str


async def read_lines(descriptor: int) -> AsyncIterator[list[bytes | None]]:
    """The lines of a file or pipe as they come, without their ends; None for one over the limit, which is not held."""
    tail: bytes | None = b""
    async for chunk in read_chunks(descriptor):
        first, *others = chunk.split(b"\n")
        tail = None if tail is None or len(tail) + len(first) > MAX_LINE_BYTES else tail + first
        if others:
            yield [tail, *others[:-1]]
            tail = others[-1]
    if tail != b"":
        yield [tail]


def parse_receipt(line_number: int, line: bytes | None) -> Claim | ReceiptStatus | InvalidReceipt:
    """What line number `line_number` says: what is claimed to be stored (about a ReceiptOrigin), or the status of what is not."""
    if line is None:
        return InvalidReceipt(line_number, f"it has more than {MAX_LINE_BYTES} bytes")
    try:
        receipt: Any = json.loads(line)
        status = STATUS_BY_NAME[receipt["status"]]
        number, input_id = receipt["number"], receipt["sender"]
        if status is not ReceiptStatus.STORED and status is not ReceiptStatus.DUPLICATE:
            return status
        room, user, sequence, cursor, digest = CLAIM_FIELDS(receipt)
        digest = bytes.fromhex(digest)
        if not _are_valid_names(room, user):
            return InvalidReceipt(line_number, "its room or its user cannot be one")
    except (ValueError, TypeError, LookupError, RecursionError):
        return InvalidReceipt(line_number, "it is not an object as `chatctl send --json` writes it")
    if type(number) is not int or not 1 <= number <= MAX_NUMBER or not isinstance(input_id, str):
        return InvalidReceipt(line_number, "its number or its sender cannot be one")
    if type(sequence) is not int or not 1 <= sequence <= MAX_SEQUENCE or len(digest) != DIGEST_BYTES:
        return InvalidReceipt(line_number, "its sequence or its sha256 cannot be one")
    prefix = _cursor_prefix(cursor, str(sequence))
    if not prefix:
        return InvalidReceipt(line_number, "its cursor is not that of its sequence")
    return Claim(sequence, room, user, digest, ReceiptOrigin(line_number, number, input_id, prefix))


def _cursor_prefix(cursor: Any, digits: str) -> str:
    """A cursor without its sequence; empty if it is none with this sequence."""
    if not isinstance(cursor, str) or not cursor.endswith(digits) or not (cursor.isascii() and cursor.isprintable()):
        return ""
    prefix = cursor[: -len(digits)]
    return "" if prefix[-1:].isdigit() or len(prefix) > MAX_PREFIX_CHARS else prefix


def _are_valid_names(room: str, user: str) -> bool:
    """Whether a room and a user can be called so. Raises TypeError for what is no text."""
    return len(room) <= MAX_NAME_BYTES >= len(user) and _is_valid_name(room) and _is_valid_name(user)


@lru_cache(256)  # names repeat from line to line
def _is_valid_name(name: str) -> bool:
    return isinstance(name, str) and not name_error("name", name, MAX_NAME_BYTES)
