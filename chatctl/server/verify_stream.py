"""One VerifyMessages stream: a response for each request, in order."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from chatctl.core import verify
from chatctl.core.chat import Chat
from chatctl.errors import InvalidRequest, ServerStopping
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert


async def verify_responses(
    chat: Chat, requests: AsyncIterator[pb.VerifyMessagesRequest], wakeup: asyncio.Event
) -> AsyncGenerator[pb.VerifyMessagesResponse, None]:
    """Yield a response for each request. Reads one request at a time; flow control holds the client back.

    Raises what `verify.validate_cursor_prefix` and `verify.find_faults` raise, and ServerStopping once `wakeup` is set.
    """
    stop_wait = asyncio.ensure_future(wakeup.wait())
    next_request = None
    log_checked = False
    try:
        while True:
            next_request = asyncio.ensure_future(anext(requests, None))
            await asyncio.wait({next_request, stop_wait}, return_when=asyncio.FIRST_COMPLETED)
            if stop_wait.done():
                raise ServerStopping("the server is stopping", "verify again once it has restarted")
            request = next_request.result()
            if request is None:
                return
            if request.cursor_prefix or not log_checked:
                verify.validate_cursor_prefix(chat, request.cursor_prefix)
                log_checked = True
            yield await _verify_response(chat, request)
    finally:
        stop_wait.cancel()
        if next_request:
            next_request.cancel()
            with suppress(asyncio.CancelledError, Exception):  # retrieves its error, or asyncio logs it
                await next_request


async def _verify_response(chat: Chat, request: pb.VerifyMessagesRequest) -> pb.VerifyMessagesResponse:
    limit = chat.limits.batch_messages
    # Count the claims first: 4 MB can hold two million empty ones.
    count = len(request.claims)
    if count <= limit:
        count = sum(len(claim.sha256) for claim in request.claims)
    if count > limit:
        raise InvalidRequest(f"{count} claims in one request, the limit is {limit}", "send several requests")
    claims = convert.claims_from_pb(request.claims)
    faults = await verify.find_faults(chat, claims)
    return pb.VerifyMessagesResponse(num_messages=len(claims), faults=convert.faults_to_pb(faults))
