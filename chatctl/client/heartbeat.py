"""Heartbeat: tells the writer of a stream that it has written nothing for long.

A proxy takes a stream for dead on which a client writes nothing, and cuts it: nginx after 60 s (client_body_timeout), even
while the server writes. An empty request keeps it open. Servers of all versions ignore it.
"""

import asyncio
from collections.abc import Callable

HEARTBEAT_SECONDS = 30.0  # no pause between two requests is longer


class Heartbeat:
    """Calls `on_due` when an empty request is due. Call `written` after each request, and `close` it at the end."""

    def __init__(self, on_due: Callable[[], object]) -> None:
        self._on_due = on_due
        self._written, self._due = True, False
        self._schedule_tick()

    def written(self) -> None:
        """Record that a request was written. It costs an assignment: the timer runs on its own."""
        self._written = True

    def take_due(self) -> bool:
        """Return whether an empty request should be written now."""
        due, self._due = self._due, False
        self._written |= due
        return due

    def close(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def _schedule_tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS / 2, self._tick)

    def _tick(self) -> None:
        self._due, self._written = not self._written, False
        self._schedule_tick()
        if self._due:
            self._on_due()
