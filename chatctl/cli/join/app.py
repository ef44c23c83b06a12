"""The room as an app at a terminal: it shows a session until somebody leaves, or the session fails."""

import signal
import sys
from dataclasses import replace
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.theme import BUILTIN_THEMES

from chatctl.cli.interrupts import SIGNAL_OFFSET
from chatctl.cli.join.chat_screen import ChatScreen
from chatctl.cli.join.session import Session
from chatctl.cli.report import INTERRUPTED
from chatctl.errors import ChatError

TERMINAL_SECONDS = 5.0  # how often it is seen whether there still is one
LEAVE_SECONDS = 2.0  # how long leaving waits for receipts
WHITE = replace(BUILTIN_THEMES["textual-light"], name="chatctl-light", background="#ffffff", surface="#f0f0f0")
THEMES = {True: WHITE.name, False: "textual-dark"}


class ChatApp(App[int]):
    """Runs a session on its screen; `run_async` gives the exit code. What has no receipt then, the session knows."""

    TITLE = "chatctl"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt"),
        Binding("ctrl+t", "theme"),
    ]

    def __init__(self, session: Session, light: bool = False) -> None:
        super().__init__()
        self.register_theme(WHITE)
        self.theme = THEMES[light]
        self.room = ChatScreen(session, self.end)
        self.failure: ChatError | None = None
        """What ended the session."""
        self._session = session
        self._code: int | None = None

    def on_mount(self) -> None:
        """Begin."""
        self.push_screen(self.room)
        self._session.screen = self.room
        self.run_worker(self._run())
        if sys.stdin.isatty():
            self.set_interval(TERMINAL_SECONDS, self._look)

    async def _run(self) -> None:
        try:
            await self._session.run()
        except ChatError as error:
            self.failure = error
        self.exit(self._code or 0)

    def _look(self) -> None:
        """Leave when the terminal is gone: only the process that it belongs to gets a signal."""
        if not sys.stdin.isatty() and self._code is None:
            self.end(SIGNAL_OFFSET + signal.SIGHUP)

    def end(self, code: int) -> None:
        """Leave with this exit code: when all has its receipt, or after two seconds. The second time: at once."""
        if self._code is not None:
            self.exit(code)
            return
        self._code = code
        self._session.finish()
        if count := self._session.pending:
            texts = "a text has" if count == 1 else f"{count:,} texts have"
            self.room.wind_up(f"leaving in {LEAVE_SECONDS:g} s at most: {texts} no receipt yet (Ctrl+C: at once)")
            self.set_timer(LEAVE_SECONDS, lambda: self.exit(code))
        else:
            self.exit(code)

    def action_interrupt(self) -> None:
        """Ctrl+C."""
        self.end(INTERRUPTED)

    def action_theme(self) -> None:
        """From dark to light, or back."""
        self.theme = THEMES[self.theme == THEMES[False]]
        self.room.state_changed()
