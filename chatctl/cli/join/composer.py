"""The input of the full-screen `join`: editing, recall of earlier inputs and completion."""

from collections import deque
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.widgets import TextArea
from textual.widgets.text_area import Location

from chatctl.cli.join.slash_commands import Completion
from chatctl.compat.textual_widgets import OrderedKeysTextArea

MAX_RECALLED_TEXTS = 100

_CONTROL_CHARACTERS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
# Keys of TextArea that the screen uses, or that are bound again below.
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
}


class _Completion(NamedTuple):
    """A completion that Tab has inserted, and the other candidates."""

    start: Location
    end: Location
    candidates: list[str]
    position: int

    @property
    def word(self) -> str:
        """The candidate that is in the text."""
        return self.candidates[self.position]


class Composer(OrderedKeysTextArea, inherit_bindings=False):
    """An input of one to six rows: Enter sends, Alt+Enter and Ctrl+J start a new line, Up and Down recall, Tab completes."""

    DEFAULT_CSS = """
    Composer { height: auto; max-height: 6; scrollbar-size: 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(binding for binding in TextArea.BINDINGS if isinstance(binding, Binding) and binding.key not in _EXCLUDED_KEYS),
        Binding("enter", "submit", "Send", show=False),
        Binding("tab", "complete", "Complete", show=False),
        Binding("delete", "delete_right", "Delete", show=False),
        Binding("ctrl+u,super+backspace", "delete_before", "Delete to the start", show=False),
        Binding("alt+b", "cursor_word_left", "Word left", show=False),
        Binding("alt+f", "cursor_word_right", "Word right", show=False),
        Binding("alt+d", "delete_word_right", "Delete word", show=False),
        Binding("ctrl+j,alt+enter,shift+enter,ctrl+enter", "newline", "New line", show=False),
    ]

    def __init__(self, complete: Callable[[str], Completion], submit: Callable[[str], None]) -> None:
        """Create an input.

        `complete` takes the text before the cursor, and returns what Tab may insert instead of its end, each text with
        its suffix (": " or a space). `submit` takes a text, which may contain newlines, before
        the next key is handled.
        """
        super().__init__(compact=True, highlight_cursor_line=False)
        self._complete = complete
        self._submit = submit
        self._sent_texts: deque[str] = deque(maxlen=MAX_RECALLED_TEXTS)
        self._recall_texts = [""]  # the texts that Up and Down show, as they were edited: all sent ones, then the draft
        self._recall_index = 0
        self._completion: _Completion | None = None

    def action_submit(self) -> None:
        """Submit the text and clear the input. A blank text stays."""
        if not self.text.strip():
            return
        text = self.text.rstrip("\n")  # a copied line ends with a newline, which is not meant
        if not self._sent_texts or self._sent_texts[-1] != text:
            self._sent_texts.append(text)
        draft = self._recall_texts[-1] if self._recalling else ""
        self._set_recall(draft)
        self._submit(text)

    @property
    def draft(self) -> str:
        """The text that was typed and not sent. While an earlier input is shown, it includes what was changed in that."""
        current = "" if self._recalling and self.text in self._sent_texts else self.text
        unsent = self._recall_texts[-1] if self._recalling else ""
        return "\n".join(text for text in (current, unsent) if text)

    def replace_draft(self, text: str) -> str:
        """Show another draft, and return the one before it."""
        draft = self.draft
        self._set_recall(text)
        return draft

    @property
    def _recalling(self) -> bool:
        """True if an earlier input is shown instead of the draft."""
        return self._recall_index < len(self._recall_texts) - 1

    def _set_recall(self, draft: str) -> None:
        self._recall_texts = [*self._sent_texts, draft]
        self._recall_index = len(self._sent_texts)
        self._load_at_end(draft)

    def _load_at_end(self, text: str) -> None:
        self.load_text(text)
        self.move_cursor(self.document.end)

    def clean_paste(self, text: str) -> str:
        """Return the pasted text without control characters, except newline and tab."""
        return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL_CHARACTERS)

    def action_delete_before(self) -> None:
        """Delete the text before the cursor, in all rows."""
        self.delete((0, 0), self.cursor_location)

    def action_newline(self) -> None:
        """Start a new line."""
        self.insert_typed("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up a row; on the first row, recall the previous input."""
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        else:
            self._recall(self._recall_index - 1)

    def action_cursor_down(self, select: bool = False) -> None:
        """Move down a row; on the last row, recall the next input."""
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self._recall(self._recall_index + 1)

    def _recall(self, index: int) -> None:
        if 0 <= index < len(self._recall_texts):
            self._recall_texts[self._recall_index], self._recall_index = self.text, index
            self._load_at_end(self._recall_texts[index])

    def action_complete(self) -> None:
        """Complete the word before the cursor; repeated, insert the next candidate instead."""
        last = self._completion
        if last and self.cursor_location == last.end and self.get_text_range(last.start, last.end) == last.word:
            self._apply_completion(last._replace(position=(last.position + 1) % len(last.candidates)))
            return
        row, column = self.cursor_location
        # A command is in the first row only. The row break before any other row is no start of a text.
        before = "\n" * bool(row) + self.document.get_line(row)[:column]
        length, texts = self._complete(before)
        if texts:
            if self.document.get_line(row)[column : column + 1] == " ":  # the suffix is there already
                texts = [text.removesuffix(" ") for text in texts]
            self._apply_completion(_Completion((row, column - length), (row, column), texts, 0))

    def _apply_completion(self, completion: _Completion) -> None:
        end = self.replace(completion.word, completion.start, completion.end).end_location
        self.move_cursor(end)
        self._completion = completion._replace(end=end)
