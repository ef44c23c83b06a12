"""The stores that keep a log. `open_log` finds the one a URL names and imports no other."""

from chatctl.errors import StoreRefused
from chatctl.log import MessageLog


async def open_log(url: str) -> MessageLog:
    """Open the log at `SCHEME:PLACE`, made if it does not exist; the caller closes it.

    Raises StoreRefused.
    """
    scheme, _, place = url.partition(":")
    if scheme == "sqlite" and place and not place.startswith(":"):
        from chatctl.store.sqlite import SQLiteLog

        return await SQLiteLog.open(place)
    raise StoreRefused(f"there is no store {url!r}: name a file with sqlite:PATH")
