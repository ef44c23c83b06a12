"""Where a message is written."""

import re
from collections import deque
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import TextArea
from textual.widgets.text_area import Location

from chatctl.compat import textual_keys

MAX_RECALLED_TEXTS = 100  # earlier inputs

textual_keys.install()

_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
_WORD = re.compile(r"\S*$")
_EXCLUDED_KEYS = {
    "pageup",
    "pagedown",
    "shift+up",
    "shift+down",
    "ctrl+c,super+c",
    "f6",
    "f7",
    "delete,ctrl+d",
    "ctrl+u,super+backspace",
}  # they are the room's


class _Completion(NamedTuple):
    """What Tab has put into the text."""

    start: Location
    end: Location
    candidates: list[str]
    position: int


class Composer(TextArea, inherit_bindings=False):
    """An input of one to six rows: Enter sends, Alt+Enter and Ctrl+J begin a line, Up and Down recall, Tab completes.

    `complete` gives for the word before the cursor, and whether the text begins with it, what Tab may put in its place,
    whole and with whatever should follow (": " or a space).
    """

    DEFAULT_CSS = """
    Composer { height: auto; max-height: 6; scrollbar-size: 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(binding for binding in TextArea.BINDINGS if isinstance(binding, Binding) and binding.key not in _EXCLUDED_KEYS),
        Binding("enter", "submit", "Send", show=False),
        Binding("tab", "complete", "Complete", show=False),
        Binding("delete", "delete_right", "Delete", show=False),
        Binding("ctrl+u,super+backspace", "delete_before", "Delete what is before", show=False),
        Binding("alt+b", "cursor_word_left", "Word left", show=False),
        Binding("alt+f", "cursor_word_right", "Word right", show=False),
        Binding("alt+d", "delete_word_right", "Delete word", show=False),
        Binding("ctrl+j,alt+enter,shift+enter,ctrl+enter", "newline", "New line", show=False),
    ]

    def __init__(
        self,
        complete: Callable[[str, bool], list[str]],
        submit: Callable[[str], None],
        id: str | None = None,  # noqa: A002
    ) -> None:
        """`submit` takes what is handed over, which may hold newlines, before the next key is looked at."""
        super().__init__(id=id, compact=True, highlight_cursor_line=False)
        self._submit = submit
        self.complete = complete
        self._sent_texts: deque[str] = deque(maxlen=MAX_RECALLED_TEXTS)
        self._recall_texts = [
            ""
        ]  # what Up and Down go through, as it was left: all that was sent, and what is being written
        self._recall_index = 0
        self._completion: _Completion | None = None

    def action_submit(self) -> None:
        """Hand over what is written and begin anew. Blanks alone are nothing."""
        text = self.text
        if not text.strip():
            return
        if not self._sent_texts or self._sent_texts[-1] != text:
            self._sent_texts.append(text)
        draft = "" if self._recall_index == len(self._recall_texts) - 1 else self._recall_texts[-1]
        self._recall_texts = [*self._sent_texts, draft]
        self._recall_index = len(self._sent_texts)
        self._load_at_end(draft)
        self._submit(text)

    @property
    def draft(self) -> str:
        """What was written and not handed over; of an earlier input that is being looked at, what was changed in it."""
        current = "" if self.text in self._sent_texts and self._recall_index < len(self._recall_texts) - 1 else self.text
        unsent = self._recall_texts[-1] if self._recall_index < len(self._recall_texts) - 1 else ""
        return "\n".join(text for text in (current, unsent) if text)

    def replace_draft(self, text: str) -> str:
        """Write this from here on; the draft comes back."""
        draft = self.draft
        self._recall_texts = [*self._sent_texts, text]
        self._recall_index = len(self._sent_texts)
        self._load_at_end(text)
        return draft

    def _load_at_end(self, text: str) -> None:
        self.load_text(text)
        self.move_cursor(self.document.end)

    def action_delete_before(self) -> None:
        """Delete all that is before the cursor, however many rows it takes."""
        self.delete((0, 0), self.cursor_location)

    def action_newline(self) -> None:
        """Begin a line."""
        self._insert_text("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        """Up a row; on the first one, to the input before."""
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        else:
            self._recall(self._recall_index - 1)

    def action_cursor_down(self, select: bool = False) -> None:
        """Down a row; on the last one, to the input after."""
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self._recall(self._recall_index + 1)

    def _recall(self, index: int) -> None:
        if 0 <= index < len(self._recall_texts):
            self._recall_texts[self._recall_index], self._recall_index = self.text, index
            self._load_at_end(self._recall_texts[index])

    def action_complete(self) -> None:
        """Complete the word before the cursor; again: with the next that fits."""
        last = self._completion
        if (
            last
            and self.cursor_location == last.end
            and self.get_text_range(last.start, last.end) == last.candidates[last.position]
        ):
            self._apply_completion(last._replace(position=(last.position + 1) % len(last.candidates)))
            return
        row, column = self.cursor_location
        match = _WORD.search(self.document.get_line(row)[:column])
        start = (row, match.start() if match else column)
        if words := self.complete(match[0] if match else "", start == (0, 0)):
            self._apply_completion(_Completion(start, (row, column), words, 0))

    def _apply_completion(self, completion: _Completion) -> None:
        """Put a word where the one before it is."""
        word = completion.candidates[completion.position]
        end_location = self.replace(word, completion.start, completion.end).end_location
        self.move_cursor(end_location)
        self._completion = completion._replace(end=end_location)

    async def _on_key(self, event: events.Key) -> None:
        """Do at once what a key is bound to: Textual does so later, when what was typed after it is in the text."""
        alt = event.key.startswith("alt+")  # which Textual calls printable with a letter, and would write that
        if (alt or not event.is_printable) and (await self.app._check_bindings(event.key) or alt):
            event.stop()
            event.prevent_default()

    async def _on_paste(self, event: events.Paste) -> None:
        """What is pasted goes in as one text and is not sent. No control character comes along but newline and tab."""
        event.prevent_default()
        event.stop()
        self._insert_text(event.text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL))

    def _insert_text(self, text: str) -> None:
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)
