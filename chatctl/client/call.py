"""A call to the server, whose errors are ours and whose silences end."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

import grpc

from chatctl import wire
from chatctl.client.patience import Patience
from chatctl.errors import ChatError, OtherVersion, TimedOut, Unavailable, Unexpected

# Around the words of grpc's that tell something.
_NOISE = re.compile(r"^([A-Z_]+: )?((ipv[46]|unix):\S+: )?(Stream removed \((?P<inner>.*)\)$)?")

NO_SERVER_ADVICE = ": start one with `chatctl serve`, or name another with --server"


class _StatusKeeper:
    """Stands before grpc.aio's inner call, and keeps a write that fails from replacing the status the server has sent.

    To go when https://github.com/grpc/grpc/pull/43486 is released; a call without a status yet still gets one from Core.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def set_internal_error(self, _: str) -> None:
        """Leave the status to Core."""


class Call:
    """A gRPC call under way. One task may read and one write at a time. `close` it in the end, whatever happened.

    Every method but `close` raises what the server says, Unavailable, or TimedOut after `timeout` seconds of silence.
    """

    def __init__(self, server: str, call: Any, timeout: float, notice: Callable[[str], None] | None) -> None:
        self._server = server
        if hasattr(call, "_cython_call"):
            call._cython_call = _StatusKeeper(call._cython_call)
        self._call = call
        self._timeout = timeout
        tell = None if notice is None else lambda: notice(f"waiting for {server} to answer")
        self.patience = Patience(timeout, self._give_up, tell)
        self._answered = False
        self._writing: asyncio.Task[Any] | None = None

    async def answer(self) -> Any:
        """The one response of a unary call."""
        with self._translating():
            return await self._call

    async def read(self) -> Any:
        """The next response of a stream; None at its end."""
        with self._translating():
            response = await self._call.read()
            if response is grpc.aio.EOF:
                await self._raise_status()
                return None
        self._answered = True
        return response

    async def write(self, request: Any) -> bool:
        """Send a request; whether the call can take more. Why it cannot is for `read` to raise."""
        self._writing = asyncio.current_task()
        try:
            with self._translating():
                await self._call.write(request)
        except (ChatError, asyncio.InvalidStateError):
            return False
        finally:
            self._writing = None
        return True

    async def done_writing(self) -> None:
        """Say that no more requests come."""
        if not self._call.done():
            await self._call.done_writing()

    def close(self) -> None:
        """End the call; since grpcio 1.83 one that is merely dropped lives on."""
        self.patience.close()
        self._call.cancel()

    def _give_up(self) -> None:
        self._call.cancel()
        if self._writing:
            # The first write waits for the connection, and grpc.aio forgets to wake it when the call is cancelled.
            self._writing.cancel()

    async def _raise_status(self) -> None:
        code = await self._call.code()
        if code is not grpc.StatusCode.OK:
            trailers, details = await self._call.trailing_metadata(), await self._call.details()
            raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details=details)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            if self.patience.gone:
                raise self._timed_out() from None
            raise self._translate(error) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self.patience.gone:
                raise
            if self._writing and self._writing is task:
                self._writing.uncancel()
            if task and task.cancelling():  # by somebody else, in the very moment in which the call was given up
                raise
            raise self._timed_out() from None

    def _timed_out(self) -> TimedOut:
        return silence(self._server, self._timeout)

    def _translate(self, error: grpc.aio.AioRpcError) -> ChatError:
        """The error that a status stands for; statuses that grpc itself makes get words of ours."""
        code, details = error.code().value[0], error.details() or ""
        trailers = tuple(error.trailing_metadata() or ())
        if any(key == wire.REASON_KEY for key, _ in trailers):
            return wire.error_of(code, details, trailers)
        detail = _NOISE.sub(lambda noise: noise["inner"] or "", details.rpartition("last error: ")[2])
        if code == 1:  # CANCELLED: gRPC's answer to a call that comes in the moment in which its server stops
            return Unavailable(f"{self._server} stopped as it was asked: try again")
        if self._answered and code in (2, 13, Unavailable.code):  # UNKNOWN, INTERNAL: our server would give a reason
            return Unavailable(f"the connection to {self._server} broke ({detail})")
        if code == Unavailable.code:
            return Unavailable(f"no chatctl server answers at {self._server} ({detail}){NO_SERVER_ADVICE}")
        if code in (2, 12, 13):  # UNKNOWN, UNIMPLEMENTED, INTERNAL: what others than a chatctl server say
            return Unexpected(f"what answers at {self._server} is no chatctl server, or another version ({detail})", code)
        return wire.error_of(code, details, trailers)


Dial = Callable[[float, Callable[[Any], Any]], AbstractAsyncContextManager[Call]]
"""Makes a call, given a stub, on a connection of its own; the seconds are those of silence that end it with TimedOut."""


def silence(server: str, seconds: float) -> TimedOut:
    """The error for a server that has been silent for so long."""
    return TimedOut(
        f"{server} has not answered for {seconds:g} s: see whether a chatctl server listens there, "
        "or wait longer with --timeout"
    )


def outdated(server: str, feature: str, version: str = "") -> OtherVersion:
    """Return the error for a server that is too old for what this client needs."""
    name = f"chatctl {version}" if version else "an older chatctl"
    return OtherVersion(f"{server} runs {name}, which does not support {feature}: upgrade the server", 12)
