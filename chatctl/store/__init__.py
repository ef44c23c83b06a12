"""Stores: where a log is kept. `open_log` opens the one that a URL names, and imports no other."""

from chatctl.core.message_log import MessageLog
from chatctl.errors import StoreOpenError


async def open_log(url: str, allow_shared: bool = False) -> MessageLog:
    """Open the log at `KIND:PLACE`, or create it; the caller closes it. Raises StoreOpenError.

    A store that other users of the machine can write to is refused, unless `allow_shared`.
    """
    kind, _, path = url.partition(":")
    if kind == "sqlite" and path and not path.startswith(":"):
        from chatctl.store.sqlite.log import SQLiteLog

        return await SQLiteLog.open(path, allow_shared=allow_shared)
    raise StoreOpenError(f"invalid store {url!r}", "use sqlite:PATH")
