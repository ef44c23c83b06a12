"""The core's types and the contract's, and its errors and gRPC's: the only two tables of that kind."""

from collections.abc import Iterable

import grpc

from chatctl import errors

REASON_KEY = "chatctl-reason"

ERRORS: tuple[type[errors.ChatError], ...] = (
    errors.InvalidRequest,
    errors.CursorMalformed,
    errors.CursorOtherLog,
    errors.CursorBeyondHead,
    errors.Unavailable,
    errors.ServerStopping,
    errors.TimedOut,
    errors.StoreFull,
    errors.TooManyStreams,
    errors.StoreFailed,
    errors.InternalServerError,
)
"""Every error that travels. Among those of one status the first stands for one without a reason.

But never StoreFull: without a reason RESOURCE_EXHAUSTED is gRPC's own, and says nothing of the store.
"""

_BY_REASON = {kind.reason: kind for kind in ERRORS}
_BY_CODE = {kind.code: kind for kind in reversed(ERRORS) if kind is not errors.StoreFull}
STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


def error_from_status(code: int, message: str, trailers: Iterable[tuple[str, str | bytes]]) -> errors.ChatError:
    """The error that a status and its trailing metadata stand for."""
    reason = dict(trailers).get(REASON_KEY, "")
    kind = _BY_REASON.get(str(reason)) or _BY_CODE.get(code)
    if kind is None or kind.code != code:
        return errors.UnexpectedStatus(message, code)
    return kind(message)
