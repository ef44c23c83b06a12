"""The bound on open streams, and how they hear that the server is stopping."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from chatctl.errors import ServerStopping, TooManyStreams
from chatctl.server.request_pipeline import InFlight


class StreamRegistry:
    """The open streams of a server."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._wakeups: set[asyncio.Event] = set()
        self._num_counted = 0
        self.stopping = False
        self.in_flight = InFlight()
        self.followers = self.senders = 0
        """How many of them receive messages as they are stored, and how many exchange texts for receipts."""

    def acquire(self) -> None:
        """Count a stream; `release` in the end. Raises TooManyStreams, and ServerStopping when it is too late."""
        if self.stopping:
            raise stopping_error()
        if self._num_counted >= self._limit:
            raise TooManyStreams(
                f"{self._limit} streams are open, which is this server's limit: try again later, or raise `serve --streams`"
            )
        self._num_counted += 1

    def release(self) -> None:
        """Count it no more."""
        self._num_counted -= 1

    @contextmanager
    def open(self, counted: bool = True) -> Iterator[asyncio.Event]:
        """Hold a stream open. The event is its alarm clock, and rings when the server stops. Uncounted ones have no bound.

        Raises as `acquire` does.
        """
        if counted:
            self.acquire()
        elif self.stopping:
            raise stopping_error()
        wakeup = asyncio.Event()
        self._wakeups.add(wakeup)
        try:
            yield wakeup
        finally:
            self._wakeups.discard(wakeup)
            if counted:
                self.release()

    def stop(self) -> None:
        """Ring all alarm clocks; open no more."""
        self.stopping = True
        for wakeup in self._wakeups:
            wakeup.set()


def stopping_error() -> ServerStopping:
    """The error that ends a stream of a server that stops."""
    return ServerStopping(
        "the server is stopping: reconnect, send again what has no receipt, and go on from the last cursor"
    )
