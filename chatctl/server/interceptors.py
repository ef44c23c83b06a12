"""What stands around every call: errors become statuses, and the server knows which handlers are still at work."""

import asyncio
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from chatctl.errors import ChatError, InternalServerError, InvalidRequest, StoreFailed
from chatctl.wire import status

logger = logging.getLogger(__name__)


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Lets no exception reach a client as text, and keeps the set of the handlers' tasks."""

    def __init__(self) -> None:
        self.handler_tasks: set[asyncio.Task[Any]] = set()
        """Tasks of handlers that have not ended: `server.stop` returns before they have."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler, of whichever of the four kinds it is."""
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
            # A stream's requests are parsed inside the handler, which has its guard.
            handler.request_deserializer if handler.request_streaming else _safe_deserializer(handler.request_deserializer),
            serialize,
        )

    def _wrap_coroutine(self, method: str, inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wrapped(request: Any, context: Any) -> Any:
            task = self._register_task()
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
            task = self._register_task()
            responses: Any = inner(request, context)
            try:
                if isinstance(request, DecodeError):
                    raise request
                async for response in responses:
                    # Here, and not by gRPC: it would keep the response, too, for as long as the client does not read.
                    data = response if isinstance(response, bytes) else serialize(response)
                    del response
                    yield data
            except (Exception, asyncio.CancelledError) as error:
                await _abort(method, context, error)
            finally:
                await responses.aclose()
                self.handler_tasks.discard(task)

        return wrapped

    def _register_task(self) -> asyncio.Task[Any]:
        task = asyncio.current_task()
        assert task is not None
        self.handler_tasks.add(task)
        return task


def _safe_deserializer(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Parses a request, or gives back the error: if it were raised, gRPC would tell the client of our insides."""

    def deserialize_or_error(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError as error:
            return error

    return deserialize_or_error


async def _abort(method: str, context: Any, error: BaseException) -> NoReturn:
    """End the call with the error's status, or pass on what is not an error."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise error
        # Some inner task was cancelled, not the call: without a status of ours the client would wait for ever.
    if isinstance(error, NotImplementedError):  # by generated code, for a method that its service does not have
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"this server does not have {method}")
    if isinstance(error, StoreFailed):
        logger.error("%s failed: %s", method, error)
        sent_error: ChatError = StoreFailed("the server's store has failed, and its log says why")
    elif isinstance(error, ChatError):
        sent_error = error
    elif isinstance(error, DecodeError):
        sent_error = InvalidRequest("the request is malformed: it does not follow the contract")
    else:
        error_id = secrets.token_hex(4)
        logger.error("%s failed, fault %s", method, error_id, exc_info=error)
        sent_error = InternalServerError(f"the server failed to answer; its log says why, under fault {error_id}")
    logger.debug("%s refused: %s", method, sent_error)
    await context.abort(*status.status_of_error(sent_error))
    raise AssertionError("abort raises")
