"""The core's types and the contract's, and its errors and gRPC's: the only two tables of that kind."""

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from chatctl import errors
from chatctl.model import records
from chatctl.model.claims import Claim, Fault, FaultKind
from chatctl.model.limits import Limits
from chatctl.model.messages import Query, Run
from chatctl.v1 import chat_pb2 as pb

MIN_SECONDS, MAX_SECONDS = -62_000_000_000, 253_000_000_000  # since 1970: some years within what calendars have


def time_to_pb(time: int) -> Timestamp:
    """Microseconds since 1970 as the contract has them."""
    return Timestamp(seconds=time // 1_000_000, nanos=time % 1_000_000 * 1000)


def micros_from_pb(time: Timestamp) -> int:
    """Microseconds since 1970; rounded up, so that `since` never lets in what is older."""
    return time.seconds * 1_000_000 + -(-time.nanos // 1000)


def query_from_pb(request: pb.GetMessagesRequest) -> Query:
    """What a request asks for."""
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
    )


def query_to_pb(query: Query) -> pb.GetMessagesRequest:
    """The request for a query."""
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
    )


def runs_to_pb(runs: Iterable[Run]) -> list[pb.Run]:
    """Runs for a response."""
    return [
        pb.Run(sequence=n, room=room, user=user, create_time=time_to_pb(t), texts=texts) for n, room, user, t, texts in runs
    ]


def runs_from_pb(messages: Iterable[pb.Run]) -> list[Run]:
    """Runs of a response."""
    return [Run(run.sequence, run.room, run.user, time_from_pb(run.create_time), list(run.texts)) for run in messages]


def _newer_server_error(what: str) -> errors.IncompatibleServer:
    """Return the error for a value that only a newer server can have sent."""
    return errors.IncompatibleServer(f"{what}: the server is of a newer version", 12, hint="upgrade the client")


def time_from_pb(time: Timestamp) -> int:
    """When something was stored, of a response. Raises IncompatibleServer for what no calendar has."""
    if not MIN_SECONDS <= time.seconds <= MAX_SECONDS:
        raise _newer_server_error(f"a message is of the second {time.seconds}")
    return micros_from_pb(time)


def receipt_to_pb(receipt: records.Receipt) -> pb.Receipt:
    """A receipt for a response."""
    return pb.Receipt(
        number=receipt.number,
        count=receipt.count,
        status=pb.ReceiptStatus.Name(receipt.status),
        sequence=receipt.sequence,
        create_time=time_to_pb(receipt.time) if receipt.time else None,
        reason=pb.RejectReason.Name(receipt.reason),
        error=receipt.error,
    )


def _status_from_pb(number: int) -> records.ReceiptStatus:
    try:
        return records.ReceiptStatus(number)
    except ValueError:
        raise _newer_server_error(f"a receipt has the status {number}") from None


def _reason_from_pb(number: int) -> records.RejectReason:
    """NONE for a reason that only a newer server knows; its text still says it."""
    try:
        return records.RejectReason(number)
    except ValueError:
        return records.RejectReason.NONE


def receipts_from_pb(messages: Iterable[pb.Receipt]) -> list[records.Receipt]:
    """Receipts of a response."""
    return [
        records.Receipt(
            message.number,
            message.count,
            _status_from_pb(message.status),
            message.sequence,
            time_from_pb(message.create_time),
            _reason_from_pb(message.reason),
            message.error,
        )
        for message in messages
    ]


def limits_to_pb(limits: Limits) -> pb.Limits:
    """The limits for a response."""
    return pb.Limits(
        text_bytes=limits.text_bytes,
        name_bytes=limits.name_bytes,
        batch_messages=limits.batch_messages,
        batch_bytes=limits.batch_bytes,
        streams=limits.streams,
    )


def limits_from_pb(message: pb.Limits) -> Limits:
    """The limits of a response."""
    return Limits(message.text_bytes, message.name_bytes, message.batch_messages, message.batch_bytes, message.streams)


def claims_to_pb(claims: Iterable[Claim]) -> list[pb.Claim]:
    """Claims for a request, those of consecutive messages of one room and user joined."""
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
    """Claims of a request, one for each message."""
    return [
        Claim(sequence, room, user, digest)
        for message in messages
        for room, user in ((message.room, message.user),)
        for sequence, digest in enumerate(message.sha256, message.sequence)
    ]


def faults_to_pb(faults: Iterable[Fault]) -> list[pb.Fault]:
    """Faults for a response."""
    return [pb.Fault(index=fault.index, sequence=fault.sequence, kind=pb.FaultKind.Name(fault.kind)) for fault in faults]


def faults_from_pb(messages: Iterable[pb.Fault]) -> list[Fault]:
    """Faults of a response."""
    return [Fault(message.index, message.sequence, _fault_kind_from_pb(message.kind)) for message in messages]


def _fault_kind_from_pb(number: int) -> FaultKind:
    try:
        return FaultKind(number)
    except ValueError:
        raise _newer_server_error(f"a fault has the kind {number}") from None
