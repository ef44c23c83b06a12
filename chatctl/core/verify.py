"""Verification: find claims that differ from what is stored."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

from chatctl.core.chat import Chat
from chatctl.core.message_log import MessageLog
from chatctl.errors import CursorOtherLog, InvalidRequest
from chatctl.model.claims import DIGEST_BYTES, MAX_SEQUENCE, Claim, Fault, FaultKind
from chatctl.model.cursor import SHOWN_CHARACTERS, parse_cursor_prefix
from chatctl.model.messages import LookupResult, Message

LOOKUP_MESSAGES = 250  # in one lookup: more would block the event loop for longer and save few lookups


def validate_cursor_prefix(chat: Chat, prefix: str) -> None:
    """Raise CursorMalformed or CursorOtherLog unless the prefix is that of this log's cursors."""
    if prefix == chat.cursor_prefix:
        return
    log = parse_cursor_prefix(prefix)
    raise CursorOtherLog(
        f"the receipts are from log {log[:SHOWN_CHARACTERS]!r}, but this server has log {chat.log.id}",
        "use --server with the server they came from, or restore its store",
    )


async def find_faults(chat: Chat, claims: Sequence[Claim]) -> list[Fault]:
    """Return the faults in the order of the claims. Holds a few messages at a time. Raises InvalidRequest, StoreFailed."""
    for claim in claims:
        if not 1 <= claim.sequence <= MAX_SEQUENCE or len(claim.digest) != DIGEST_BYTES:
            raise InvalidRequest(
                f"invalid claim of sequence {claim.sequence} with a digest of {len(claim.digest)} bytes",
                f"use sequences from 1 to 2^63 - 1 and SHA-256 digests of {DIGEST_BYTES} bytes",
            )
    found: list[Fault] = []
    order = sorted(range(len(claims)), key=lambda index: claims[index].sequence)
    at = 0
    async for messages, position in _lookup_all(chat.log, [claims[index].sequence for index in order]):
        while at < len(order) and claims[order[at]].sequence <= position:
            claim = claims[order[at]]
            if kind := _difference(claim, messages.get(claim.sequence)):
                found.append(Fault(order[at], claim.sequence, kind))
            at += 1
    return sorted(found)


def _difference(claim: Claim, message: Message | None) -> FaultKind | None:
    if message is None:
        return FaultKind.MISSING
    if message.room != claim.room:
        return FaultKind.OTHER_ROOM
    if message.user != claim.user:
        return FaultKind.OTHER_USER
    return None if sha256(message.text.encode()).digest() == claim.digest else FaultKind.OTHER_TEXT


async def _lookup_all(log: MessageLog, sequences: Sequence[int]) -> AsyncIterator[LookupResult]:
    """Yield the messages with these sequences, which are ascending and may repeat."""
    remaining = list(dict.fromkeys(sequences))
    count = LOOKUP_MESSAGES
    while remaining:
        result = await log.lookup(remaining[:count])
        yield result
        num_done = bisect_right(remaining, result.position)
        remaining = remaining[num_done:]
        count = min(2 * num_done, LOOKUP_MESSAGES)  # long texts: do not request many sequences again and again
