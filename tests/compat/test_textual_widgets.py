"""The order of bindings and text in a text area, and its pastes."""

from typing import ClassVar

import pytest
from textual import events
from textual.app import App
from textual.widgets import TextArea

from chatctl.compat.textual_widgets import OrderedKeysTextArea


class TextAreaApp(App):
    """A text area, and an application with a binding that submits its text."""

    BINDINGS: ClassVar = [("ctrl+s", "submit", "Submit"), ("alt+a", "count", "Count")]

    def __init__(self, area):
        super().__init__()
        self.area, self.submitted, self.count = area, [], 0

    def compose(self):
        yield self.area

    def on_mount(self):
        self.area.focus()

    def action_submit(self):
        self.submitted.append(self.area.text)

    def action_count(self):
        self.count += 1


async def typed_at_once(area, *sent):
    """Return the application after these keys, each with its character, and pastes."""
    app = TextAreaApp(area)
    async with app.run_test() as pilot:
        for item in sent:
            app.post_message(events.Paste(item) if isinstance(item, str) else events.Key(*item))
        await pilot.pause()
    return app


A, SUBMIT, B, ALT_A, ALT_B = ("a", "a"), ("ctrl+s", None), ("b", "b"), ("alt+a", "a"), ("alt+b", "b")


async def test_a_binding_runs_before_the_next_key_is_inserted():
    app = await typed_at_once(OrderedKeysTextArea(), A, SUBMIT, B)
    assert (app.submitted, app.area.text) == (["a"], "ab")


async def test_alt_with_a_letter_runs_its_binding_and_inserts_nothing():
    app = await typed_at_once(OrderedKeysTextArea(), ALT_A, ALT_B)
    assert (app.count, app.area.text) == (1, "")


async def test_a_paste_is_cleaned_and_replaces_the_selection():
    class UpperTextArea(OrderedKeysTextArea):
        def clean_paste(self, text):
            return text.upper()

    area = UpperTextArea("old")
    area.selection = ((0, 0), (0, 3))
    assert (await typed_at_once(area, "new", B)).area.text == "NEWb"


@pytest.mark.library_fault
async def test_without_it_the_next_key_is_inserted_before_the_binding_runs(report_fault):
    app = await typed_at_once(TextArea(), A, SUBMIT, B)
    report_fault("textual_widgets (order of bindings)", "textual", app.submitted != ["a"])


@pytest.mark.library_fault
async def test_without_it_alt_with_a_letter_inserts_the_letter(report_fault):
    app = await typed_at_once(TextArea(), ALT_A)
    report_fault("textual_widgets (Alt with a letter)", "textual", app.area.text != "")
