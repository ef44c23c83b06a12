import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReceiptStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECEIPT_STATUS_UNSPECIFIED: _ClassVar[ReceiptStatus]
    RECEIPT_STATUS_STORED: _ClassVar[ReceiptStatus]
    RECEIPT_STATUS_DUPLICATE: _ClassVar[ReceiptStatus]
    RECEIPT_STATUS_REJECTED: _ClassVar[ReceiptStatus]

class RejectReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REJECT_REASON_UNSPECIFIED: _ClassVar[RejectReason]
    REJECT_REASON_TEXT_TOO_LONG: _ClassVar[RejectReason]
    REJECT_REASON_BAD_ROOM: _ClassVar[RejectReason]
    REJECT_REASON_BAD_USER: _ClassVar[RejectReason]
    REJECT_REASON_BAD_INPUT_ID: _ClassVar[RejectReason]
    REJECT_REASON_BAD_NUMBER: _ClassVar[RejectReason]
    REJECT_REASON_CONFLICT: _ClassVar[RejectReason]

class FaultKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAULT_KIND_UNSPECIFIED: _ClassVar[FaultKind]
    FAULT_KIND_MISSING: _ClassVar[FaultKind]
    FAULT_KIND_OTHER_ROOM: _ClassVar[FaultKind]
    FAULT_KIND_OTHER_USER: _ClassVar[FaultKind]
    FAULT_KIND_OTHER_TEXT: _ClassVar[FaultKind]
RECEIPT_STATUS_UNSPECIFIED: ReceiptStatus
RECEIPT_STATUS_STORED: ReceiptStatus
RECEIPT_STATUS_DUPLICATE: ReceiptStatus
RECEIPT_STATUS_REJECTED: ReceiptStatus
REJECT_REASON_UNSPECIFIED: RejectReason
REJECT_REASON_TEXT_TOO_LONG: RejectReason
REJECT_REASON_BAD_ROOM: RejectReason
REJECT_REASON_BAD_USER: RejectReason
REJECT_REASON_BAD_INPUT_ID: RejectReason
REJECT_REASON_BAD_NUMBER: RejectReason
REJECT_REASON_CONFLICT: RejectReason
FAULT_KIND_UNSPECIFIED: FaultKind
FAULT_KIND_MISSING: FaultKind
FAULT_KIND_OTHER_ROOM: FaultKind
FAULT_KIND_OTHER_USER: FaultKind
FAULT_KIND_OTHER_TEXT: FaultKind

class GetStatsRequest(_message.Message):
    __slots__ = ("top", "rooms")
    TOP_FIELD_NUMBER: _ClassVar[int]
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    top: int
    rooms: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, top: _Optional[int] = ..., rooms: _Optional[_Iterable[str]] = ...) -> None: ...

class GetStatsResponse(_message.Message):
    __slots__ = ("num_messages", "num_rooms", "num_users", "stored_bytes", "rooms", "users", "uptime", "version", "log", "store", "limits", "promises", "head", "activity", "present", "clock_lag")
    NUM_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NUM_ROOMS_FIELD_NUMBER: _ClassVar[int]
    NUM_USERS_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    PROMISES_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    CLOCK_LAG_FIELD_NUMBER: _ClassVar[int]
    num_messages: int
    num_rooms: int
    num_users: int
    stored_bytes: int
    rooms: _containers.RepeatedCompositeFieldContainer[RoomStats]
    users: _containers.RepeatedCompositeFieldContainer[UserStats]
    uptime: _duration_pb2.Duration
    version: str
    log: str
    store: str
    limits: Limits
    promises: Promises
    head: str
    activity: Activity
    present: _containers.RepeatedCompositeFieldContainer[Presence]
    clock_lag: _duration_pb2.Duration
    def __init__(self, num_messages: _Optional[int] = ..., num_rooms: _Optional[int] = ..., num_users: _Optional[int] = ..., stored_bytes: _Optional[int] = ..., rooms: _Optional[_Iterable[_Union[RoomStats, _Mapping]]] = ..., users: _Optional[_Iterable[_Union[UserStats, _Mapping]]] = ..., uptime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., version: _Optional[str] = ..., log: _Optional[str] = ..., store: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., promises: _Optional[_Union[Promises, _Mapping]] = ..., head: _Optional[str] = ..., activity: _Optional[_Union[Activity, _Mapping]] = ..., present: _Optional[_Iterable[_Union[Presence, _Mapping]]] = ..., clock_lag: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("messages_per_second", "num_messages", "rooms", "followers", "senders", "commit_median", "commit_p99")
    MESSAGES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    NUM_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    SENDERS_FIELD_NUMBER: _ClassVar[int]
    COMMIT_MEDIAN_FIELD_NUMBER: _ClassVar[int]
    COMMIT_P99_FIELD_NUMBER: _ClassVar[int]
    messages_per_second: float
    num_messages: _containers.RepeatedScalarFieldContainer[int]
    rooms: _containers.RepeatedCompositeFieldContainer[RoomActivity]
    followers: int
    senders: int
    commit_median: _duration_pb2.Duration
    commit_p99: _duration_pb2.Duration
    def __init__(self, messages_per_second: _Optional[float] = ..., num_messages: _Optional[_Iterable[int]] = ..., rooms: _Optional[_Iterable[_Union[RoomActivity, _Mapping]]] = ..., followers: _Optional[int] = ..., senders: _Optional[int] = ..., commit_median: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., commit_p99: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RoomActivity(_message.Message):
    __slots__ = ("room", "num_messages")
    ROOM_FIELD_NUMBER: _ClassVar[int]
    NUM_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    room: str
    num_messages: int
    def __init__(self, room: _Optional[str] = ..., num_messages: _Optional[int] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ("room", "users", "num_users")
    ROOM_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    NUM_USERS_FIELD_NUMBER: _ClassVar[int]
    room: str
    users: _containers.RepeatedScalarFieldContainer[str]
    num_users: int
    def __init__(self, room: _Optional[str] = ..., users: _Optional[_Iterable[str]] = ..., num_users: _Optional[int] = ...) -> None: ...

class RoomStats(_message.Message):
    __slots__ = ("room", "num_messages", "last_time")
    ROOM_FIELD_NUMBER: _ClassVar[int]
    NUM_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    room: str
    num_messages: int
    last_time: _timestamp_pb2.Timestamp
    def __init__(self, room: _Optional[str] = ..., num_messages: _Optional[int] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UserStats(_message.Message):
    __slots__ = ("user", "num_messages", "last_time")
    USER_FIELD_NUMBER: _ClassVar[int]
    NUM_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    user: str
    num_messages: int
    last_time: _timestamp_pb2.Timestamp
    def __init__(self, user: _Optional[str] = ..., num_messages: _Optional[int] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("text_bytes", "name_bytes", "batch_messages", "batch_bytes", "streams")
    TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    NAME_BYTES_FIELD_NUMBER: _ClassVar[int]
    BATCH_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    BATCH_BYTES_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    text_bytes: int
    name_bytes: int
    batch_messages: int
    batch_bytes: int
    streams: int
    def __init__(self, text_bytes: _Optional[int] = ..., name_bytes: _Optional[int] = ..., batch_messages: _Optional[int] = ..., batch_bytes: _Optional[int] = ..., streams: _Optional[int] = ...) -> None: ...

class Promises(_message.Message):
    __slots__ = ("durable_receipts", "duplicate_window")
    DURABLE_RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    durable_receipts: bool
    duplicate_window: _duration_pb2.Duration
    def __init__(self, durable_receipts: _Optional[bool] = ..., duplicate_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetMessagesRequest(_message.Message):
    __slots__ = ("rooms", "users", "since", "until", "contains", "after", "before", "last", "limit", "follow", "input_id", "also_contains")
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    INPUT_ID_FIELD_NUMBER: _ClassVar[int]
    ALSO_CONTAINS_FIELD_NUMBER: _ClassVar[int]
    rooms: _containers.RepeatedScalarFieldContainer[str]
    users: _containers.RepeatedScalarFieldContainer[str]
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    contains: str
    after: str
    before: str
    last: int
    limit: int
    follow: bool
    input_id: str
    also_contains: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rooms: _Optional[_Iterable[str]] = ..., users: _Optional[_Iterable[str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., contains: _Optional[str] = ..., after: _Optional[str] = ..., before: _Optional[str] = ..., last: _Optional[int] = ..., limit: _Optional[int] = ..., follow: _Optional[bool] = ..., input_id: _Optional[str] = ..., also_contains: _Optional[_Iterable[str]] = ...) -> None: ...

class GetMessagesResponse(_message.Message):
    __slots__ = ("runs", "cursor", "cursor_prefix", "live")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    CURSOR_PREFIX_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    cursor: str
    cursor_prefix: str
    live: bool
    def __init__(self, runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., cursor: _Optional[str] = ..., cursor_prefix: _Optional[str] = ..., live: _Optional[bool] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("sequence", "room", "user", "create_time", "texts", "number")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    room: str
    user: str
    create_time: _timestamp_pb2.Timestamp
    texts: _containers.RepeatedScalarFieldContainer[str]
    number: int
    def __init__(self, sequence: _Optional[int] = ..., room: _Optional[str] = ..., user: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., texts: _Optional[_Iterable[str]] = ..., number: _Optional[int] = ...) -> None: ...

class SendAndReceiveMessageRequest(_message.Message):
    __slots__ = ("user", "input_id", "room", "number", "texts", "receive")
    USER_FIELD_NUMBER: _ClassVar[int]
    INPUT_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_FIELD_NUMBER: _ClassVar[int]
    user: str
    input_id: str
    room: str
    number: int
    texts: _containers.RepeatedScalarFieldContainer[str]
    receive: Receive
    def __init__(self, user: _Optional[str] = ..., input_id: _Optional[str] = ..., room: _Optional[str] = ..., number: _Optional[int] = ..., texts: _Optional[_Iterable[str]] = ..., receive: _Optional[_Union[Receive, _Mapping]] = ...) -> None: ...

class Receive(_message.Message):
    __slots__ = ("rooms", "all_rooms", "after", "presence")
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    ALL_ROOMS_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    rooms: _containers.RepeatedScalarFieldContainer[str]
    all_rooms: bool
    after: str
    presence: bool
    def __init__(self, rooms: _Optional[_Iterable[str]] = ..., all_rooms: _Optional[bool] = ..., after: _Optional[str] = ..., presence: _Optional[bool] = ...) -> None: ...

class SendAndReceiveMessageResponse(_message.Message):
    __slots__ = ("welcome", "receipts", "runs", "cursor", "cursor_prefix", "live", "receive", "present")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    CURSOR_PREFIX_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    receipts: _containers.RepeatedCompositeFieldContainer[Receipt]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    cursor: str
    cursor_prefix: str
    live: bool
    receive: int
    present: _containers.RepeatedCompositeFieldContainer[Presence]
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., receipts: _Optional[_Iterable[_Union[Receipt, _Mapping]]] = ..., runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., cursor: _Optional[str] = ..., cursor_prefix: _Optional[str] = ..., live: _Optional[bool] = ..., receive: _Optional[int] = ..., present: _Optional[_Iterable[_Union[Presence, _Mapping]]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("input_id", "log", "cursor_prefix", "limits")
    INPUT_ID_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    CURSOR_PREFIX_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    input_id: str
    log: str
    cursor_prefix: str
    limits: Limits
    def __init__(self, input_id: _Optional[str] = ..., log: _Optional[str] = ..., cursor_prefix: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("number", "count", "status", "sequence", "create_time", "reason", "error")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    number: int
    count: int
    status: ReceiptStatus
    sequence: int
    create_time: _timestamp_pb2.Timestamp
    reason: RejectReason
    error: str
    def __init__(self, number: _Optional[int] = ..., count: _Optional[int] = ..., status: _Optional[_Union[ReceiptStatus, str]] = ..., sequence: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[_Union[RejectReason, str]] = ..., error: _Optional[str] = ...) -> None: ...

class VerifyMessagesRequest(_message.Message):
    __slots__ = ("cursor_prefix", "claims")
    CURSOR_PREFIX_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    cursor_prefix: str
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    def __init__(self, cursor_prefix: _Optional[str] = ..., claims: _Optional[_Iterable[_Union[Claim, _Mapping]]] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("sequence", "room", "user", "sha256")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    room: str
    user: str
    sha256: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, sequence: _Optional[int] = ..., room: _Optional[str] = ..., user: _Optional[str] = ..., sha256: _Optional[_Iterable[bytes]] = ...) -> None: ...

class VerifyMessagesResponse(_message.Message):
    __slots__ = ("num_messages", "faults")
    NUM_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    num_messages: int
    faults: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, num_messages: _Optional[int] = ..., faults: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("index", "sequence", "kind")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    index: int
    sequence: int
    kind: FaultKind
    def __init__(self, index: _Optional[int] = ..., sequence: _Optional[int] = ..., kind: _Optional[_Union[FaultKind, str]] = ...) -> None: ...
