"""A text area whose key bindings run in the order of the keys, and whose pastes can be changed.

Library: Textual 8.2. Private name: `App._check_bindings`.

Symptoms without it:
- A key with a binding passes the message queues of all parents before the binding runs. Text that is typed directly after it
  is already inserted then: Enter sends the first characters of the next message, too
  (https://github.com/Textualize/textual/issues/6605).
- A text area inserts the letter of Alt with a letter, because Textual reports such a key as printable.

Delete the key handler when scripts/check-workarounds reports both fixed. The paste handler uses documented names only.
"""

from textual import events
from textual.widgets import TextArea


class OrderedKeysTextArea(TextArea):
    """Runs the binding of a key before it handles the next key."""

    def clean_paste(self, text: str) -> str:
        """Return the text to insert for a paste. Override it to change the text."""
        return text

    def insert_typed(self, text: str) -> None:
        """Replace the selection with the text, as typing does, and move the cursor behind it."""
        if not self.read_only:
            self.move_cursor(self.replace(text, *self.selection, maintain_selection_offset=False).end_location)

    async def on_key(self, event: events.Key) -> None:
        alt = event.key.startswith("alt+")
        if (alt or not event.is_printable) and (await self.app._check_bindings(event.key) or alt):
            event.stop()
            event.prevent_default()

    async def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.insert_typed(self.clean_paste(event.text))
