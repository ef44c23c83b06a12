"""The bound on open streams, and how they hear that the server is stopping."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from chatctl.errors import Stopping, TooManyStreams
from chatctl.server.pipeline import Load


class Streams:
    """The open streams of a server."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._wakes: set[asyncio.Event] = set()
        self._counted = 0
        self.stopping = False
        self.load = Load()
        self.followers = self.senders = 0
        """How many of them receive messages as they are stored, and how many exchange texts for receipts."""

    def enter(self) -> None:
        """Count a stream; `leave` in the end. Raises TooManyStreams, and Stopping when it is too late."""
        if self.stopping:
            raise stopping()
        if self._counted >= self._limit:
            raise TooManyStreams(
                f"{self._limit} streams are open, which is this server's limit: try again later, or raise `serve --streams`"
            )
        self._counted += 1

    def leave(self) -> None:
        """Count it no more."""
        self._counted -= 1

    @contextmanager
    def open(self, counted: bool = True) -> Iterator[asyncio.Event]:
        """Hold a stream open. The event is its alarm clock, and rings when the server stops. Uncounted ones have no bound.

        Raises as `enter` does.
        """
        if counted:
            self.enter()
        elif self.stopping:
            raise stopping()
        wake = asyncio.Event()
        self._wakes.add(wake)
        try:
            yield wake
        finally:
            self._wakes.discard(wake)
            if counted:
                self.leave()

    def stop(self) -> None:
        """Ring all alarm clocks; open no more."""
        self.stopping = True
        for wake in self._wakes:
            wake.set()


def stopping() -> Stopping:
    """The error that ends a stream of a server that stops."""
    return Stopping("the server is stopping: reconnect, send again what has no receipt, and go on from the last cursor")
