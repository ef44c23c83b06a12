"""Reads receipts as `send --json` writes them, one in each line."""

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any, NamedTuple

from chatctl.cli.streams import json_lines
from chatctl.cli.streams.stdin import read_chunks
from chatctl.model import cursor
from chatctl.model.claims import DIGEST_BYTES, MAX_SEQUENCE, Claim
from chatctl.model.limits import MAX_NAME_BYTES, MAX_NUMBER, name_error
from chatctl.model.records import ReceiptStatus

MAX_LINE_BYTES = 1024 * 1024
MAX_PREFIX_CHARS = 128  # of a cursor without its sequence; those of a server are much shorter


class ReceiptOrigin(NamedTuple):
    """The line of a receipt, and what identifies it there."""

    line: int
    number: int
    input_id: str
    cursor_prefix: str


class InvalidReceipt(NamedTuple):
    """A line that is not a receipt, and the reason."""

    line: int
    error: str


async def read_lines(descriptor: int) -> AsyncIterator[list[bytes | None]]:
    """Yield the lines of a file or pipe as they arrive, without newlines; None for a line over the limit."""
    tail: bytes | None = b""
    try:
        async for chunk in read_chunks(descriptor):
            first, *others = chunk.split(b"\n")
            tail = None if tail is None or len(tail) + len(first) > MAX_LINE_BYTES else tail + first
            if others:
                yield [tail, *others[:-1]]
                tail = others[-1]
    except OSError as error:
        error.filename = "receipts"
        raise
    if tail != b"":
        yield [tail]


def parse_receipt(line_number: int, line: bytes | None) -> Claim | ReceiptStatus | InvalidReceipt:
    """Return what a receipt claims to be stored, with its ReceiptOrigin as context, or its status if nothing is."""
    if line is None:
        return InvalidReceipt(line_number, f"it has more than {MAX_LINE_BYTES} bytes")
    try:
        receipt = json_lines.read_receipt(line)
        if isinstance(receipt, ReceiptStatus):
            return receipt
        number, input_id, room, user, sequence, cursor_text, digest = receipt
        if not _are_valid_names(room, user):
            return InvalidReceipt(line_number, "invalid room or user")
    except json_lines.LINE_ERRORS:
        return InvalidReceipt(line_number, "it is not an object as `chatctl send --json` writes it")
    if type(number) is not int or not 1 <= number <= MAX_NUMBER or not isinstance(input_id, str):
        return InvalidReceipt(line_number, "invalid number or input id")
    if type(sequence) is not int or not 1 <= sequence <= MAX_SEQUENCE or len(digest) != DIGEST_BYTES:
        return InvalidReceipt(line_number, "invalid sequence or sha256")
    prefix = _cursor_prefix(cursor_text, sequence)
    if not prefix:
        return InvalidReceipt(line_number, "its cursor does not match its sequence")
    return Claim(sequence, room, user, digest, ReceiptOrigin(line_number, number, input_id, prefix))


def _cursor_prefix(text: Any, sequence: int) -> str:
    """Return a cursor without its sequence, or empty if it is not a cursor with this sequence."""
    if not isinstance(text, str) or not (text.isascii() and text.isprintable()):
        return ""
    prefix = cursor.prefix_of(text)
    return prefix if cursor.cursor_text(prefix, sequence) == text and len(prefix) <= MAX_PREFIX_CHARS else ""


def _are_valid_names(room: str, user: str) -> bool:
    """Return whether a room and a user can have these names. Raises TypeError for other types."""
    return len(room) <= MAX_NAME_BYTES >= len(user) and _is_valid_name(room) and _is_valid_name(user)


@lru_cache(256)  # names repeat from line to line
def _is_valid_name(name: str) -> bool:
    return isinstance(name, str) and not name_error("name", name, MAX_NAME_BYTES)
