"""The client library for asyncio. Provisional: names may change until 1.0.

async with ChatClient("127.0.0.1:50051") as client:
    async with client.send("ann") as stream:
        stream.put("lobby", ["hello"])
        stream.finish()
        async for report in stream.reports():
            print(report.receipt)
    async for page in client.read(Query(rooms=("lobby",))):
        print(page.runs)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatctl.client.client import ChatClient
    from chatctl.client.follower import Follower
    from chatctl.client.room_stream import Connected, Disconnected, PresenceChanged, RoomEvent, RoomStream
    from chatctl.client.send_stream import RecordStream, SendStream
    from chatctl.client.send_window import DeliveryReport
    from chatctl.client.verify_window import VerifyResult
    from chatctl.model.messages import HistoryPage, Query
    from chatctl.model.stats import ServerStats
    from chatctl.net.endpoint import Endpoint

__all__ = [
    "ChatClient",
    "Connected",
    "DeliveryReport",
    "Disconnected",
    "Endpoint",
    "Follower",
    "HistoryPage",
    "PresenceChanged",
    "Query",
    "RecordStream",
    "RoomEvent",
    "RoomStream",
    "SendStream",
    "ServerStats",
    "VerifyResult",
]

# Names are imported when they are used: a command that needs one module must not wait for all of them.
_MODULES = {
    "ChatClient": "chatctl.client.client",
    "Connected": "chatctl.client.room_stream",
    "DeliveryReport": "chatctl.client.send_window",
    "Disconnected": "chatctl.client.room_stream",
    "Endpoint": "chatctl.net.endpoint",
    "Follower": "chatctl.client.follower",
    "HistoryPage": "chatctl.model.messages",
    "PresenceChanged": "chatctl.client.room_stream",
    "Query": "chatctl.model.messages",
    "RecordStream": "chatctl.client.send_stream",
    "RoomEvent": "chatctl.client.room_stream",
    "RoomStream": "chatctl.client.room_stream",
    "SendStream": "chatctl.client.send_stream",
    "ServerStats": "chatctl.model.stats",
    "VerifyResult": "chatctl.client.verify_window",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
