"""One gRPC call: translates statuses into chatctl's errors, and ends with TimedOut when the server does not respond."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc

from chatctl.client.call_errors import error_from_foreign_status, timeout_error
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.compat.grpc_call import keep_server_status, useful_details
from chatctl.errors import ChatError, TimedOut
from chatctl.wire import status
from chatctl.wire.checks import clean_sentence, contract_error


class Call:
    """A gRPC call in progress. One task may read and one may write at a time. Always `close` it.

    `response` and `read` raise the error that the server sent, Unavailable, or TimedOut after `timeout` seconds without a
    response that is due.
    """

    def __init__(self, server: str, grpc_call: Any, timeout: float, notify: Callable[[str], None] | None) -> None:
        self.server = server
        keep_server_status(grpc_call)
        self._grpc_call = grpc_call
        self._timeout = timeout
        on_slow = None if notify is None else lambda: notify(f"waiting for {server} to answer")
        self.watchdog = ResponseWatchdog(timeout, self._on_timeout, on_slow)
        self._responded = self._streamed = False
        self._writer_task: asyncio.Task[Any] | None = None

    async def response(self) -> Any:
        """Return the one response of a unary call."""
        with self._translate_errors():
            return self._readable(await self._grpc_call)

    async def read(self) -> Any:
        """Return the next response of a stream, or None at its end."""
        with self._translate_errors():
            response = await self._grpc_call.read()
            if response is grpc.aio.EOF:
                await self._raise_status()
                return None
        response = self._readable(response)
        self._responded = True
        return response

    def _readable(self, response: Any) -> Any:
        """Return the response. Raises IncompatibleServer for None, which gRPC returns for bytes that it cannot parse."""
        if response is None:
            raise contract_error("a message that cannot be read")
        return response

    async def write(self, request: Any) -> bool:
        """Send a request. Return whether the call can take more; if it cannot, `read` raises the reason."""
        self._writer_task, self._streamed = asyncio.current_task(), True
        try:
            with self._translate_errors():
                await self._grpc_call.write(request)
        except (ChatError, asyncio.InvalidStateError):
            return False
        finally:
            self._writer_task = None
        return True

    async def done_writing(self) -> None:
        """Close the sending side of the call. Does nothing to a call that has ended: `read` raises the reason."""
        if not self._grpc_call.done():
            with suppress(grpc.aio.InternalError):  # it has ended meanwhile
                await self._grpc_call.done_writing()

    def close(self) -> None:
        """End the call. Since grpcio 1.83 a call without references to it stays open."""
        self.watchdog.close()
        self._grpc_call.cancel()

    def _on_timeout(self) -> None:
        self._grpc_call.cancel()
        if self._writer_task:
            # The first write waits for the connection, and grpc.aio does not wake it when the call is cancelled.
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
            if task and task.cancelling():  # the caller cancelled the task at the moment of the timeout
                raise
            raise self._timeout_error() from None

    def _timeout_error(self) -> TimedOut:
        return timeout_error(self.server, self._timeout)

    def _error_from_status(self, error: grpc.aio.AioRpcError) -> ChatError:
        """Return the error for a status: of the server's, with its reason, or of gRPC or a proxy."""
        code, details = error.code().value[0], error.details() or ""
        trailers = tuple(error.trailing_metadata() or ())
        if any(key == status.REASON_KEY for key, _ in trailers):
            return status.error_from_status(code, details, trailers)
        return error_from_foreign_status(
            self.server, code, clean_sentence(useful_details(details)), self._responded, self._streamed
        )
