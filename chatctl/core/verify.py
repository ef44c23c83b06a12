"""Verifying: whether messages are stored as their receipts claim. What is stored in place of a claim is never told."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

from chatctl.core.chat import Chat
from chatctl.core.message_log import MessageLog
from chatctl.errors import CursorMalformed, CursorOtherLog, InvalidRequest
from chatctl.model.claims import DIGEST_BYTES, MAX_SEQUENCE, Claim, Fault, FaultKind
from chatctl.model.messages import LookupResult, Message

LOOKUP_MESSAGES = 250  # looked up at once; a few more round trips to the store, and never long in the event loop


def validate_cursor_prefix(chat: Chat, prefix: str) -> None:
    """Raise CursorMalformed or CursorOtherLog unless cursors of this log begin so."""
    if prefix == chat.cursor_prefix:
        return
    log, colon, rest = prefix.partition(":")
    if not (log and colon) or rest:
        raise CursorMalformed(f"{prefix[:80]!r} is no cursor's beginning: take a receipt's cursor without its sequence")
    raise CursorOtherLog(
        f"the receipts are of the log {log[:80]!r}, and this server keeps {chat.log.id}: name the server they came from "
        "with --server, or find the store that it had then"
    )


async def find_faults(chat: Chat, claims: Sequence[Claim]) -> list[Fault]:
    """The claims that do not hold, in their order. Holds some messages at a time. Raises InvalidRequest, StoreFailed."""
    for claim in claims:
        if not 1 <= claim.sequence <= MAX_SEQUENCE or len(claim.digest) != DIGEST_BYTES:
            raise InvalidRequest(
                f"a claim has the sequence {claim.sequence} and a digest of {len(claim.digest)} bytes: "
                f"sequences are from 1 to 2^63 - 1, and a SHA-256 has {DIGEST_BYTES} bytes"
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
    """The messages with these sequences, which rise and may repeat, as far as there are any."""
    remaining = list(dict.fromkeys(sequences))
    count = LOOKUP_MESSAGES
    while remaining:
        result = await log.lookup(remaining[:count])
        yield result
        num_done = bisect_right(remaining, result.position)
        remaining = remaining[num_done:]
        count = min(
            2 * num_done, LOOKUP_MESSAGES
        )  # where texts are long, asking for many again and again would be for nothing
