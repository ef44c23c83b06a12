"""SendReceiveStream in the test's own event loop."""

import asyncio

from chatctl.core.chat import Chat
from chatctl.model.limits import Limits
from chatctl.model.records import Receipt, ReceiptStatus
from chatctl.server.auth import OPEN
from chatctl.server.send_receive_stream import SendReceiveStream
from chatctl.server.stream_registry import StreamRegistry
from chatctl.v1 import chat_pb2 as pb
from tests.support.logs import batch, opened_log
from tests.support.waiting import TIMEOUT_SECONDS


async def test_a_stream_that_always_has_receipts_still_receives_messages(tmp_path):
    async def frames():
        yield pb.SendAndReceiveMessageRequest(user="ann", receive=pb.Receive(all_rooms=True))
        await asyncio.Event().wait()

    async with opened_log(f"sqlite:{tmp_path}/chat.db") as log:
        streams = StreamRegistry(1)
        with streams.open() as wake:
            exchange = SendReceiveStream(Chat(log, Limits()), streams, OPEN, frames(), wake)
            responses = exchange.responses()
            assert (await anext(responses)).HasField("welcome")
            await log.append(batch("hello"))
            exchange._pipeline.pop_receipts = lambda: [Receipt(1, 1, ReceiptStatus.STORED, 1, 1)]
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while not (response := await anext(responses)).runs:  # noqa: ASYNC110 (other tasks get their turn)
                    await asyncio.sleep(0)
            assert not response.receipts, "together they may be more than a client accepts"
            assert [list(run.texts) for run in response.runs] == [["hello"]]
            assert (await anext(responses)).receipts
            await exchange.close()
