"""Retry transient errors with exponential backoff, and report why."""

import asyncio
import random
from collections.abc import Callable
from types import TracebackType

from chatctl.client.call_errors import BODY_LIMIT_HINT, NO_SERVER_HINT, PROXY_HINT, TRY_AGAIN_HINT, may_retry, timeout_error
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.errors import (
    ChatError,
    ServerStopping,
    TimedOut,
    TransientError,
    Unavailable,
    UnexpectedStatus,
)

# The backoff doubles with each failure, up to the maximum. A pause is between half of it and all of it.
INITIAL_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.1, 2.0
STREAM_TIMEOUT_SECONDS = 30.0
MIN_CALL_TIMEOUT_SECONDS = 0.1  # a watchdog with 0 seconds never expires
ABSENT_HINTS = (NO_SERVER_HINT, PROXY_HINT)  # of errors that mean there is no server
BRIEF_SECONDS = 1.0  # a break of the connection that is over sooner is not reported
MAX_DOUBLINGS = 10  # of the backoff, and of the timeout of a call


class RetryState:
    """The failures of an operation that takes several calls, and the notices about them. Always `close` it."""

    def __init__(
        self,
        server: str,
        timeout: float,
        notify: Callable[[str], None] | None,
        stream_timeout: float = STREAM_TIMEOUT_SECONDS,
        retry_first: bool = True,
    ) -> None:
        """`timeout` is how many seconds the operation retries; 0 is without a limit.

        A stream without a response for `stream_timeout` seconds, or for half the timeout, may be dead: the operation opens
        another one. Without `retry_first` nothing is retried until a chatctl server has responded.
        """
        self._server = server
        self._timeout = timeout
        self._notify = notify or (lambda _: None)
        self._stream_timeout = min(timeout / 2 or stream_timeout, stream_timeout)
        self._timeouts = self._failures = 0  # since the last progress
        self.last_error: ChatError | None = None
        """The error of the last call, or None once the server responds again."""
        self._notified = False
        self._notice_timer: asyncio.TimerHandle | None = None  # of a break that may turn out to be brief
        self._server_seen = False  # whether a chatctl server has ever responded
        self._retry_first = retry_first

    @property
    def call_timeout(self) -> float:
        """Seconds the next call may wait for a response. They grow, so that a slow server gets the time to respond."""
        return self._stream_timeout * 2.0 ** min(self._timeouts, MAX_DOUBLINGS)

    def attempt_timeout(self, remaining: float) -> float:
        """Return `call_timeout`, or the seconds that remain if they are fewer, but never 0, which is without a limit."""
        if not (self._retry_first or self._server_seen):
            return self._timeout  # of the only call
        return max(min(self.call_timeout, remaining), MIN_CALL_TIMEOUT_SECONDS)

    def can_retry(self, error: BaseException | None) -> bool:
        """Return whether another call may succeed after this error."""
        return (self._retry_first or self._server_seen) and may_retry(error, self._server_seen)

    def record_failure(self, error: ChatError) -> float:
        """Record the failure of a call. Return how many seconds to pause before the next one."""
        timed_out = isinstance(error, TimedOut)
        self._timeouts += timed_out
        if not timed_out and (self.last_error is None or isinstance(self.last_error, TimedOut)):
            self._report_failure(error)
        self.last_error = error
        max_pause = min(INITIAL_BACKOFF_SECONDS * 2 ** min(self._failures, MAX_DOUBLINGS), MAX_BACKOFF_SECONDS)
        self._failures += 1
        # Not all clients at once: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        return random.uniform(max_pause / 2, max_pause)  # noqa: S311

    def _retry_notice(self, error: ChatError) -> str:
        """Return a sentence about a failure that is retried: what failed, what a person can do, and how long it retries."""
        hint = error.hint
        if isinstance(error, ServerStopping) or hint == TRY_AGAIN_HINT:
            hint = ""  # it says to do what the client does by itself
        elif self._server_seen and hint in (*ABSENT_HINTS, BODY_LIMIT_HINT):
            hint = ""  # there is a server; it may be down. Less goes through a proxy that limits bodies
        retry_limit = f"for up to {self._timeout:g} s" if self._timeout else "until it answers"
        return f"{error.replace(self._describe(error), hint)}; trying again {retry_limit}"

    def recovered(self) -> None:
        """Record that the server works again."""
        self.close()
        if self._notified:
            self._notify(f"{self._server} answers again")
        self.last_error, self._notified = None, False

    def close(self) -> None:
        """Send no notice that is still to come: the operation has ended, or works again."""
        if self._notice_timer:
            self._notice_timer.cancel()
            self._notice_timer = None

    def found_server(self) -> None:
        """Record that a chatctl server is there, whether or not it works."""
        self._server_seen = True

    def responded(self) -> None:
        """Record a response of a chatctl server: the timeout of calls starts from its initial value."""
        self._server_seen = True
        self._timeouts = 0

    def made_progress(self) -> None:
        """Record a response with what was requested: the backoff starts from its initial value, too."""
        self.responded()
        self._failures = 0

    def notify_waiting(self) -> None:
        """Notify that the server has not responded for a while."""
        if self.last_error is None or isinstance(self.last_error, TimedOut):
            self._send_notice(f"waiting for {self._server} to answer")

    def final_error(self) -> ChatError:
        """Return the error for the end of the timeout: the last failure, or TimedOut if the server did not respond."""
        error = self.last_error
        if error is None or isinstance(error, TimedOut):
            return timeout_error(self._server, self._timeout or self.call_timeout)
        message = f"{self._describe(error)}; gave up" + (f" after {self._timeout:g} s" if self._timeout else "")
        hints = [error.hint, "wait longer with --timeout" if self._timeout else ""]
        if self._server_seen and error.hint in ABSENT_HINTS:
            del hints[0]  # there is a server; it may be down
        hint = ", or ".join(filter(None, hints))
        return Unavailable(message, hint) if isinstance(error, UnexpectedStatus) else error.replace(message, hint)

    def _report_failure(self, error: ChatError) -> None:
        """Notify of a failure, or of a break of a connection that worked once it has lasted `BRIEF_SECONDS`."""
        notice = self._retry_notice(error)
        if not self._server_seen or not isinstance(error, Unavailable | ServerStopping):
            self._send_notice(notice)
        elif not self._notice_timer:
            self._notice_timer = asyncio.get_running_loop().call_later(BRIEF_SECONDS, self._send_notice, notice)

    def _send_notice(self, text: str) -> None:
        self._notified = True
        self._notify(text)

    def _describe(self, error: ChatError) -> str:
        """Return what failed, without a hint."""
        return f"{self._server} is stopping" if isinstance(error, ServerStopping) else error.message


class Attempt:
    """One attempt: a context manager that suppresses a failure after which another attempt may succeed."""

    def __init__(self, state: RetryState) -> None:
        self._state = state
        self.failure: ChatError | None = None
        """The failure that was suppressed."""
        self.pause = 0.0
        """Seconds to wait before the next attempt."""

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, TransientError | UnexpectedStatus):
            return False
        if (task := asyncio.current_task()) and task.cancelling():  # cancelled at the moment of the failure
            raise asyncio.CancelledError from None
        if not self._state.can_retry(error):
            return False
        self.failure = error
        self.pause = self._state.record_failure(error)
        return True


class Attempts:
    """The retry loop: `async for attempt in Attempts(...)`, with the work in `with attempt`.

    It ends after the first attempt without a failure. Before every other one it pauses, and raises the final error once the
    watchdog has no time left or `is_over` returns true. An iterator and not a generator: one that is left early then has
    nothing to clean up.
    """

    def __init__(self, state: RetryState, watchdog: ResponseWatchdog, is_over: Callable[[], bool] = lambda: False) -> None:
        self._state = state
        self._watchdog = watchdog
        self._is_over = is_over
        self._attempt: Attempt | None = None

    def __aiter__(self) -> "Attempts":
        return self

    async def __anext__(self) -> Attempt:
        if self._attempt:
            if self._attempt.failure is None:
                raise StopAsyncIteration
            self._watchdog.start()
            await asyncio.sleep(min(self._attempt.pause, self._watchdog.remaining))
            if self._watchdog.remaining <= 0 or self._is_over():
                raise self._state.final_error()
        self._attempt = Attempt(self._state)
        return self._attempt
