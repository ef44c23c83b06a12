"""A call to the server, whose errors are ours and whose silences end."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

import grpc

from chatctl.client.watchdog import ResponseWatchdog
from chatctl.compat.grpc_call import StatusPreservingCall
from chatctl.errors import ChatError, IncompatibleServer, TimedOut, Unavailable, UnexpectedStatus
from chatctl.wire import status

# Around the words of grpc's that tell something.
_GRPC_NOISE = re.compile(r"^([A-Z_]+: )?((ipv[46]|unix):\S+: )?(Stream removed \((?P<inner>.*)\)$)?")

NO_SERVER_HINT = ": start one with `chatctl serve`, or name another with --server"


class Call:
    """A gRPC call under way. One task may read and one write at a time. `close` it in the end, whatever happened.

    Every method but `close` raises what the server says, Unavailable, or TimedOut after `timeout` seconds of silence.
    """

    def __init__(self, server: str, grpc_call: Any, timeout: float, notify: Callable[[str], None] | None) -> None:
        self._server = server
        if hasattr(grpc_call, "_cython_call"):
            grpc_call._cython_call = StatusPreservingCall(grpc_call._cython_call)
        self._grpc_call = grpc_call
        self._timeout = timeout
        on_slow = None if notify is None else lambda: notify(f"waiting for {server} to answer")
        self.watchdog = ResponseWatchdog(timeout, self._on_timeout, on_slow)
        self._responded = False
        self._writer_task: asyncio.Task[Any] | None = None

    async def response(self) -> Any:
        """The one response of a unary call."""
        with self._translate_errors():
            return await self._grpc_call

    async def read(self) -> Any:
        """The next response of a stream; None at its end."""
        with self._translate_errors():
            response = await self._grpc_call.read()
            if response is grpc.aio.EOF:
                await self._raise_status()
                return None
        self._responded = True
        return response

    async def write(self, request: Any) -> bool:
        """Send a request; whether the call can take more. Why it cannot is for `read` to raise."""
        self._writer_task = asyncio.current_task()
        try:
            with self._translate_errors():
                await self._grpc_call.write(request)
        except (ChatError, asyncio.InvalidStateError):
            return False
        finally:
            self._writer_task = None
        return True

    async def done_writing(self) -> None:
        """Say that no more requests come."""
        if not self._grpc_call.done():
            await self._grpc_call.done_writing()

    def close(self) -> None:
        """End the call; since grpcio 1.83 one that is merely dropped lives on."""
        self.watchdog.close()
        self._grpc_call.cancel()

    def _on_timeout(self) -> None:
        self._grpc_call.cancel()
        if self._writer_task:
            # The first write waits for the connection, and grpc.aio forgets to wake it when the call is cancelled.
            self._writer_task.cancel()

    async def _raise_status(self) -> None:
        code = await self._grpc_call.code()
        if code is not grpc.StatusCode.OK:
            trailers, details = await self._grpc_call.trailing_metadata(), await self._grpc_call.details()
            raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details=details)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            if self.watchdog.expired:
                raise self._timeout_error() from None
            raise self._error_from_status(error) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self.watchdog.expired:
                raise
            if self._writer_task and self._writer_task is task:
                self._writer_task.uncancel()
            if task and task.cancelling():  # by somebody else, in the very moment in which the call was given up
                raise
            raise self._timeout_error() from None

    def _timeout_error(self) -> TimedOut:
        return timeout_error(self._server, self._timeout)

    def _error_from_status(self, error: grpc.aio.AioRpcError) -> ChatError:
        """The error that a status stands for; statuses that grpc itself makes get words of ours."""
        code, details = error.code().value[0], error.details() or ""
        trailers = tuple(error.trailing_metadata() or ())
        if any(key == status.REASON_KEY for key, _ in trailers):
            return status.error_from_status(code, details, trailers)
        detail = _GRPC_NOISE.sub(lambda noise: noise["inner"] or "", details.rpartition("last error: ")[2])
        if code == 1:  # CANCELLED: gRPC's answer to a call that comes in the moment in which its server stops
            return Unavailable(f"{self._server} stopped as it was asked: try again")
        if self._responded and code in (2, 13, Unavailable.code):  # UNKNOWN, INTERNAL: our server would give a reason
            return Unavailable(f"the connection to {self._server} broke ({detail})")
        if code == Unavailable.code:
            return Unavailable(f"no chatctl server answers at {self._server} ({detail}){NO_SERVER_HINT}")
        if code in (2, 12, 13):  # UNKNOWN, UNIMPLEMENTED, INTERNAL: what others than a chatctl server say
            return UnexpectedStatus(
                f"what answers at {self._server} is no chatctl server, or another version ({detail})", code
            )
        return status.error_from_status(code, details, trailers)


OpenCall = Callable[[float, Callable[[Any], Any]], AbstractAsyncContextManager[Call]]
"""Makes a call, given a stub, on a connection of its own; the seconds are those of silence that end it with TimedOut."""


def timeout_error(server: str, seconds: float) -> TimedOut:
    """The error for a server that has been silent for so long."""
    return TimedOut(
        f"{server} has not answered for {seconds:g} s: see whether a chatctl server listens there, "
        "or wait longer with --timeout"
    )


def outdated_server_error(server: str, feature: str, version: str = "") -> IncompatibleServer:
    """Return the error for a server that is too old for what this client needs."""
    name = f"chatctl {version}" if version else "an older chatctl"
    return IncompatibleServer(f"{server} runs {name}, which does not support {feature}: upgrade the server", 12)
