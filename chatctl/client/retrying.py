"""Trying again: what may pass is waited out, and whoever waits is told for what."""

import random
from collections.abc import Callable

from chatctl.client.call import NO_SERVER_ADVICE, silence
from chatctl.errors import ChatError, OtherVersion, Passing, Stopping, TimedOut, Unavailable, Unexpected

RETRY_SECONDS, RETRY_MOST_SECONDS = 0.1, 2.0  # before connecting again: doubled each time up to the most, less up to a half
STALE_SECONDS = 30.0
DOUBLINGS = 10  # at most, of either


class Retrying:
    """The troubles of something that goes on over several calls, and what is said of them."""

    def __init__(
        self, server: str, timeout: float, notice: Callable[[str], None] | None, stale: float = STALE_SECONDS
    ) -> None:
        """`timeout` is after how many seconds of trouble whoever uses this gives up; 0 is never.

        A stream that is silent for `stale` seconds, or for half the timeout, may be dead: another is tried.
        """
        self._server = server
        self._timeout = timeout
        self._notice = notice or (lambda _: None)
        self._stale = min(timeout / 2 or stale, stale)
        self._silences = self._tries = 0  # since the server last got on with it
        self.trouble: ChatError | None = None
        """What broke the last call, until the server gets on with it again."""
        self._told = False  # whether a notice of it was given
        self.met = False
        """Whether there was ever a chatctl server."""

    @property
    def seconds(self) -> float:
        """How long the next call may be silent; it grows, as a server that is only slow must get the time to answer."""
        return self._stale * 2.0 ** min(self._silences, DOUBLINGS)

    def take(self, error: ChatError) -> float:
        """A call broke: how many seconds to pause before the next. Raises the error if waiting does not help."""
        never = isinstance(error, Unexpected) and not self.met  # nor was it ever a chatctl server
        if not isinstance(error, Passing | Unexpected) or isinstance(error, OtherVersion) or never:
            raise error
        silent = isinstance(error, TimedOut)
        self._silences += silent
        if not silent and (self.trouble is None or isinstance(self.trouble, TimedOut)):
            tries = f"for up to {self._timeout:g} s" if self._timeout else "until it answers"
            self._tell(f"{self._words(error)}; trying again {tries}")
        self.trouble = error
        most = min(RETRY_SECONDS * 2 ** min(self._tries, DOUBLINGS), RETRY_MOST_SECONDS)
        self._tries += 1
        # Not all clients at once: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        return random.uniform(most / 2, most)  # noqa: S311

    def got_on(self) -> None:
        """The server does what it should: the trouble is over."""
        if self._told:
            self._notice(f"{self._server} answers again")
        self.trouble, self._told = None, False

    def answered(self) -> None:
        """It does answer: the next silence is a new one."""
        self._silences = 0

    def proved(self) -> None:
        """It also gave what was asked for: from here on any trouble is a new one."""
        self._silences = self._tries = 0

    def tell_silence(self) -> None:
        """It has not answered for a while."""
        if self.trouble is None or isinstance(self.trouble, TimedOut):
            self._tell(f"waiting for {self._server} to answer")

    def gave_up(self) -> ChatError:
        """The error for when the time is over. The last trouble says most; without any, the server was silent."""
        after = f"gave up after {self._timeout:g} s, wait longer with --timeout" if self._timeout else "gave up"
        if self.trouble is None or isinstance(self.trouble, TimedOut):
            return silence(self._server, self._timeout or self.seconds)
        if isinstance(self.trouble, Unexpected):
            return Unavailable(f"{self.trouble}; {after}")
        return type(self.trouble)(f"{self._words(self.trouble)}; {after}")

    def _tell(self, trouble: str) -> None:
        self._told = True
        self._notice(trouble)

    def _words(self, error: ChatError) -> str:
        """What an error says; whoever has met a server needs no advice to start one, and tries again without being told."""
        if isinstance(error, Stopping):
            return f"{self._server} is stopping"
        return str(error).removesuffix(NO_SERVER_ADVICE) if self.met else str(error)
