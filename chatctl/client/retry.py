"""Trying again: what may pass is waited out, and whoever waits is told for what."""

import random
from collections.abc import Callable

from chatctl.client.call import NO_SERVER_HINT, timeout_error
from chatctl.errors import (
    ChatError,
    IncompatibleServer,
    ServerStopping,
    TimedOut,
    TransientError,
    Unavailable,
    UnexpectedStatus,
)

INITIAL_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = (
    0.1,
    2.0,
)  # before connecting again: doubled each time up to the most, less up to a half
STREAM_TIMEOUT_SECONDS = 30.0
MAX_DOUBLINGS = 10  # at most, of either


class RetryState:
    """The troubles of something that goes on over several calls, and what is said of them."""

    def __init__(
        self,
        server: str,
        timeout: float,
        notify: Callable[[str], None] | None,
        stream_timeout: float = STREAM_TIMEOUT_SECONDS,
    ) -> None:
        """`timeout` is after how many seconds of trouble whoever uses this gives up; 0 is never.

        A stream that is silent for `stream_timeout` seconds, or for half the timeout, may be dead: another is tried.
        """
        self._server = server
        self._timeout = timeout
        self._notify = notify or (lambda _: None)
        self._stream_timeout = min(timeout / 2 or stream_timeout, stream_timeout)
        self._timeouts = self._failures = 0  # since the server last got on with it
        self.last_error: ChatError | None = None
        """What broke the last call, until the server gets on with it again."""
        self._notified = False  # whether a notice of it was given
        self.server_seen = False
        """Whether there was ever a chatctl server."""

    @property
    def call_timeout(self) -> float:
        """How long the next call may be silent; it grows, as a server that is only slow must get the time to answer."""
        return self._stream_timeout * 2.0 ** min(self._timeouts, MAX_DOUBLINGS)

    def record_failure(self, error: ChatError) -> float:
        """A call broke: how many seconds to pause before the next. Raises the error if waiting does not help."""
        never_seen = isinstance(error, UnexpectedStatus) and not self.server_seen  # nor was it ever a chatctl server
        if not isinstance(error, TransientError | UnexpectedStatus) or isinstance(error, IncompatibleServer) or never_seen:
            raise error
        timed_out = isinstance(error, TimedOut)
        self._timeouts += timed_out
        if not timed_out and (self.last_error is None or isinstance(self.last_error, TimedOut)):
            retry_limit = f"for up to {self._timeout:g} s" if self._timeout else "until it answers"
            self._send_notice(f"{self._describe(error)}; trying again {retry_limit}")
        self.last_error = error
        max_pause = min(INITIAL_BACKOFF_SECONDS * 2 ** min(self._failures, MAX_DOUBLINGS), MAX_BACKOFF_SECONDS)
        self._failures += 1
        # Not all clients at once: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        return random.uniform(max_pause / 2, max_pause)  # noqa: S311

    def recovered(self) -> None:
        """The server does what it should: the trouble is over."""
        if self._notified:
            self._notify(f"{self._server} answers again")
        self.last_error, self._notified = None, False

    def responded(self) -> None:
        """It does answer: the next silence is a new one."""
        self._timeouts = 0

    def made_progress(self) -> None:
        """It also gave what was asked for: from here on any trouble is a new one."""
        self._timeouts = self._failures = 0

    def notify_waiting(self) -> None:
        """It has not answered for a while."""
        if self.last_error is None or isinstance(self.last_error, TimedOut):
            self._send_notice(f"waiting for {self._server} to answer")

    def final_error(self) -> ChatError:
        """The error for when the time is over. The last trouble says most; without any, the server was silent."""
        suffix = f"gave up after {self._timeout:g} s, wait longer with --timeout" if self._timeout else "gave up"
        if self.last_error is None or isinstance(self.last_error, TimedOut):
            return timeout_error(self._server, self._timeout or self.call_timeout)
        if isinstance(self.last_error, UnexpectedStatus):
            return Unavailable(f"{self.last_error}; {suffix}")
        return type(self.last_error)(f"{self._describe(self.last_error)}; {suffix}")

    def _send_notice(self, text: str) -> None:
        self._notified = True
        self._notify(text)

    def _describe(self, error: ChatError) -> str:
        """What an error says; whoever has met a server needs no advice to start one, and tries again without being told."""
        if isinstance(error, ServerStopping):
            return f"{self._server} is stopping"
        return str(error).removesuffix(NO_SERVER_HINT) if self.server_seen else str(error)
