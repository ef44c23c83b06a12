"""One VerifyMessages stream: a response for every request, one after the other."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from chatctl import verify, wire
from chatctl.chat import Chat
from chatctl.errors import InvalidRequest, Stopping
from chatctl.v1 import chat_pb2 as pb


async def responses(
    chat: Chat, requests: AsyncIterator[pb.VerifyMessagesRequest], wake: asyncio.Event
) -> AsyncGenerator[pb.VerifyMessagesResponse, None]:
    """The next request is read when the last is answered; flow control holds the others back.

    Raises what `verify.check_prefix` and `verify.faults` raise, and Stopping once `wake` rings.
    """
    ringing = asyncio.ensure_future(wake.wait())
    coming = None
    named = False  # the log
    try:
        while True:
            coming = asyncio.ensure_future(anext(requests, None))
            await asyncio.wait({coming, ringing}, return_when=asyncio.FIRST_COMPLETED)
            if ringing.done():
                raise Stopping("the server is stopping: verify again when it is back")
            request = coming.result()
            if request is None:
                return
            if request.cursor_prefix or not named:
                verify.check_prefix(chat, request.cursor_prefix)
                named = True
            yield await _response(chat, request)
    finally:
        ringing.cancel()
        if coming and not coming.done():
            coming.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await coming


async def _response(chat: Chat, request: pb.VerifyMessagesRequest) -> pb.VerifyMessagesResponse:
    limit = chat.limits.batch_messages
    # Claims first: four megabytes can hold two million empty ones.
    count = len(request.claims)
    if count <= limit:
        count = sum(len(claim.sha256) for claim in request.claims)
    if count > limit:
        raise InvalidRequest(f"{count} claims in one request, the limit is {limit}: send several requests")
    claims = wire.claims(request.claims)
    faults = await verify.faults(chat, claims)
    return pb.VerifyMessagesResponse(num_messages=len(claims), faults=wire.fault_messages(faults))
