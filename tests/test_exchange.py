"""One stream that sends and receives, looked at from inside the server."""

import asyncio

from logs import draft, on_log

from chatctl.chat import Chat, Limits
from chatctl.log import Receipt, Status
from chatctl.server.exchange import Exchange
from chatctl.server.streams import Streams
from chatctl.v1 import chat_pb2 as pb


def test_a_stream_that_always_has_receipts_to_tell_receives_all_the_same(tmp_path):
    async def frames():
        yield pb.SendAndReceiveMessageRequest(user="ann", receive=pb.Receive(all_rooms=True))
        await asyncio.Event().wait()

    async def step(log):
        streams = Streams(1)
        with streams.open() as wake:
            exchange = Exchange(Chat(log, Limits()), streams, frames(), wake)
            responses = exchange.responses()
            assert (await anext(responses)).HasField("welcome")
            await log.append(draft("hello"))
            exchange._pipeline.ready = lambda: [Receipt(1, 1, Status.STORED, 1, 1)]
            for _ in range(1000):
                response = await anext(responses)
                assert not (response.receipts and response.runs), "together they may be more than a client accepts"
                if response.runs:
                    break
                await asyncio.sleep(0.001)
            assert [list(run.texts) for run in response.runs] == [["hello"]]
            assert (await anext(responses)).receipts
            await exchange.close()

    on_log(f"sqlite:{tmp_path}/chat.db", step)
