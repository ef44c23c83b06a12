"""The errors and hints that several modules of the client share, and what a status without a reason of chatctl's means."""

from chatctl.errors import ChatError, IncompatibleServer, TimedOut, TransientError, Unavailable, UnexpectedStatus
from chatctl.wire import status
from chatctl.wire.checks import contract_error

NO_SERVER_HINT = "start one with `chatctl serve`, or name another with --server"
PROXY_HINT = "a proxy may be in front of a server that is down, or something else listens there: check --server"
BODY_LIMIT_HINT = "a proxy may limit how much one call sends, such as nginx with client_max_body_size"
REFUSAL_HINT = "a proxy may be in front of the server, or something else listens there: check --server"
STORE_HINT = "name the server that has it with --server, or check what happened to its store"
TRY_AGAIN_HINT = "try again"

CANCELLED, UNKNOWN, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 1, 2, 7, 8
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 12, 13, 14, 16

HTTP_REFUSALS = {"header with status: 401": UNAUTHENTICATED, "header with status: 403": PERMISSION_DENIED}  # of a proxy


def error_from_foreign_status(server: str, code: int, detail: str, responded: bool, streamed: bool = False) -> ChatError:
    """Return the error for a status that a chatctl server did not choose: its reason is missing.

    `responded` is whether the call had a response of a chatctl server before, `streamed` whether it sent requests. This is
    the one place that decides what such a status means. A proxy without a server behind it answers 502 or 503 in HTML, which
    gRPC reports as UNAVAILABLE, UNKNOWN or INTERNAL, by chance (https://github.com/grpc/grpc/issues/34076); it answers 413
    as UNKNOWN and 400 as INTERNAL (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md). Only
    UNIMPLEMENTED proves that something else answers.
    """
    if code == RESOURCE_EXHAUSTED and detail.startswith("CLIENT: Received message larger"):  # refused by our own gRPC
        return contract_error("a message that is too large")
    if code == CANCELLED:  # what gRPC answers to a call that arrives while its server stops
        return Unavailable(f"{server} stopped during the call", TRY_AGAIN_HINT)
    code = next((refusal for words, refusal in HTTP_REFUSALS.items() if words in detail), code)
    if code in (PERMISSION_DENIED, UNAUTHENTICATED):
        return UnexpectedStatus(f"what answers at {server} refuses the call ({detail})", code, REFUSAL_HINT)
    if code in (UNKNOWN, INTERNAL, UNAVAILABLE) and responded:
        hint = BODY_LIMIT_HINT if streamed and "RST_STREAM" in detail else ""  # as nginx does
        return Unavailable(f"the connection to {server} broke ({detail})", hint)
    if code in (UNKNOWN, INTERNAL) and "status: 413" in detail:
        return Unavailable(f"a proxy before {server} refused the size of a call ({detail})", BODY_LIMIT_HINT)
    if code == UNAVAILABLE:
        hint = PROXY_HINT if "header with status" in detail else NO_SERVER_HINT  # 502, 503 or 504 in HTML
        return Unavailable(f"no chatctl server answers at {server} ({detail})", hint)
    if code in (UNKNOWN, INTERNAL):
        return Unavailable(f"what answers at {server} is not a chatctl server ({detail})", PROXY_HINT)
    if code == UNIMPLEMENTED:
        return UnexpectedStatus(f"{server} is not a chatctl server, or runs an incompatible version ({detail})", code)
    return status.error_from_status(code, detail, ())


def may_retry(error: BaseException | None, server_seen: bool) -> bool:
    """Return whether another call may succeed after this error. `server_seen`: a chatctl server has responded before."""
    if isinstance(error, UnexpectedStatus):  # another server, for a moment in the place of a chatctl server
        return (
            server_seen
            and not isinstance(error, IncompatibleServer)
            and error.code not in (PERMISSION_DENIED, UNAUTHENTICATED)
        )
    return isinstance(error, TransientError)


def timeout_error(server: str, seconds: float) -> TimedOut:
    """Return the error for a server that has not responded for `seconds`."""
    return TimedOut(
        f"no response from {server} for {seconds:g} s",
        "check that a chatctl server is listening there, or wait longer with --timeout",
    )


def outdated_server_error(server: str, feature: str, version: str = "") -> IncompatibleServer:
    """Return the error for a server that is too old for what this client needs."""
    name = f"chatctl {version}" if version else "an older chatctl"
    return IncompatibleServer(f"{server} runs {name}, which does not support {feature}", "upgrade the server")
