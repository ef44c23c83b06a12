"""The full-screen app of `join`: runs a session until the user quits, or the session fails."""

import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.console import RenderableType
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES

from chatctl.cli.exit_codes import INTERRUPTED, SIGNAL_OFFSET
from chatctl.cli.join.chat_screen import ChatScreen
from chatctl.cli.join.plain_filter import PlainFilter
from chatctl.cli.join.session import Session
from chatctl.cli.terminal import styling
from chatctl.compat import textual_drawing, textual_keys
from chatctl.compat.textual_crash import QuietCrashApp
from chatctl.errors import ChatError

TERMINAL_CHECK_SECONDS = 5.0  # how often to check that the terminal still exists
EXIT_TIMEOUT_SECONDS = 2.0  # how long quitting waits for receipts
LIGHT_THEME = replace(BUILTIN_THEMES["textual-light"], name="chatctl-light", background="#ffffff", surface="#f0f0f0")
DARK_THEME_NAME = "textual-dark"


class ChatApp(QuietCrashApp[int]):
    """Shows a session full-screen. `run_async` returns the exit code; the stream knows the texts without a receipt."""

    TITLE = "chatctl"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt"),
        Binding("ctrl+t", "toggle_theme"),
    ]

    def __init__(self, session: Session, light: bool = False) -> None:
        textual_keys.install()
        textual_drawing.install()
        super().__init__(driver_class=textual_drawing.ResumingDriver)
        self.register_theme(LIGHT_THEME)
        self.theme = LIGHT_THEME.name if light else DARK_THEME_NAME
        self.chat_screen = ChatScreen(session, self.request_exit)
        self.failure: ChatError | None = None
        """The error that ended the session."""
        self._session = session
        self._requested_exit_code: int | None = None

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [PlainFilter()] if styling.is_plain() else super().get_line_filters()

    def exit(self, result: int | None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave the full screen at once, without what a slow terminal has not drawn yet."""
        super().exit(result, return_code, message)
        textual_drawing.discard_drawings(self)

    def on_mount(self) -> None:
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
        """Quit if the terminal is gone. SIGHUP goes only to the process that owns the terminal."""
        if not sys.stdin.isatty() and self._requested_exit_code is None:
            self.request_exit(SIGNAL_OFFSET + signal.SIGHUP)

    def request_exit(self, code: int) -> None:
        """Quit with this exit code once every text has a receipt, but after 2 s at most; the second call quits at once."""
        if self._requested_exit_code is not None:
            self.exit(code)
            return
        self._requested_exit_code = code
        self._session.finish()
        if count := self._session.pending_count:
            messages = "1 message has" if count == 1 else f"{count:,} messages have"
            self.chat_screen.begin_exit(
                f"quitting within {EXIT_TIMEOUT_SECONDS:g} s: {messages} no receipt yet (Ctrl+C: quit at once)"
            )
            self.set_timer(EXIT_TIMEOUT_SECONDS, lambda: self.exit(code))
        else:
            self.exit(code)

    def action_interrupt(self) -> None:
        """Quit as after SIGINT."""
        self.request_exit(INTERRUPTED)

    def action_toggle_theme(self) -> None:
        """Switch between the dark and the light theme."""
        self.theme = LIGHT_THEME.name if self.theme == DARK_THEME_NAME else DARK_THEME_NAME
        self.chat_screen.state_changed()
