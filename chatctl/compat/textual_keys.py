"""Correct what Textual reads from the terminal: Alt+Enter, Alt with a digit, pastes with an escape, early keys, bytes.

Library: Textual 8.2. Private names: `_ansi_sequences`, `_xterm_parser`, and the parser that `drivers.linux_driver` imports.

Symptoms without it:
- Alt+Enter is read as Enter, so a message is sent unfinished. Most terminals send ESC CR or ESC LF for it
  (https://github.com/Textualize/textual/issues/6663).
- Alt with a digit is read as the character that a Mac has on that key, so it cannot select a room.
- An escape character ends a paste: the rest is read as keys, and one of them may be Enter, which sends it.
- A byte that is not UTF-8, as from a Latin-1 keyboard or paste, ends the app with a traceback.
- Enter that is typed before the app starts is read as Ctrl+J, because the terminal still turns it into a newline then.

Delete `install` and its parts as scripts/check-workarounds reports each of them fixed.
"""

import fcntl
import os
import sys
import termios
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Callable, Iterable
from functools import partial

from textual import _ansi_sequences, message
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.keys import Keys

ESCAPE, PASTE_BEGIN, PASTE_END = "\x1b", "\x1b[200~", "\x1b[201~"


def install() -> None:
    """Patch Textual for every application that starts after this call. A second call changes nothing."""
    sequences: dict[str, tuple[Keys, ...]] = vars(_ansi_sequences)["ANSI_SEQUENCES_KEYS"]
    sequences.update(dict.fromkeys(("\x1b\r", "\x1b\n"), (Keys.ControlJ,)))
    for digit in "0123456789":
        sequences.pop(f"\x1b{digit}", None)
    vars(linux_driver)["XTermParser"] = PasteFilter
    vars(linux_driver)["getincrementaldecoder"] = _replacing_decoder


def _replacing_decoder(encoding: str) -> Callable[[], IncrementalDecoder]:
    """Return what makes decoders that read each invalid byte as U+FFFD."""
    return partial(getincrementaldecoder(encoding), "replace")


class PasteFilter(XTermParser):
    """Removes escapes from pastes before Textual parses them."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._recent = ""  # the last characters, which may be a part of PASTE_BEGIN
        self._pasting = False
        self._withheld = ""  # characters of a paste that may be the start of PASTE_END
        self._early_bytes = _pending_bytes()  # typed before the terminal was in raw mode

    def feed(self, data: str) -> Iterable[message.Message]:
        """Return the events for the data; empty data is the end of the input."""
        filtered = "".join(map(self._filter, data))
        return super().feed(filtered) if filtered or not data else ()

    def _filter(self, character: str) -> str:
        """Return what of the character, and of those withheld before it, goes to Textual."""
        if self._early_bytes > 0:
            self._early_bytes -= len(character.encode(errors="replace"))
            character = "\r" if character == "\n" else character
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


def _pending_bytes() -> int:
    """Return how many bytes of input the terminal holds."""
    if not os.isatty(0):
        return 0
    return int.from_bytes(fcntl.ioctl(0, termios.FIONREAD, bytes(4)), sys.byteorder)
