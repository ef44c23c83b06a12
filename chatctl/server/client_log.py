"""Log lines about clients: who connects, from where, and which calls are refused. With --log-level info.

The first argument of each record is the host: the limit of the log then counts each host apart, so that one host cannot hide
the others. The calls themselves are not logged.
"""

import logging
from collections import OrderedDict
from urllib.parse import unquote

from chatctl.errors import ChatError, ServerStopping

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 1000  # remembered: the call of a connection that was forgotten counts as its first
MAX_USER_CHARS = 60
UNIX_SOCKET = "a Unix socket"


class ConnectionLog:
    """Logs the first call of each connection. gRPC reports neither the start nor the end of one."""

    def __init__(self) -> None:
        self._recent: OrderedDict[str, None] = OrderedDict()

    def on_call(self, peer: str, method: str) -> None:
        """Log a call if it is the first from this peer. All clients of Unix sockets count as one peer."""
        if peer in self._recent:
            self._recent.move_to_end(peer)
            return
        self._recent[peer] = None
        if len(self._recent) > MAX_CONNECTIONS:
            self._recent.popitem(last=False)
        host, port = split_peer(peer)
        logger.info("%s%s connected, and calls %s", host, port, method)


def log_user(peer: str, user: str) -> None:
    """Log as which user a client sends or receives. The client chose the name."""
    host, port = split_peer(peer)
    logger.info("%s%s speaks as user %r", host, port, user[:MAX_USER_CHARS])


def log_refusal(peer: str, method: str, error: ChatError) -> None:
    """Log a call that ends with an error, unless the server stops."""
    host, port = split_peer(peer)
    if not isinstance(error, ServerStopping):
        logger.info("%s%s was refused: %s: %s", host, port, method, error)


def split_peer(peer: str) -> tuple[str, str]:
    """Return the host and `:PORT` of a peer as gRPC writes it: `ipv4:127.0.0.1:4711`, `ipv6:%5B::1%5D:4711`, `unix:`."""
    if peer.startswith("unix"):
        return UNIX_SOCKET, ""
    host, colon, port = unquote(peer.removeprefix("ipv4:").removeprefix("ipv6:")).rpartition(":")
    return host, colon + port
