"""Convert between errors and gRPC statuses.

The details of a status are the whole sentence, for other clients. Trailing metadata carries the reason, and the hint in a
binary key, because text keys allow only ASCII.
"""

from collections.abc import Iterable

import grpc

from chatctl import errors
from chatctl.wire.checks import clean_sentence

REASON_KEY = "chatctl-reason"
HINT_KEY = "chatctl-hint-bin"

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
"""Every error that a status can stand for. The first one of each code stands for a status without a reason.

StoreFull does not: without a reason RESOURCE_EXHAUSTED comes from gRPC itself, and says nothing about the store.
"""

_BY_REASON = {kind.reason: kind for kind in ERRORS}
_BY_CODE = {kind.code: kind for kind in reversed(ERRORS) if kind is not errors.StoreFull}
STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


def status_of_error(error: errors.ChatError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]:
    """Return the code, details and trailing metadata for an error."""
    trailers: tuple[tuple[str, str | bytes], ...] = ((REASON_KEY, error.reason),)
    if error.hint:
        trailers += ((HINT_KEY, error.hint.encode()),)
    return STATUS_CODES[error.code], str(error), trailers


def error_from_status(code: int, details: str, trailers: Iterable[tuple[str, str | bytes]]) -> errors.ChatError:
    """Return the error for a status and its trailing metadata."""
    metadata = dict(trailers)
    message, hint = _split_hint(details, metadata.get(HINT_KEY, b""))
    kind = _BY_REASON.get(str(metadata.get(REASON_KEY, ""))) or _BY_CODE.get(code)
    if kind is None or kind.code != code:
        return errors.UnexpectedStatus(message, code, hint)
    return kind(message, hint)


def _split_hint(details: str, data: str | bytes) -> tuple[str, str]:
    """Return the message and the hint of the details, each as one printable line."""
    hint = data.decode(errors="replace") if isinstance(data, bytes) else data
    ending = f": {hint}"
    message, hint = (details.removesuffix(ending), hint) if hint and details.endswith(ending) else (details, "")
    return clean_sentence(message), clean_sentence(hint)
