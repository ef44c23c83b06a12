"""The core's types and the contract's, and its errors and gRPC's: the only two tables of that kind."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from chatctl import errors, log
from chatctl.activity import Activity, RoomActivity
from chatctl.chat import Limits
from chatctl.history import Query
from chatctl.presence import Present
from chatctl.v1 import chat_pb2 as pb
from chatctl.verify import Claim, Fault, FaultKind

REASON_KEY = "chatctl-reason"
MIN_SECONDS, MAX_SECONDS = -62_000_000_000, 253_000_000_000  # since 1970: some years within what calendars have

ERRORS: tuple[type[errors.ChatError], ...] = (
    errors.InvalidRequest,
    errors.CursorMalformed,
    errors.CursorOtherLog,
    errors.CursorBeyondHead,
    errors.Unavailable,
    errors.Stopping,
    errors.TimedOut,
    errors.StoreFull,
    errors.TooManyStreams,
    errors.StoreFailed,
    errors.ServerFault,
)
"""Every error that travels. Among those of one status the first stands for one without a reason.

But never StoreFull: without a reason RESOURCE_EXHAUSTED is gRPC's own, and says nothing of the store.
"""

_BY_REASON = {kind.reason: kind for kind in ERRORS}
_BY_CODE = {kind.code: kind for kind in reversed(ERRORS) if kind is not errors.StoreFull}
STATUS = {code.value[0]: code for code in grpc.StatusCode}


def error_of(code: int, message: str, trailers: Iterable[tuple[str, str | bytes]]) -> errors.ChatError:
    """The error that a status and its trailing metadata stand for."""
    reason = dict(trailers).get(REASON_KEY, "")
    kind = _BY_REASON.get(str(reason)) or _BY_CODE.get(code)
    if kind is None or kind.code != code:
        return errors.Unexpected(message, code)
    return kind(message)


def timestamp(time: int) -> Timestamp:
    """Microseconds since 1970 as the contract has them."""
    return Timestamp(seconds=time // 1_000_000, nanos=time % 1_000_000 * 1000)


def micros(time: Timestamp) -> int:
    """Microseconds since 1970; rounded up, so that `since` never lets in what is older."""
    return time.seconds * 1_000_000 + -(-time.nanos // 1000)


def query(request: pb.GetMessagesRequest) -> Query:
    """What a request asks for."""
    return Query(
        rooms=tuple(request.rooms),
        users=tuple(request.users),
        since=micros(request.since) if request.HasField("since") else None,
        until=micros(request.until) if request.HasField("until") else None,
        contains=request.contains,
        after=request.after,
        before=request.before,
        last=request.last,
        limit=request.limit,
        follow=request.follow,
    )


def query_request(query: Query) -> pb.GetMessagesRequest:
    """The request for a query."""
    return pb.GetMessagesRequest(
        rooms=query.rooms,
        users=query.users,
        since=None if query.since is None else timestamp(query.since),
        until=None if query.until is None else timestamp(query.until),
        contains=query.contains,
        after=query.after,
        before=query.before,
        last=query.last,
        limit=query.limit,
        follow=query.follow,
    )


def run_messages(runs: Iterable[log.Run]) -> list[pb.Run]:
    """Runs for a response."""
    return [
        pb.Run(sequence=n, room=room, user=user, create_time=timestamp(t), texts=texts) for n, room, user, t, texts in runs
    ]


def runs(messages: Iterable[pb.Run]) -> list[log.Run]:
    """Runs of a response."""
    return [log.Run(run.sequence, run.room, run.user, _time(run.create_time), list(run.texts)) for run in messages]


def _time(time: Timestamp) -> int:
    """When something was stored, of a response. Raises OtherVersion for what no calendar has."""
    if not MIN_SECONDS <= time.seconds <= MAX_SECONDS:
        raise errors.OtherVersion(f"a message is of the second {time.seconds}: the server is of a newer version", 12)
    return micros(time)


def receipt_message(receipt: log.Receipt) -> pb.Receipt:
    """A receipt for a response."""
    return pb.Receipt(
        number=receipt.number,
        count=receipt.count,
        status=pb.ReceiptStatus.Name(receipt.status),
        sequence=receipt.sequence,
        create_time=timestamp(receipt.time) if receipt.time else None,
        reason=pb.RejectReason.Name(receipt.reason),
        error=receipt.error,
    )


def _status(number: int) -> log.Status:
    try:
        return log.Status(number)
    except ValueError:
        raise errors.OtherVersion(f"a receipt has the status {number}: the server is of a newer version", 12) from None


def _reason(number: int) -> log.Reason:
    """NONE for a reason that only a newer server knows; its text still says it."""
    try:
        return log.Reason(number)
    except ValueError:
        return log.Reason.NONE


def receipts(messages: Iterable[pb.Receipt]) -> list[log.Receipt]:
    """Receipts of a response."""
    return [
        log.Receipt(
            message.number,
            message.count,
            _status(message.status),
            message.sequence,
            _time(message.create_time),
            _reason(message.reason),
            message.error,
        )
        for message in messages
    ]


def limits_message(limits: Limits) -> pb.Limits:
    """The limits for a response."""
    return pb.Limits(
        text_bytes=limits.text_bytes,
        name_bytes=limits.name_bytes,
        batch_messages=limits.batch_messages,
        batch_bytes=limits.batch_bytes,
        streams=limits.streams,
    )


def limits(message: pb.Limits) -> Limits:
    """The limits of a response."""
    return Limits(message.text_bytes, message.name_bytes, message.batch_messages, message.batch_bytes, message.streams)


def room_stats(figures: Sequence[log.Figures]) -> list[pb.RoomStats]:
    """Figures of rooms for a response."""
    return [pb.RoomStats(room=name, num_messages=count, last_time=timestamp(time)) for name, count, time in figures]


def user_stats(figures: Sequence[log.Figures]) -> list[pb.UserStats]:
    """Figures of users for a response."""
    return [pb.UserStats(user=name, num_messages=count, last_time=timestamp(time)) for name, count, time in figures]


def stats(response: pb.GetStatsResponse) -> log.Stats:
    """The log's figures of a response."""
    return log.Stats(
        response.num_messages,
        response.num_rooms,
        response.num_users,
        response.stored_bytes,
        [log.Figures(room.room, room.num_messages, _time(room.last_time)) for room in response.rooms],
        [log.Figures(user.user, user.num_messages, _time(user.last_time)) for user in response.users],
    )


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def activity_message(activity: Activity) -> pb.Activity:
    """What goes on, for a response."""
    return pb.Activity(
        messages_per_second=activity.messages_per_second,
        num_messages=activity.messages,
        rooms=[pb.RoomActivity(room=room, num_messages=count) for room, count in activity.rooms],
        followers=activity.followers,
        senders=activity.senders,
        commit_median=_duration(activity.commit_median),
        commit_p99=_duration(activity.commit_p99),
    )


def activity(message: pb.Activity) -> Activity:
    """What goes on, of a response."""

    def seconds(field: Literal["commit_median", "commit_p99"]) -> float | None:
        return getattr(message, field).ToNanoseconds() / 1e9 if message.HasField(field) else None

    return Activity(
        message.messages_per_second if math.isfinite(message.messages_per_second) else 0.0,
        list(message.num_messages),
        [RoomActivity(room.room, room.num_messages) for room in message.rooms],
        message.followers,
        message.senders,
        seconds("commit_median"),
        seconds("commit_p99"),
    )


def presence_messages(present: Iterable[Present]) -> list[pb.Presence]:
    """Who is where, for a response."""
    return [pb.Presence(room=room, users=users, num_users=count) for room, users, count in present]


def presence(messages: Iterable[pb.Presence]) -> list[Present]:
    """Who is where, of a response."""
    return [Present(message.room, list(message.users), message.num_users) for message in messages]


def claim_messages(claims: Iterable[Claim]) -> list[pb.Claim]:
    """Claims for a request, those of consecutive messages of one room and user joined."""
    messages: list[pb.Claim] = []
    digests: list[bytes] = []
    due: tuple[int, str, str] | None = None
    for sequence, room, user, digest, _ in claims:
        if due != (sequence, room, user):
            if digests:
                messages[-1].sha256.extend(digests)
            messages.append(pb.Claim(sequence=sequence, room=room, user=user))
            digests = []
        digests.append(digest)
        due = (sequence + 1, room, user)
    if digests:
        messages[-1].sha256.extend(digests)
    return messages


def claims(messages: Iterable[pb.Claim]) -> list[Claim]:
    """Claims of a request, one for each message."""
    return [
        Claim(sequence, room, user, digest)
        for message in messages
        for room, user in ((message.room, message.user),)
        for sequence, digest in enumerate(message.sha256, message.sequence)
    ]


def fault_messages(faults: Iterable[Fault]) -> list[pb.Fault]:
    """Faults for a response."""
    return [pb.Fault(index=fault.index, sequence=fault.sequence, kind=pb.FaultKind.Name(fault.kind)) for fault in faults]


def faults(messages: Iterable[pb.Fault]) -> list[Fault]:
    """Faults of a response."""
    return [Fault(message.index, message.sequence, _kind(message.kind)) for message in messages]


def _kind(number: int) -> FaultKind:
    try:
        return FaultKind(number)
    except ValueError:
        raise errors.OtherVersion(f"a fault has the kind {number}: the server is of a newer version", 12) from None
