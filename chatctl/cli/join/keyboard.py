"""What Textual misreads of what a terminal sends, read right: either would send what is not written to its end."""

from collections.abc import Iterable

from textual import _ansi_sequences, message
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.keys import Keys

ESCAPE, BEGIN, END = "\x1b", "\x1b[200~", "\x1b[201~"


def mend() -> None:
    """Mend it for every application that starts from now on."""
    # Alt+Enter, as all but the newest terminals send it, comes out as Enter.
    sequences = dict.fromkeys(("\x1b\r", "\x1b\n"), (Keys.ControlJ,))
    _ansi_sequences.ANSI_SEQUENCES_KEYS.update(sequences)  # type: ignore[attr-defined]
    vars(linux_driver)["XTermParser"] = PasteParser


class PasteParser(XTermParser):
    """Takes escapes out of a paste. Textual takes what follows one for keys, and one of them may be Enter."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._last = ""  # as much of what came as may be BEGIN
        self._pasting = False
        self._held = ""  # of a paste: what may become END

    def feed(self, data: str) -> Iterable[message.Message]:
        """See textual: no data is the end of the input."""
        passed = "".join(map(self._passed, data))
        return super().feed(passed) if passed or not data else ()

    def _passed(self, character: str) -> str:
        if not self._pasting:
            self._last = (self._last + character)[-len(BEGIN) :]
            self._pasting = self._last == BEGIN
            return character
        held = self._held + character
        self._held = held if END.startswith(held) else ESCAPE if character == ESCAPE else ""
        if held == END:
            self._pasting, self._last, self._held = False, "", ""
            return END
        return "" if self._held == held else held.replace(ESCAPE, "")
