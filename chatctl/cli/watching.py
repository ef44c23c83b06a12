"""One run of `stats --watch`: an answer every so many seconds, through restarts of the server."""

import asyncio
import json
import os
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from signal import SIGWINCH
from typing import TYPE_CHECKING, Any, Protocol

from chatctl.cli import formats
from chatctl.cli.interrupts import Interrupts
from chatctl.cli.printing import on_desertion
from chatctl.errors import ChatError, Passing, TimedOut, Unavailable, Unexpected

if TYPE_CHECKING:
    from chatctl.client import ServerStats

STDIN = 0
LEAVE_SCREEN = b"\x1b[?1049l\x1b[?25h"


class View(Protocol):
    """Shows answers; a context manager."""

    def __enter__(self) -> "View":
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""

    def show(self, answer: "ServerStats") -> None:
        """An answer came."""

    def say(self, text: str) -> None:
        """What keeps the next one from coming."""


class Lines(nullcontext["Lines"]):
    """A line for each answer."""

    def __init__(self, line: "Callable[[ServerStats], str]", as_json: bool) -> None:
        super().__init__(self)
        self._line = line
        self.say = formats.notice(as_json)

    def show(self, answer: "ServerStats") -> None:
        """See View."""
        print(self._line(answer), flush=True)


def json_line(as_object: "Callable[[ServerStats], dict[str, Any]]") -> "Callable[[ServerStats], str]":
    """The object of `stats --json` with the time of the answer."""
    return lambda answer: json.dumps(
        {"time": formats.rfc3339(time.time_ns() // 1000), **as_object(answer)}, ensure_ascii=False
    )


class Watching:
    """Use it once: `main`."""

    def __init__(self, server: str, timeout: float, interval: float, top: int, rooms: Sequence[str]) -> None:
        """`timeout` and `interval` are in seconds; `timeout` is for how long it goes on without an answer, 0 is for ever."""
        from chatctl.client.retrying import Retrying

        self._server = server
        self._timeout, self._interval = timeout, interval
        self._asked = top, rooms
        self._retrying = Retrying(server, timeout, self._say)
        self._ended = False  # by a key, or since nobody reads stdout any more

    async def main(self, view: View, full_screen: bool) -> int:
        """Show answers until a signal, `q`, or the end of stdout; the exit code comes back.

        Raises what GetStats raises, and Unavailable when the server was away for longer than the timeout.
        """
        self._view = view
        work = self._work = asyncio.ensure_future(self._watch())
        with keys(self._key) if full_screen else nullcontext(), view:
            interrupts = Interrupts(self._interrupt, dying=_leave_screen if full_screen else None)
            if full_screen:
                asyncio.get_running_loop().add_signal_handler(SIGWINCH, view.draw)  # type: ignore[attr-defined]
            on_desertion(self._end)
            with suppress(asyncio.CancelledError):
                await work
            if work.cancelled() and not (interrupts.code or self._ended):
                raise asyncio.CancelledError
        return interrupts.code

    def _say(self, text: str) -> None:
        self._view.say(text)

    def _key(self, key: bytes) -> None:
        if key[:1] in (b"q", b"Q"):
            self._end()

    def _interrupt(self) -> None:
        self._work.cancel()

    def _end(self) -> None:
        self._ended = True
        self._work.cancel()

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        heard = clock()
        while True:
            began = clock()
            try:
                answer = await self._ask(heard + self._timeout - began if self._timeout else None)
            except (Passing, Unexpected) as error:
                pause = self._retrying.take(error)
                left = heard + self._timeout - clock() if self._timeout else pause
                if left <= 0:
                    raise self._gave_up() from None
                await asyncio.sleep(min(pause, left))
                continue
            self._retrying.met = True
            self._retrying.got_on()
            self._retrying.proved()
            self._view.show(answer)
            await asyncio.sleep(max(began + self._interval - clock(), 0))
            heard = clock()

    async def _ask(self, left: float | None) -> "ServerStats":
        from chatctl.client import ChatClient

        # A connection for each: one that broke tries again only after a pause of its own, which grows to minutes.
        seconds = self._retrying.seconds if left is None else max(min(self._retrying.seconds, left), 0.1)
        async with ChatClient(self._server, seconds, lambda _: self._retrying.tell_silence()) as chat:
            return await chat.stats(*self._asked)

    def _gave_up(self) -> ChatError:
        error = self._retrying.gave_up()
        return Unavailable(str(error)) if isinstance(error, TimedOut) else error  # as everywhere where it is tried again


@contextmanager
def keys(pressed: Callable[[bytes], None]) -> Iterator[None]:
    """Hear of keys as they are pressed, if there is a keyboard."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(STDIN)
    loop = asyncio.get_running_loop()
    try:
        tty.setcbreak(STDIN)
        now = termios.tcgetattr(STDIN)
        now[6][termios.VSUSP] = b"\0"  # stopped by Ctrl-Z, it would leave its screen to the shell
        termios.tcsetattr(STDIN, termios.TCSANOW, now)
        loop.add_reader(STDIN, lambda: _read(loop, pressed))
        yield
    finally:
        loop.remove_reader(STDIN)
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)


def _read(loop: asyncio.AbstractEventLoop, pressed: Callable[[bytes], None]) -> None:
    with suppress(OSError):
        if key := os.read(STDIN, 64):
            pressed(key)
            return
    loop.remove_reader(STDIN)  # the terminal has gone


def _leave_screen() -> None:
    with suppress(OSError):
        os.write(sys.stdout.fileno(), LEAVE_SCREEN)
