"""What Textual misreads of what a terminal sends, read right: either would send what is not written to its end."""

from collections.abc import Iterable

from textual import _ansi_sequences, message
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.keys import Keys

ESCAPE, PASTE_BEGIN, PASTE_END = "\x1b", "\x1b[200~", "\x1b[201~"


def install() -> None:
    """Mend it for every application that starts from now on."""
    # Alt+Enter, as all but the newest terminals send it, comes out as Enter.
    sequences = dict.fromkeys(("\x1b\r", "\x1b\n"), (Keys.ControlJ,))
    _ansi_sequences.ANSI_SEQUENCES_KEYS.update(sequences)  # type: ignore[attr-defined]
    vars(linux_driver)["XTermParser"] = PasteFilter


class PasteFilter(XTermParser):
    """Takes escapes out of a paste. Textual takes what follows one for keys, and one of them may be Enter."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._recent = ""  # as much of what came as may be PASTE_BEGIN
        self._pasting = False
        self._withheld = ""  # of a paste: what may become PASTE_END

    def feed(self, data: str) -> Iterable[message.Message]:
        """See textual: no data is the end of the input."""
        filtered = "".join(map(self._filter, data))
        return super().feed(filtered) if filtered or not data else ()

    def _filter(self, character: str) -> str:
        if not self._pasting:
            self._recent = (self._recent + character)[-len(PASTE_BEGIN) :]
            self._pasting = self._recent == PASTE_BEGIN
            return character
        candidate = self._withheld + character
        self._withheld = candidate if PASTE_END.startswith(candidate) else ESCAPE if character == ESCAPE else ""
        if candidate == PASTE_END:
            self._pasting, self._recent, self._withheld = False, "", ""
            return PASTE_END
        return "" if self._withheld == candidate else candidate.replace(ESCAPE, "")
