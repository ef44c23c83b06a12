"""One run of `stats --watch`: an answer every so many seconds, through restarts of the server."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext, suppress
from signal import SIGWINCH
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.stats.request import StatsRequest
from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdout import on_stdout_closed
from chatctl.cli.terminal import messages
from chatctl.errors import ChatError, TimedOut, TransientError, Unavailable, UnexpectedStatus

if TYPE_CHECKING:
    from chatctl.model.stats import ServerStats
from chatctl.cli.terminal.screen import leave_alt_screen, listen_for_keys


class StatsView(Protocol):
    """Shows answers; a context manager."""

    def __enter__(self) -> "StatsView":
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""

    def show(self, server_stats: "ServerStats") -> None:
        """An answer came."""

    def notify(self, text: str) -> None:
        """What keeps the next one from coming."""


class StatsLineView(nullcontext["StatsLineView"]):
    """A line for each answer."""

    def __init__(self, format_line: "Callable[[ServerStats], str]", as_json: bool) -> None:
        super().__init__(self)
        self._format_line = format_line
        self.notify = messages.notifier(as_json)

    def show(self, server_stats: "ServerStats") -> None:
        print(self._format_line(server_stats), flush=True)


class WatchRun:
    """Use it once: `run`."""

    def __init__(self, request: StatsRequest, interval: float) -> None:
        """`interval` is in seconds. The request's timeout is for the time without a response."""
        from chatctl.client.retry import RetryState

        self._endpoint = request.endpoint
        self._timeout, self._interval = request.timeout, interval
        self._stats_arguments = request.top, request.rooms
        self._retry_state = RetryState(str(request.endpoint), request.timeout, self._notify)
        self._stopped = False  # by a key, or because the reader of stdout has gone

    async def run(self, view: StatsView, full_screen: bool) -> int:
        """Show answers until a signal, `q`, or the end of stdout; the exit code comes back.

        Raises what GetStats raises, and Unavailable when the server was away for longer than the timeout.
        """
        self._view = view
        task = self._task = asyncio.ensure_future(self._poll())
        with listen_for_keys(self._on_key) if full_screen else nullcontext(), view:
            signals = SignalHandler(self._interrupt, before_exit=leave_alt_screen if full_screen else None)
            if full_screen:
                asyncio.get_running_loop().add_signal_handler(SIGWINCH, view.draw)  # type: ignore[attr-defined]
            on_stdout_closed(self._stop)
            with suppress(asyncio.CancelledError):
                await task
            if task.cancelled() and not (signals.exit_code or self._stopped):
                raise asyncio.CancelledError
        return signals.exit_code

    def _notify(self, text: str) -> None:
        self._view.notify(text)

    def _on_key(self, key: bytes) -> None:
        if key[:1] in (b"q", b"Q"):
            self._stop()

    def _interrupt(self) -> None:
        self._task.cancel()

    def _stop(self) -> None:
        self._stopped = True
        self._task.cancel()

    async def _poll(self) -> None:
        clock = asyncio.get_running_loop().time
        last_response = clock()
        while True:
            started = clock()
            try:
                server_stats = await self._fetch(last_response + self._timeout - started if self._timeout else None)
            except (TransientError, UnexpectedStatus) as error:
                pause = self._retry_state.record_failure(error)
                remaining = last_response + self._timeout - clock() if self._timeout else pause
                if remaining <= 0:
                    raise self._final_error() from None
                await asyncio.sleep(min(pause, remaining))
                continue
            self._retry_state.server_seen = True
            self._retry_state.recovered()
            self._retry_state.made_progress()
            self._view.show(server_stats)
            await asyncio.sleep(max(started + self._interval - clock(), 0))
            last_response = clock()

    async def _fetch(self, remaining: float | None) -> "ServerStats":
        from chatctl.client.client import ChatClient

        # A connection for each: one that broke tries again only after a pause of its own, which grows to minutes.
        seconds = (
            self._retry_state.call_timeout if remaining is None else max(min(self._retry_state.call_timeout, remaining), 0.1)
        )
        async with ChatClient(self._endpoint, seconds, lambda _: self._retry_state.notify_waiting()) as client:
            return await client.stats(*self._stats_arguments)

    def _final_error(self) -> ChatError:
        error = self._retry_state.final_error()
        return Unavailable(str(error)) if isinstance(error, TimedOut) else error  # as everywhere where it is tried again
