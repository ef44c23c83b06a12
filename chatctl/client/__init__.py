"""The client for asyncio. Provisional: names may change until 1.0.

async with ChatClient("127.0.0.1:50051") as client:
    async with client.send("ann") as stream:
        stream.put("lobby", ["hello"])
        stream.finish()
        async for report in stream.reports():
            print(report.receipt)
    async for page in client.read(Query(rooms=("lobby",))):
        print(page.runs)
"""

from chatctl.client.client import ChatClient
from chatctl.client.room_stream import Connected, Disconnected, PresenceChanged, RoomStream
from chatctl.client.send_stream import SendStream
from chatctl.client.send_window import DeliveryReport
from chatctl.client.verify_stream import VerifyResult
from chatctl.model.messages import HistoryPage, Query
from chatctl.model.stats import ServerStats

__all__ = [
    "ChatClient",
    "Connected",
    "DeliveryReport",
    "Disconnected",
    "HistoryPage",
    "PresenceChanged",
    "Query",
    "RoomStream",
    "SendStream",
    "ServerStats",
    "VerifyResult",
]
