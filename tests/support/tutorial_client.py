"""A client as a reader of the tutorial writes it, with stubs generated from its proto; run as a process.

Arguments: the directory of the stubs, the server's address, then `send TEXT...`, `messages` or `stats`.
"""

import asyncio
import sys

sys.path.insert(0, sys.argv[1])

import chat_pb2
import chat_pb2_grpc
import grpc


async def main(address, command, *texts):
    async with grpc.aio.insecure_channel(address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        if command == "stats":
            print((await stub.GetStats(chat_pb2.EmptyRequest())).num_messages)
        elif command == "messages":
            async for reply in stub.GetMessages(chat_pb2.EmptyRequest()):
                print(reply.message)
        else:
            call = stub.SendAndReceiveMessage()
            for text in texts:
                await call.write(chat_pb2.MessageRequest(message=text))
                print((await call.read()).message)
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF


try:
    asyncio.run(main(*sys.argv[2:]))
except grpc.RpcError as error:
    sys.exit(f"{error.code().name} {error.details()}")
