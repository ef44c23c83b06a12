"""One run of `stats --watch`: an answer every so many seconds, through restarts of the server."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing, nullcontext, suppress
from signal import SIGWINCH
from typing import TYPE_CHECKING, Any, Protocol

from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdout import on_stdout_closed
from chatctl.cli.terminal import messages, times
from chatctl.net.endpoint import Endpoint

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


def json_line_format(to_json: "Callable[[ServerStats], dict[str, Any]]") -> "Callable[[ServerStats], str]":
    """The object of `stats --json` with the time of the answer."""
    return lambda answer: json.dumps({"time": times.rfc3339(time.time_ns() // 1000), **to_json(answer)}, ensure_ascii=False)


class WatchRun:
    """Use it once: `run`."""

    def __init__(self, endpoint: Endpoint, timeout: float, interval: float, top: int, rooms: Sequence[str]) -> None:
        """`timeout` and `interval` are in seconds; `timeout` is for how long it goes on without an answer, 0 is for ever."""
        self._endpoint = endpoint
        self._timeout = timeout
        self._watch_arguments = interval, top, rooms
        self._stopped = False  # by a key, or since nobody reads stdout any more

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
        from chatctl.client.client import ChatClient

        async with (
            ChatClient(self._endpoint, self._timeout, self._notify) as client,
            aclosing(client.watch_stats(*self._watch_arguments)) as responses,
        ):
            async for server_stats in responses:
                self._view.show(server_stats)
