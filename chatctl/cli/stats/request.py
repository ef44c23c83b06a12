"""The request of `stats`, for one response or for many."""

from typing import NamedTuple

from chatctl.net.endpoint import Endpoint


class StatsRequest(NamedTuple):
    """A request for statistics. `timeout` is in seconds; 0 means no limit. Without `rooms`, the `top` rooms are listed."""

    endpoint: Endpoint
    timeout: float
    top: int
    rooms: tuple[str, ...]
