"""Every error chatctl raises on purpose, by who has to do something about it.

ChatError
├── the caller's fault
│   ├── InvalidRequest       INVALID_ARGUMENT     a value breaks a rule
│   ├── CursorMalformed      INVALID_ARGUMENT     not a cursor at all
│   ├── CursorOtherLog       FAILED_PRECONDITION  a cursor of another log
│   ├── CursorBeyondHead     OUT_OF_RANGE         a cursor this log has not reached
│   └── LogChanged           FAILED_PRECONDITION  the server serves another log than before
├── TransientError: the moment's, try again
│   ├── Unavailable          UNAVAILABLE          no server, or the connection broke
│   ├── ServerStopping             UNAVAILABLE          the server is stopping
│   ├── TimedOut             DEADLINE_EXCEEDED    the server does not answer
│   ├── StoreFull            RESOURCE_EXHAUSTED   no space left for the store
│   └── TooManyStreams       RESOURCE_EXHAUSTED   the limit of open streams is reached
└── ours, or the machine's
    ├── StoreFailed          DATA_LOSS            the store cannot be read or written any more
    ├── InternalServerError          INTERNAL             a fault in the server
    └── UnexpectedStatus           any other            a status chatctl's server does not use
        └── IncompatibleServer     UNIMPLEMENTED        an answer that this version does not know

StoreOpenError (the store cannot be opened) and ListenError (the address cannot be served) are raised before there is a
server, so they have no status. Nor have those of a reader's own: CursorWriteError (its cursor file cannot be written) and
ExecFailed (what it runs for each message failed).
"""

from typing import ClassVar


class ChatError(Exception):
    """An error with a gRPC status. `str()` is a sentence for people: what happened, to which thing, what to do next."""

    code: int = 2
    """The number of the gRPC status (https://grpc.io/docs/guides/status-codes/)."""
    reason: ClassVar[str] = "UNKNOWN"
    """A stable word for programs, unique in the tree."""


class InvalidRequest(ChatError):
    """A value breaks a rule of the contract."""

    code, reason = 3, "INVALID_REQUEST"


class CursorMalformed(ChatError):
    """Not a cursor at all."""

    code, reason = 3, "CURSOR_MALFORMED"


class CursorOtherLog(ChatError):
    """A cursor of another log: another store, or one made anew."""

    code, reason = 9, "CURSOR_OTHER_LOG"


class CursorBeyondHead(ChatError):
    """A cursor this log has not reached, so the log has lost its end or was restored from a copy."""

    code, reason = 11, "CURSOR_BEYOND_HEAD"


class LogChanged(ChatError):
    """The server serves another log than the one that records were sent to before. Raised by clients only."""

    code, reason = 9, "LOG_CHANGED"


class TransientError(ChatError):
    """The moment's: the same call may work later."""


class Unavailable(TransientError):
    """No server answers, or the connection to it broke."""

    code, reason = 14, "UNAVAILABLE"


class ServerStopping(TransientError):
    """The server is stopping; the same call works against the next one, from the last cursor."""

    code, reason = 14, "STOPPING"


class TimedOut(TransientError):
    """The server did not answer within the time given."""

    code, reason = 4, "TIMED_OUT"


class StoreFull(TransientError):
    """There is no space for the message; nothing of it was stored. Works again once there is space."""

    code, reason = 8, "STORE_FULL"


class TooManyStreams(TransientError):
    """The server's limit of open streams is reached."""

    code, reason = 8, "TOO_MANY_STREAMS"


class StoreFailed(ChatError):
    """The store cannot be read or written any more. Nothing is tried again on it."""

    code, reason = 15, "STORE_FAILED"


class InternalServerError(ChatError):
    """A fault in the server; its log says more."""

    code, reason = 13, "SERVER_FAULT"


class UnexpectedStatus(ChatError):
    """A status that chatctl's server does not use: something else answers, or a proxy stands between."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class IncompatibleServer(UnexpectedStatus):
    """What a server said is not of the contract that this client knows. Raised by clients only."""


class StoreOpenError(Exception):
    """The store cannot be opened; the text says why and what to do."""


class ListenError(Exception):
    """The address cannot be served; the text says why and what to do."""


class CursorWriteError(Exception):
    """The cursor file cannot be written and stays as it was; the text names it and says why."""


class ExecFailed(Exception):
    """A command that is run for each message failed too often, or was ended; the text says for which message and how."""
