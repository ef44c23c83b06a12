"""Convert between the types of `model` and the contract's protobuf messages.

The names say the direction: `..._to_pb`, `..._from_pb`.
"""

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from chatctl.model import records
from chatctl.model.claims import Claim, Fault, FaultKind
from chatctl.model.limits import Limits
from chatctl.model.messages import Query, Run
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import checks
from chatctl.wire.checks import contract_error

NEWER_HINT = "the server has a newer version: upgrade this chatctl"
MAX_SECONDS = 253_000_000_000  # since 1970: within the year 9999, in every timezone


def time_to_pb(time: int) -> Timestamp:
    """Convert microseconds since 1970."""
    return Timestamp(seconds=time // 1_000_000, nanos=time % 1_000_000 * 1000)


def micros_from_pb(time: Timestamp) -> int:
    """Return microseconds since 1970, rounded up, so that `since` never matches older messages."""
    return time.seconds * 1_000_000 + -(-time.nanos // 1000)


def query_from_pb(request: pb.GetMessagesRequest) -> Query:
    """Return the query of a request."""
    return Query(
        rooms=tuple(request.rooms),
        users=tuple(request.users),
        since=micros_from_pb(request.since) if request.HasField("since") else None,
        until=micros_from_pb(request.until) if request.HasField("until") else None,
        contains=request.contains,
        after=request.after,
        before=request.before,
        last=request.last,
        limit=request.limit,
        follow=request.follow,
        input_id=request.input_id,
        also_contains=tuple(request.also_contains),
    )


def query_to_pb(query: Query) -> pb.GetMessagesRequest:
    """Return the request for a query."""
    return pb.GetMessagesRequest(
        rooms=query.rooms,
        users=query.users,
        since=None if query.since is None else time_to_pb(query.since),
        until=None if query.until is None else time_to_pb(query.until),
        contains=query.contains,
        after=query.after,
        before=query.before,
        last=query.last,
        limit=query.limit,
        follow=query.follow,
        input_id=query.input_id,
        also_contains=query.also_contains,
    )


def runs_to_pb(runs: Iterable[Run]) -> list[pb.Run]:
    """Return the runs for a response."""
    return [
        pb.Run(sequence=n, room=room, user=user, create_time=time_to_pb(t), texts=texts, number=number)
        for n, room, user, t, texts, number in runs
    ]


def time_from_pb(time: Timestamp) -> int:
    """Return the time of a response in microseconds since 1970. Raises IncompatibleServer for a time that no server has."""
    seconds, nanos = time.seconds, time.nanos
    if not (0 <= seconds <= MAX_SECONDS and 0 <= nanos < 1_000_000_000):
        raise contract_error(f"an invalid time: {seconds} s and {nanos} ns")
    return seconds * 1_000_000 + -(-nanos // 1000)


def receipt_to_pb(receipt: records.Receipt) -> pb.Receipt:
    """Return the receipt for a response."""
    return pb.Receipt(
        number=receipt.number,
        count=receipt.count,
        status=cast(pb.ReceiptStatus, receipt.status),
        sequence=receipt.sequence,
        create_time=time_to_pb(receipt.time) if receipt.time else None,
        reason=cast(pb.RejectReason, receipt.reason),
        error=receipt.error,
    )


def _status_from_pb(number: int) -> records.ReceiptStatus:
    with suppress(ValueError):
        if status := records.ReceiptStatus(number):  # 0 is never sent
            return status
    raise contract_error(f"an invalid status in a receipt: {number}", NEWER_HINT)


def _reason_from_pb(number: int) -> records.RejectReason:
    """Return the reason, or NONE for one that only newer versions have; the receipt's error still says it."""
    try:
        return records.RejectReason(number)
    except ValueError:
        return records.RejectReason.NONE


def receipts_from_pb(messages: Iterable[pb.Receipt]) -> list[records.Receipt]:
    """Return the receipts of a response. Raises IncompatibleServer."""
    return [_receipt_from_pb(message) for message in messages]


def _receipt_from_pb(message: pb.Receipt) -> records.Receipt:
    receipt = records.Receipt(
        message.number,
        message.count,
        _status_from_pb(message.status),
        message.sequence,
        time_from_pb(message.create_time),
        _reason_from_pb(message.reason),
        checks.clean_sentence(message.error),
    )
    checks.check_receipt(receipt)
    return receipt


def limits_to_pb(limits: Limits) -> pb.Limits:
    """Return the limits for a response."""
    return pb.Limits(
        text_bytes=limits.text_bytes,
        name_bytes=limits.name_bytes,
        batch_messages=limits.batch_messages,
        batch_bytes=limits.batch_bytes,
        streams=limits.streams,
    )


def limits_from_pb(message: pb.Limits) -> Limits:
    """Return the limits of a response. Raises IncompatibleServer if nothing could be sent within them."""
    limits = Limits(message.text_bytes, message.name_bytes, message.batch_messages, message.batch_bytes, message.streams)
    for field in fields(limits):
        checks.check_range(f"limit {field.name}", getattr(limits, field.name), 1, math.inf)
    return limits


def claims_to_pb(claims: Iterable[Claim]) -> list[pb.Claim]:
    """Return the claims for a request; those of consecutive messages of one room and user are joined."""
    messages: list[pb.Claim] = []
    digests: list[bytes] = []
    expected: tuple[int, str, str] | None = None
    for sequence, room, user, digest, _ in claims:
        if expected != (sequence, room, user):
            if digests:
                messages[-1].sha256.extend(digests)
            messages.append(pb.Claim(sequence=sequence, room=room, user=user))
            digests = []
        digests.append(digest)
        expected = (sequence + 1, room, user)
    if digests:
        messages[-1].sha256.extend(digests)
    return messages


def claims_from_pb(messages: Iterable[pb.Claim]) -> list[Claim]:
    """Return the claims of a request, one for each message."""
    return [
        Claim(sequence, room, user, digest)
        for message in messages
        for room, user in ((message.room, message.user),)
        for sequence, digest in enumerate(message.sha256, message.sequence)
    ]


def faults_to_pb(faults: Iterable[Fault]) -> list[pb.Fault]:
    """Return the faults for a response."""
    return [pb.Fault(index=fault.index, sequence=fault.sequence, kind=cast(pb.FaultKind, fault.kind)) for fault in faults]


def faults_from_pb(messages: Iterable[pb.Fault]) -> list[Fault]:
    """Return the faults of a response. Raises IncompatibleServer."""
    return [Fault(message.index, message.sequence, _fault_kind_from_pb(message.kind)) for message in messages]


def _fault_kind_from_pb(number: int) -> FaultKind:
    try:
        return FaultKind(number)
    except ValueError:
        raise contract_error(f"an invalid kind of a fault: {number}", NEWER_HINT) from None
