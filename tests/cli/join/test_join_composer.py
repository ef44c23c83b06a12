"""The input: only Enter sends, and no text is lost."""

import asyncio

from textual import events

from chatctl.cli.join.composer import MAX_RECALLED_TEXTS
from chatctl.cli.join.slash_commands import Completion
from tests.support.tui import LineBuffer, message_view, pause_until, stored_line


def paste(room, text):
    room.composer.post_message(events.Paste(text))


async def write(room, pilot, text, *keys):
    """Insert a text as if it had been typed, then press keys."""
    room.composer.insert(text)
    await pilot.press(*keys)


async def test_enter_sends_and_clears_the_input():
    async with message_view() as (room, pilot):
        await pilot.press(*"hello", "enter")
        assert room.submitted == ["hello"]
        assert room.composer.text == ""
        await write(room, pilot, "  ", "enter")
        assert room.submitted == ["hello"]
        assert room.composer.text == "  "


async def test_four_keys_start_a_new_line():
    async with message_view() as (room, pilot):
        for key in ("ctrl+j", "alt+enter", "shift+enter", "ctrl+enter"):
            await write(room, pilot, "a", key, "b")
            assert room.composer.text == "a\nb", key
            assert room.submitted == []
            assert room.composer.size.height == 2
            await pilot.press("enter")
            assert room.submitted.pop() == "a\nb"
            assert room.composer.size.height == 1


async def test_it_grows_to_six_rows():
    async with message_view(size=(40, 20)) as (room, pilot):
        heights = []
        for _ in range(7):
            await pilot.press("ctrl+j")
            heights.append(room.composer.size.height)
        assert heights == [2, 3, 4, 5, 6, 6, 6]
        await pilot.press("z")
        assert room.screen_rows[-1].startswith("z")  # the last row, where the cursor is


async def test_a_paste_is_inserted_without_control_characters_and_not_sent():
    pasted = "\r\n".join(f"line {number}\tof \x1b[31mred\x07 \x9btext" for number in range(1000))

    async with message_view() as (room, pilot):
        room.composer.insert("see: ")
        paste(room, pasted)
        await pilot.press("!")
        assert room.submitted == []
        expected = "see: " + "\n".join(f"line {number}\tof [31mred text" for number in range(1000)) + "!"
        assert room.composer.text == expected
        await pilot.press("enter")
        assert room.submitted == [expected]


async def test_lone_carriage_returns_of_a_paste_are_newlines():
    async with message_view() as (room, pilot):
        paste(room, "one\rtwo\r")
        await pilot.pause()
        assert room.composer.text == "one\ntwo\n"
        assert room.submitted == []


async def test_earlier_inputs_are_recalled_and_the_draft_is_kept():
    async with message_view() as (room, pilot):
        for text in ("first", "second", "second"):
            await write(room, pilot, text, "enter")
        await write(room, pilot, "draft", "up")
        assert room.composer.text == "second"
        await pilot.press("up")
        assert room.composer.text == "first"
        await pilot.press("up", "!")
        assert room.composer.text == "first!"
        await pilot.press("down", "down")
        assert room.composer.text == "draft"
        await pilot.press("down")
        assert room.composer.text == "draft"
        await pilot.press("up", "up")
        assert room.composer.text == "first!"  # changes of an earlier input are kept until the next send
        await pilot.press("enter", "up", "up", "up")
        assert room.submitted[-1] == "first!"
        assert room.composer.text == "first"


async def test_up_and_down_move_inside_a_text_of_several_rows():
    async with message_view(size=(40, 20)) as (room, pilot):
        await write(room, pilot, "sent", "enter")
        await write(room, pilot, "one\ntwo", "up", "X")
        assert room.composer.text == "oneX\ntwo"
        await pilot.press("down", "Y")
        assert room.composer.text == "oneX\ntwoY"
        await pilot.press("up", "up")
        assert room.composer.text == "sent"
        await pilot.press("down")
        assert room.composer.text == "oneX\ntwoY"
        await write(room, pilot, "w " * 60, "up", "Z")
        assert "Zw " in room.composer.text or "Z w" in room.composer.text  # a wrapped line has rows, too


async def test_the_number_of_inputs_kept_is_bounded():
    async with message_view() as (room, _pilot):
        for number in range(MAX_RECALLED_TEXTS + 10):
            room.composer.load_text(str(number))
            room.composer.action_submit()
        for _ in range(MAX_RECALLED_TEXTS + 10):
            room.composer.action_cursor_up()
        assert room.composer.text == "10"


USERS = ("ann", "anton")


async def test_tab_completes_and_cycles():
    asked = []

    def complete(before):
        asked.append(before)
        word = (before.split() or [""])[-1]
        return Completion(len(word), [name + (": " if word == before else " ") for name in USERS if name.startswith(word)])

    async with message_view(complete=complete) as (room, pilot):
        await pilot.press("a", "tab")
        assert room.composer.text == "ann: "
        await pilot.press("tab")
        assert room.composer.text == "anton: "
        await pilot.press("tab")
        assert room.composer.text == "ann: "
        await write(room, pilot, "ask ant", "tab")
        assert room.composer.text == "ann: ask anton "
        await write(room, pilot, "zzz", "tab")
        assert room.composer.text == "ann: ask anton zzz"
        assert room.composer.has_focus
        await pilot.press("ctrl+j", "a", "tab")
        assert room.composer.text.endswith("zzz\nann ")
        assert asked == ["a", "ann: ask ant", "ann: ask anton zzz", "\na"]
        await pilot.press("home", "tab", "tab")
        assert room.composer.text.endswith("zzz\nanton ann ")


async def test_a_completion_before_a_blank_does_not_double_it():
    async with message_view(complete=lambda before: Completion(len(before), ["ann "])) as (room, pilot):
        await pilot.press("a", "space", "x", "home", "right", "tab")
        assert room.composer.text == "ann x"


async def test_the_final_newline_of_a_paste_is_not_sent():
    async with message_view() as (room, pilot):
        paste(room, "one\ntwo\n")
        await pilot.pause()
        await pilot.press("enter")
        assert room.submitted == ["one\ntwo"]


async def test_tab_without_a_match_does_nothing():
    async with message_view() as (room, pilot):
        await pilot.press("a", "tab", "b")
        assert room.composer.text == "ab"
        assert room.composer.has_focus


async def test_scroll_keys_do_not_change_the_input():
    async with message_view(LineBuffer(stored_line(n, "text") for n in range(100))) as (room, pilot):
        await write(room, pilot, "draft")
        for key in ("pageup", "pagedown", "shift+up", "shift+down", "ctrl+home", "ctrl+end"):
            await pilot.press(key)
            assert room.composer.text == "draft", key
            assert room.composer.selection.is_empty, key
            assert room.composer.cursor_location == (0, 5), key


async def test_new_messages_do_not_change_the_draft():
    source = LineBuffer()

    async with message_view(source) as (room, pilot):
        await write(room, pilot, "a drft", "left", "left")
        for number in range(1, 200):
            source.lines.append(stored_line(number, f"text {number}"))
            room.messages.source_changed()
            await asyncio.sleep(0)
        await pilot.press("a")
        await pause_until(pilot, lambda: "text 199" in room.screen_rows[-2])
        assert room.composer.text == "a draft"
        assert room.screen_rows[-1].startswith("a draft")
        assert room.composer.cursor_location == (0, 5)


async def test_common_editing_keys():
    async with message_view() as (room, pilot):
        await write(room, pilot, "one two three", "ctrl+w")
        assert room.composer.text == "one two "
        await pilot.press("home", "delete", "end", "backspace", "ctrl+a", "X", "ctrl+e", "Y")
        assert room.composer.text == "Xne twoY"
        await pilot.press("ctrl+u")
        assert room.composer.text == ""
        await pilot.press("ctrl+z")
        assert room.composer.text == "Xne twoY"
