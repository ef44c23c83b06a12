"""Open streams: their limit, their numbers, and their wake-up when the server stops."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from chatctl.errors import ServerStopping, TooManyStreams
from chatctl.server.request_pipeline import InFlight

logger = logging.getLogger(__name__)


class StreamRegistry:
    """The open streams of a server. Only the registry changes its counts."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._wakeups: set[asyncio.Event] = set()
        self._num_counted = 0
        self._followers = self._senders = 0
        self._stopping = False
        self._limit_logged = False  # since fewer streams than the limit were open
        self.in_flight = InFlight()

    @property
    def followers(self) -> int:
        """Number of streams that receive messages as they are stored."""
        return self._followers

    @property
    def senders(self) -> int:
        """Number of streams that have sent texts."""
        return self._senders

    @property
    def stopping(self) -> bool:
        """True once the server stops: no stream opens any more."""
        return self._stopping

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Count one follower."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Count one sender."""
        self._senders += 1
        try:
            yield
        finally:
            self._senders -= 1

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one stream against the limit. Raises TooManyStreams, and ServerStopping once the server stops."""
        if self._stopping:
            raise stopping_error()
        if self._num_counted >= self._limit:
            self._log_limit()
            raise TooManyStreams(
                f"too many open streams: the server's limit is {self._limit}",
                "try again later, or raise `serve --streams`",
            )
        self._num_counted += 1
        try:
            yield
        finally:
            self._num_counted -= 1
            self._limit_logged = False

    def _log_limit(self) -> None:
        if not self._limit_logged:
            logger.warning("the limit of %d open streams is reached: further ones are refused; see --streams", self._limit)
        self._limit_logged = True

    @contextmanager
    def wakeup(self) -> Iterator[asyncio.Event]:
        """Register a stream that the limit does not count. Its event is set when the server stops.

        Raises ServerStopping once the server stops.
        """
        if self._stopping:
            raise stopping_error()
        event = asyncio.Event()
        self._wakeups.add(event)
        try:
            yield event
        finally:
            self._wakeups.discard(event)

    @contextmanager
    def open(self) -> Iterator[asyncio.Event]:
        """Count a stream, and register it with a wake-up event. Raises as `counted` does."""
        with self.counted(), self.wakeup() as event:
            yield event

    def stop(self) -> None:
        """Wake every stream, and open no more."""
        self._stopping = True
        for event in self._wakeups:
            event.set()


def stopping_error() -> ServerStopping:
    """Return the error that ends a stream when the server stops."""
    return ServerStopping(
        "the server is stopping", "reconnect, send again what has no receipt, and continue from the last cursor"
    )
