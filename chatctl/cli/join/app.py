"""The room as an app at a terminal: it shows a session until somebody leaves, or the session fails."""

import signal
import sys
from dataclasses import replace
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.theme import BUILTIN_THEMES

from chatctl.cli.exit_codes import INTERRUPTED, SIGNAL_OFFSET
from chatctl.cli.join.chat_screen import ChatScreen
from chatctl.cli.join.session import Session
from chatctl.errors import ChatError

TERMINAL_CHECK_SECONDS = 5.0  # how often it is seen whether there still is one
EXIT_TIMEOUT_SECONDS = 2.0  # how long leaving waits for receipts
LIGHT_THEME = replace(BUILTIN_THEMES["textual-light"], name="chatctl-light", background="#ffffff", surface="#f0f0f0")
THEMES = {True: LIGHT_THEME.name, False: "textual-dark"}


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
        self.register_theme(LIGHT_THEME)
        self.theme = THEMES[light]
        self.chat_screen = ChatScreen(session, self.request_exit)
        self.failure: ChatError | None = None
        """What ended the session."""
        self._session = session
        self._requested_exit_code: int | None = None

    def on_mount(self) -> None:
        """Begin."""
        self.push_screen(self.chat_screen)
        self._session.listener = self.chat_screen
        self.run_worker(self._run_session())
        if sys.stdin.isatty():
            self.set_interval(TERMINAL_CHECK_SECONDS, self._check_terminal)

    async def _run_session(self) -> None:
        try:
            await self._session.run()
        except ChatError as error:
            self.failure = error
        self.exit(self._requested_exit_code or 0)

    def _check_terminal(self) -> None:
        """Leave when the terminal is gone: only the process that it belongs to gets a signal."""
        if not sys.stdin.isatty() and self._requested_exit_code is None:
            self.request_exit(SIGNAL_OFFSET + signal.SIGHUP)

    def request_exit(self, code: int) -> None:
        """Leave with this exit code: when all has its receipt, or after two seconds. The second time: at once."""
        if self._requested_exit_code is not None:
            self.exit(code)
            return
        self._requested_exit_code = code
        self._session.finish()
        if count := self._session.pending_count:
            texts = "a text has" if count == 1 else f"{count:,} texts have"
            self.chat_screen.begin_exit(
                f"leaving in {EXIT_TIMEOUT_SECONDS:g} s at most: {texts} no receipt yet (Ctrl+C: at once)"
            )
            self.set_timer(EXIT_TIMEOUT_SECONDS, lambda: self.exit(code))
        else:
            self.exit(code)

    def action_interrupt(self) -> None:
        """Ctrl+C."""
        self.request_exit(INTERRUPTED)

    def action_theme(self) -> None:
        """From dark to light, or back."""
        self.theme = THEMES[self.theme == THEMES[False]]
        self.chat_screen.state_changed()
