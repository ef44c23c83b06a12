"""The bound on open streams, and how they hear that the server is stopping."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

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

    @contextmanager
    def open(self, counted: bool = True) -> Iterator[asyncio.Event]:
        """Hold a stream open. The event is its alarm clock, and rings when the server stops. Uncounted ones have no bound.

        Raises TooManyStreams, and Stopping when it is too late.
        """
        if self.stopping:
            raise stopping()
        wake = asyncio.Event()
        with self if counted else nullcontext():
            self._wakes.add(wake)
            try:
                yield wake
            finally:
                self._wakes.discard(wake)

    def __enter__(self) -> None:
        """Hold a stream open that needs no alarm clock. Raises as `open` does."""
        if self.stopping:
            raise stopping()
        if self._counted >= self._limit:
            raise TooManyStreams(
                f"{self._limit} streams are open, which is this server's limit: try again later, or raise `serve --streams`"
            )
        self._counted += 1

    def __exit__(self, *_: object) -> None:
        self._counted -= 1

    def stop(self) -> None:
        """Ring all alarm clocks; open no more."""
        self.stopping = True
        for wake in self._wakes:
            wake.set()


def stopping() -> Stopping:
    """The error that ends a stream of a server that stops."""
    return Stopping("the server is stopping: reconnect and send again what has no receipt")
