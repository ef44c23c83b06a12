"""One run of `stats --watch`: it shows a response at every interval, until a signal, a key or the end of stdout."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, nullcontext, suppress
from signal import SIGWINCH
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.stats.request import StatsRequest
from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdout import on_stdout_closed
from chatctl.cli.terminal import notices
from chatctl.cli.terminal.screen import leave_alt_screen, listen_for_keys

if TYPE_CHECKING:
    from chatctl.model.stats import ServerStats


class StatsView(Protocol):
    """Shows responses; a context manager."""

    def __enter__(self) -> "StatsView":
        """Prepare the terminal."""

    def __exit__(self, *_: object) -> None:
        """Restore the terminal."""

    def show(self, server_stats: "ServerStats") -> None:
        """Show a response."""

    def notify(self, text: str) -> None:
        """Show why a response is missing."""


class StatsLineView(nullcontext["StatsLineView"]):
    """A StatsView that prints a line for each response."""

    def __init__(self, format_line: "Callable[[ServerStats], str]", as_json: bool) -> None:
        super().__init__(self)
        self._format_line = format_line
        self.notify = notices.notifier(as_json)

    def show(self, server_stats: "ServerStats") -> None:
        print(self._format_line(server_stats), flush=True)


class WatchRun:
    """Polls a server and shows its responses. Call `run` once."""

    def __init__(self, request: StatsRequest, interval: float) -> None:
        """`interval` is in seconds. The request's timeout is for the time without a response."""
        self._request = request
        self._interval = interval
        self._code = 0
        self._stopped = False  # by a key, or because the reader of stdout has gone

    async def run(self, view: StatsView, full_screen: bool) -> int:
        """Show responses until a signal, `q` or the end of stdout, and return the exit code.

        Raises what GetStats raises, a TransientError if the server is away for longer than the timeout.
        """
        self._view = view
        task = self._task = asyncio.ensure_future(self._poll())
        with listen_for_keys(self._on_key) if full_screen else nullcontext(), view:
            signals = SignalHandler(self._on_signal, before_exit=leave_alt_screen if full_screen else None)
            if full_screen:
                asyncio.get_running_loop().add_signal_handler(SIGWINCH, view.draw)  # type: ignore[attr-defined]
            on_stdout_closed(self._stop)
            with suppress(asyncio.CancelledError):
                await task
            if task.cancelled() and not (signals.exit_code or self._stopped):
                raise asyncio.CancelledError
        return signals.exit_code or self._code

    def _on_key(self, key: bytes) -> None:
        if key[:1] in (b"q", b"Q"):
            self._stop()

    def _on_signal(self) -> None:
        self._task.cancel()

    def _stop(self, code: int = 0) -> None:
        self._stopped, self._code = True, code
        self._task.cancel()

    async def _poll(self) -> None:
        from chatctl.client.client import ChatClient

        request = self._request
        async with (
            ChatClient(request.endpoint, request.timeout, self._view.notify) as client,
            aclosing(client.watch_stats(self._interval, request.top, request.rooms)) as responses,
        ):
            async for server_stats in responses:
                self._view.show(server_stats)
