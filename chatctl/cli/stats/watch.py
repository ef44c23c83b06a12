"""One run of `stats --watch`: it shows a response at every interval, until a signal, a key or the end of stdout."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.exit_codes import SIGNAL_OFFSET
from chatctl.cli.stats.request import StatsRequest
from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdout import on_stdout_closed
from chatctl.cli.terminal import notices
from chatctl.cli.terminal.screen import FullScreen

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
        self._stopped = False  # by a key, or because the terminal or the reader of stdout has gone
        self._exit_code = 0

    async def run(self, view: StatsView, draw: Callable[[], None] | None = None) -> int:
        """Show responses until a signal, `q` or the end of stdout, and return the exit code.

        `draw` draws a view that takes the whole screen. Raises what GetStats raises, a TransientError if the server is
        away for longer than the timeout.
        """
        self._view, self._draw = view, draw
        task = self._task = asyncio.ensure_future(self._poll())
        with ExitStack() as stack:
            screen = stack.enter_context(FullScreen(self._on_key, self._hang_up, self._redraw)) if draw else None
            stack.enter_context(view)
            signals = SignalHandler(self._on_signal, before_exit=screen.restore if screen else None)
            on_stdout_closed(self._stop)
            with suppress(asyncio.CancelledError):
                await task
            if task.cancelled() and not (signals.exit_code or self._stopped):
                raise asyncio.CancelledError
        return signals.exit_code or self._exit_code

    def _on_key(self, key: bytes) -> None:
        if key[:1] in (b"q", b"Q"):
            self._stop()

    def _on_signal(self) -> None:
        self._task.cancel()

    def _stop(self, code: int = 0) -> None:
        self._stopped, self._exit_code = True, code
        self._task.cancel()

    def _hang_up(self) -> None:
        """Stop as after SIGHUP, which only the processes of the terminal's session get."""
        self._stop(SIGNAL_OFFSET + signal.SIGHUP)

    def _redraw(self) -> None:
        with self._until_closed():
            if self._draw:
                self._draw()

    @contextmanager
    def _until_closed(self) -> Iterator[None]:
        """Stop, and raise nothing, if the terminal that is drawn on is gone."""
        try:
            yield
        except OSError:
            if not self._draw or sys.stdout.isatty():
                raise
            self._hang_up()

    async def _poll(self) -> None:
        from chatctl.client.client import ChatClient

        request = self._request
        async with (
            ChatClient(request.endpoint, request.timeout, self._notify) as client,
            aclosing(client.watch_stats(self._interval, request.top, request.rooms)) as responses,
        ):
            async for server_stats in responses:
                with self._until_closed():
                    self._view.show(server_stats)

    def _notify(self, text: str) -> None:
        with self._until_closed():
            self._view.notify(text)
