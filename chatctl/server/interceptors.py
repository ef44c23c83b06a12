"""The interceptor of every call: it turns errors into statuses, and knows which handlers are running."""

import asyncio
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from chatctl.errors import ChatError, InternalServerError, InvalidRequest, StoreFailed
from chatctl.server.client_log import ConnectionLog, log_refusal
from chatctl.wire import status

logger = logging.getLogger(__name__)


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Ends each call that fails with a status, so that no client sees the text of an exception."""

    def __init__(self) -> None:
        self.handler_tasks: set[asyncio.Task[Any]] = set()
        """Tasks of handlers that have not ended. gRPC's `stop` returns before they have."""
        self._connection_log = ConnectionLog()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler of a call, wrapped. A handler has one of four kinds: unary or stream, on each side."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        kind = "_".join(
            "stream" if streams else "unary" for streams in (handler.request_streaming, handler.response_streaming)
        )
        inner = getattr(handler, kind)
        method, serialize = handler_call_details.method, handler.response_serializer
        wrapped: Callable[..., Any] = self._wrap_coroutine(method, inner)
        if inspect.isasyncgenfunction(inner):
            wrapped, serialize = self._wrap_generator(method, inner, serialize), None
        return getattr(grpc, f"{kind}_rpc_method_handler")(
            wrapped,
            # The requests of a stream are parsed within the wrapped handler.
            handler.request_deserializer if handler.request_streaming else _safe_deserializer(handler.request_deserializer),
            serialize,
        )

    def _wrap_coroutine(self, method: str, inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wrapped(request: Any, context: Any) -> Any:
            task = self._start_call(method, context)
            try:
                if isinstance(request, DecodeError):
                    raise request
                return await inner(request, context)
            except (Exception, asyncio.CancelledError) as error:
                await _abort(method, context, error)
            finally:
                self.handler_tasks.discard(task)

        return wrapped

    def _wrap_generator(
        self, method: str, inner: Callable[..., AsyncIterator[Any]], serialize: Callable[[Any], bytes]
    ) -> Callable[..., AsyncIterator[bytes]]:
        async def wrapped(request: Any, context: Any) -> AsyncIterator[bytes]:
            task = self._start_call(method, context)
            responses: Any = inner(request, context)
            try:
                if isinstance(request, DecodeError):
                    raise request
                async for response in responses:
                    # Serialise here, as a handoff: gRPC would keep the response as well until the client reads.
                    data = response if isinstance(response, bytes) else serialize(response)
                    del response
                    yield data
            except (Exception, asyncio.CancelledError) as error:
                await _abort(method, context, error)
            finally:
                await responses.aclose()
                self.handler_tasks.discard(task)

        return wrapped

    def _start_call(self, method: str, context: Any) -> asyncio.Task[Any]:
        """Register the task that handles a call, and return it."""
        if logger.isEnabledFor(logging.INFO):
            self._connection_log.on_call(context.peer(), method)
        task = asyncio.current_task()
        assert task is not None
        self.handler_tasks.add(task)
        return task


def _safe_deserializer(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a parser that returns DecodeError instead of raising it: gRPC would show its text to the client."""

    def deserialize_or_error(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError as error:
            return error

    return deserialize_or_error


async def _abort(method: str, context: Any, error: BaseException) -> NoReturn:
    """End the call with the status of the error. Passes on AbortError and the cancellation of the call."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise error
        # An inner task was cancelled, not the call. Without a status from here the client would wait without end.
    if isinstance(error, NotImplementedError):  # raised by generated code
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"unknown method {method}")
    if isinstance(error, StoreFailed):
        logger.error("%s failed: %s", method, error)
        sent_error: ChatError = StoreFailed("the server's store failed", "see the server's log")
    elif isinstance(error, ChatError):
        sent_error = error
    elif isinstance(error, DecodeError):
        sent_error = InvalidRequest("malformed request", "encode it as the server's chat.proto defines")
    else:
        error_id = secrets.token_hex(4)
        logger.error("%s failed, error %s", method, error_id, exc_info=error)
        sent_error = InternalServerError(f"internal server error {error_id}", "look for this id in the server's log")
    log_refusal(context.peer(), method, sent_error)
    await context.abort(*status.status_of_error(sent_error))
    raise AssertionError("abort raises")
