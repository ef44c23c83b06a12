"""The stores that keep a log. `open_log` finds the one a URL names and imports no other."""

from chatctl.core.message_log import MessageLog
from chatctl.errors import StoreOpenError


async def open_log(url: str) -> MessageLog:
    """Open the log at `SCHEME:PLACE`, made if it does not exist; the caller closes it.

    Raises StoreOpenError.
    """
    scheme, _, path = url.partition(":")
    if scheme == "sqlite" and path and not path.startswith(":"):
        from chatctl.store.sqlite.log import SQLiteLog

        return await SQLiteLog.open(path)
    raise StoreOpenError(f"there is no store {url!r}: name a file with sqlite:PATH")
