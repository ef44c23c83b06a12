"""Every error that chatctl raises on purpose, ordered by who has to act on it.

ChatError
├── the caller's request
│   ├── InvalidRequest       INVALID_ARGUMENT     a value is not allowed
│   ├── CursorMalformed      INVALID_ARGUMENT     the text is not a cursor
│   ├── CursorOtherLog       FAILED_PRECONDITION  a cursor from another log
│   ├── CursorBeyondHead     OUT_OF_RANGE         a cursor past the end of the log
│   └── LogChanged           FAILED_PRECONDITION  the server has another log than before
├── TransientError: the same call may work later
│   ├── Unavailable          UNAVAILABLE          no server, or the connection broke
│   ├── ServerStopping       UNAVAILABLE          the server is stopping
│   ├── TimedOut             DEADLINE_EXCEEDED    no response in time
│   ├── StoreFull            RESOURCE_EXHAUSTED   no space left for the store
│   └── TooManyStreams       RESOURCE_EXHAUSTED   the limit of open streams is reached
└── the server, or the machine it runs on
    ├── StoreFailed          DATA_LOSS            the store cannot be read or written
    ├── InternalServerError  INTERNAL             a bug in the server
    └── UnexpectedStatus     any other            a chatctl server does not use this status
        └── IncompatibleServer  UNIMPLEMENTED     this version cannot read the response

The base of all errors is ChatctlError. These have no gRPC status: StoreOpenError and ListenError, raised before a server
runs; CursorWriteError and ExecFailed, raised by readers; InvalidValue, raised for a setting.
"""

from typing import ClassVar, Self


class ChatctlError(Exception):
    """The base of every error that chatctl raises on purpose.

    `message` says what failed, on which thing and why. `hint` says what to do, or is empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return one sentence: the message, then the hint."""
        return f"{self.message}: {self.hint}" if self.hint else self.message

    def replace(self, message: str | None = None, hint: str | None = None) -> Self:
        """Return a copy with another message or hint, and the same type, code and other attributes."""
        error = type(self).__new__(type(self))
        error.__dict__.update(self.__dict__)
        error.message = self.message if message is None else message
        error.hint = self.hint if hint is None else hint
        error.args = (error.message, error.hint)
        return error

    def with_context(self, prefix: str) -> Self:
        """Return a copy whose message begins with the thing it is about: `prefix: message`."""
        return self.replace(message=f"{prefix}: {self.message}")


class ChatError(ChatctlError):
    """An error with a gRPC status."""

    code: int = 2
    """The number of the gRPC status (https://grpc.io/docs/guides/status-codes/)."""
    reason: ClassVar[str] = "UNKNOWN"
    """A stable word for programs: UNKNOWN, or a word that no other class has."""


class InvalidRequest(ChatError):
    """A value is not allowed by the contract."""

    code, reason = 3, "INVALID_REQUEST"


class CursorMalformed(ChatError):
    """The text is not a cursor."""

    code, reason = 3, "CURSOR_MALFORMED"


class CursorOtherLog(ChatError):
    """The cursor belongs to another log: that of another store, or of one that was created again."""

    code, reason = 9, "CURSOR_OTHER_LOG"


class CursorBeyondHead(ChatError):
    """The cursor is past the end of the log: the log has lost its end or was restored from a copy."""

    code, reason = 11, "CURSOR_BEYOND_HEAD"


class LogChanged(ChatError):
    """The server has another log than the one that earlier records were sent to. Only clients raise it."""

    code, reason = 9, "LOG_CHANGED"


class TransientError(ChatError):
    """The same call may work later."""


class Unavailable(TransientError):
    """No server responds, or the connection to it broke."""

    code, reason = 14, "UNAVAILABLE"


class ServerStopping(TransientError):
    """The server is stopping. The same call works after a restart, from the last cursor."""

    code, reason = 14, "STOPPING"


class TimedOut(TransientError):
    """The server did not respond in time."""

    code, reason = 4, "TIMED_OUT"


class StoreFull(TransientError):
    """The messages do not fit on the disk; none of them was stored. The call works again after space was freed."""

    code, reason = 8, "STORE_FULL"


class TooManyStreams(TransientError):
    """The server's limit of open streams is reached."""

    code, reason = 8, "TOO_MANY_STREAMS"


class StoreFailed(ChatError):
    """The store cannot be read or written, permanently. Nothing is retried on it."""

    code, reason = 15, "STORE_FAILED"


class InternalServerError(ChatError):
    """A bug in the server. Its log has the details."""

    code, reason = 13, "SERVER_FAULT"


class UnexpectedStatus(ChatError):
    """A status that a chatctl server does not use: it comes from another server or a proxy."""

    def __init__(self, message: str, code: int, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class IncompatibleServer(UnexpectedStatus):
    """The response does not follow the contract as this client knows it. Only clients raise it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, 12, hint)


class StoreOpenError(ChatctlError):
    """The store cannot be opened."""


class ListenError(ChatctlError):
    """The server cannot listen on the address."""


class CursorWriteError(ChatctlError):
    """The cursor file cannot be written and stays as it was."""


class ExecFailed(ChatctlError):
    """The command that runs for each message failed too often, or was ended."""


class InvalidValue(ChatctlError, ValueError):
    """The value of a setting is invalid."""
