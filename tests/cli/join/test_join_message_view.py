"""The message view: what it draws, and how it scrolls."""

import asyncio
import re
import time

import pytest
from rich.cells import cell_len
from textual import events

from chatctl.cli.join.line import Line
from tests.support.tui import LineBuffer, MessageViewApp, message_view, pause_until, stored_line

HOSTILE = [
    "\x1b[31mred\x1b[2J\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "[bold red]bold[/] [@click=app.quit]quit[/] [link=http://evil.example]link[/]",
    "\u202egnp.exe \u2066turned\u2069 \u200bzero\u200d width\ufeff NUL\x00 DEL\x7f CSI\x9b31m",
    "Z" + "\u0336\u0321\u035a" * 200 + " piled up",
    "\u0301begins with a mark",
    "👨‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️ 1️⃣ 漢字",
    "\u2028line\u2029separators\x85",
    "x" * 5000,
]


def clock(line):
    return time.strftime("%H:%M", time.localtime(line.time // 1_000_000))


def numbered(first, last):
    return [stored_line(n, f"text {n}", user=f"user{n % 3}") for n in range(first, last + 1)]


def texts(room):
    return [row.split("text ")[-1] for row in room.rows if "text " in row]


async def test_a_conversation():
    lines = [
        stored_line(1, "hello"),
        stored_line(2, "and more words than fit in one row of so few columns"),
        stored_line(3, "one\n  two", user="bob"),
        stored_line(4, "later", user="bob", minute=1),
        Line((4, 1), stored_line(4, "", minute=1).time, "", "carol has joined", "notice"),
        stored_line(5, "much later", user="bob", minute=8),
        Line((2**62, 1), stored_line(5, "", minute=8).time, "ann", "on its way", "pending"),
        Line((2**62, 2), stored_line(5, "", minute=8).time, "ann", "too long", "rejected"),
    ]
    at = [clock(one) for one in lines]

    async with message_view(LineBuffer(lines), size=(50, 13)) as (room, _pilot):
        assert room.rows[0] == ""
        assert room.rows[1].startswith("── ")
        assert room.rows[1].endswith("─")
        assert room.rows[2:] == [
            f" {at[0]}    ann  hello",
            "               and more words than fit in one",
            "               row of so few columns",
            f" {at[2]}    bob  one",
            "                 two",
            f" {at[3]}         later",
            f" {at[4]}      ·  carol has joined",
            f" {at[5]}    bob  much later",
            "     …    ann  on its way",
            "     ✗         too long",
        ]


async def test_a_date_precedes_the_first_message_of_a_day():
    source = LineBuffer(
        [
            stored_line(1, "a"),
            stored_line(2, "b", minute=1),
            stored_line(3, "c", minute=1440),
            stored_line(4, "d", minute=2880),
        ]
    )

    async with message_view(source) as (room, _pilot):
        shown = [row.split()[1:5] if row.startswith("── ") else row[-1] for row in room.rows if row]
        days = [time.strftime(f"%A, {moment.tm_mday} %B %Y", moment).split()
                for moment in (time.localtime(source.lines[n].time // 1_000_000) for n in (0, 2, 3))]  # fmt: skip
        assert shown == [days[0], "a", "b", days[1], "c", days[2], "d"]


async def test_text_is_aligned_and_two_columns_stay_empty():
    words = "several words and 漢字かな交じり文 and 👍🏽👨‍👩‍👧‍👦 and https://example.org/" + "path/" * 30
    source = LineBuffer(
        [stored_line(1, words, user="a-user-with-a-long-name"), stored_line(2, words, user="bob", mention=True)]
    )

    async with message_view(source) as (room, pilot):
        for width in (20, 31, 32, 40, 60, 80, 120, 200):
            await pilot.resize_terminal(width, 60)
            await pilot.pause()
            assert room.messages.size.width == width - 2
            assert all(strip.cell_length == width - 2 >= cell_len(strip.text.rstrip()) for strip in room.strips)
            first = next(number for number, row in enumerate(room.rows) if "bob" in row)
            begin = room.rows[first].index("bob") + 5
            assert len(room.rows) > first + 1
            for row in room.rows[first + 1 :]:
                assert row[:begin] == "▌" + " " * (begin - 1), width
                assert row[begin] != " ", width


@pytest.mark.parametrize("width", [20, 80, 200])
async def test_hostile_text_is_shown_and_never_interpreted(width):
    source = LineBuffer([stored_line(n, text, user=text[:40] if n % 2 else "eve") for n, text in enumerate(HOSTILE, 1)])

    async with message_view(source, size=(width, 100)) as (room, pilot):
        seen = ""
        while True:
            for strip in room.strips:
                assert strip.cell_length == width - 2
                assert not set(strip.text) & {*map(chr, range(32)), "\x7f", "\x85", "\x9b", "\u202e", "\u2066", "\u2028"}
                assert not any(style and (style.link or style.meta) for _, style, _ in strip)
            seen = "\n".join(room.rows) + "\n" + seen
            before = source.anchor
            await pilot.press("pageup")
            if source.anchor == before:
                break
        if width == 200:
            assert r"\x1b[31mred\x1b[2J\x1b]0;title\x07" in seen
            assert HOSTILE[2] in seen
            assert r"\u202egnp.exe" in seen


async def test_blanks_reach_the_edge_even_if_the_terminal_draws_characters_narrower():
    async with message_view(LineBuffer([stored_line(1, "❤️ " * 10 + "👨‍👩‍👧‍👦" * 5 + "漢字")])) as (room, _pilot):
        drawn = room.screen_strips[room.messages.size.height - 1]
        narrow = drawn.text.replace("\ufe0f", "").replace("\u200d", "")
        assert len(narrow) >= 80  # one column for each
        assert drawn.cell_length == 80
        assert room.rows[-1].endswith("漢字")


async def test_a_text_of_64_kib_is_scrolled_through():
    source = LineBuffer(
        [stored_line(1, "before"), stored_line(2, "begin" + "x" * 65_520 + "the end"), stored_line(3, "after")]
    )

    async with message_view(source, size=(60, 20)) as (room, pilot):
        assert room.rows[-2].endswith("the end")
        await pilot.press("shift+up", "pageup")
        assert set(room.rows[-1].split()[-1]) == {"x"}
        assert "ann" in room.rows[0]  # the first row names the user
        await pilot.press("ctrl+home")
        assert room.rows[2].split()[-1].startswith("begin")
        await pilot.press("ctrl+end")
        assert room.rows[-1].endswith("after")


async def test_mentions_and_matches_are_highlighted():
    source = LineBuffer(
        [stored_line(1, "nothing"), stored_line(2, "a needle and a NEEDLE and ne" + "e" * 40 + "dle", mention=True)]
    )

    async with message_view(source, needle="Needle", size=(60, 12)) as (room, _pilot):
        plain, marked = room.strips[-3], room.strips[-2]
        assert marked.text[0] == "▌"
        assert plain.text[0] == " "
        assert {style.bgcolor for _, style, _ in plain} != {style.bgcolor for _, style, _ in marked}
        found = [text for text, style, _ in marked if style.bgcolor.triplet.normalized[0] > 0.9]
        assert found == ["needle", "NEEDLE"]


async def test_a_match_is_highlighted_across_rows():
    source = LineBuffer([stored_line(1, "x" * 23 + "needle")])

    async with message_view(source, needle="needle", size=(41, 6)) as (room, _pilot):
        found = [
            [text for text, style, _ in strip if style.bgcolor.triplet.normalized[0] > 0.9] for strip in room.strips[-2:]
        ]
        assert found == [["nee"], ["dle"]]


async def test_a_user_has_a_colour_in_each_theme():
    async with message_view(LineBuffer([stored_line(1, "hello")])) as (room, pilot):

        def colour():
            return next(style.color for text, style, _ in room.strips[-1] if "ann" in text)

        room.theme = "textual-dark"
        await pilot.pause()
        dark = colour()
        room.theme = "textual-light"
        await pilot.pause()
        assert colour() != dark


async def test_five_users_have_five_colours():
    users = ["ann", "bob", "cara", "dan", "佐藤"]
    async with message_view(LineBuffer([stored_line(n, "hello", user=user) for n, user in enumerate(users, 1)])) as (
        room,
        _,
    ):
        colours = [
            next(style.color for text, style, _ in strip if user in text)
            for strip, user in zip(room.strips[-len(users) :], users, strict=True)
        ]
        assert len(set(colours)) == len(users)


async def test_keys_and_wheel_scroll():
    source = LineBuffer(numbered(1, 100))

    async with message_view(source) as (room, pilot):
        height = room.messages.size.height
        everything = [str(n) for n in range(1, 101)]
        assert texts(room) == everything[-height:]
        await pilot.press("pageup")
        assert texts(room) == everything[-2 * height + 2 : -height + 2]
        assert (room.messages.at_end, room.messages.lines_below) == (False, height - 2)
        await pilot.press("shift+up")
        assert texts(room) == everything[-2 * height + 1 : -height + 1]
        await pilot.press("shift+down", "shift+down")
        assert texts(room) == everything[-2 * height + 3 : -height + 3]
        room.messages.post_message(events.MouseScrollUp(room.messages, 1, 1, 0, 0, 0, False, False, False))
        await pilot.pause()
        assert texts(room) == everything[-2 * height : -height]
        room.messages.post_message(events.MouseScrollDown(room.messages, 1, 1, 0, 0, 0, False, False, False))
        await pilot.press("pagedown", "pagedown")
        assert room.messages.at_end
        await pilot.press("ctrl+home")
        assert texts(room) == everything[: height - 1]  # and the date
        assert room.messages.lines_below == 100 - height + 1
        await pilot.press("pageup", "shift+up")
        assert texts(room) == everything[: height - 1]
        await pilot.press("ctrl+end")
        assert texts(room) == everything[-height:]
        assert room.positions[-1] == (True, 0)
        assert (False, 100 - height + 1) in room.positions


async def test_new_lines_are_followed_at_the_end_and_move_nothing_elsewhere():
    source = LineBuffer(numbered(100, 160))

    async with message_view(source) as (room, pilot):

        async def has(newer):
            room.messages.source_changed()
            await pause_until(
                pilot,
                lambda: (len(room.positions) and room.positions[-1][1] == newer) or (newer == 0 and room.messages.at_end),
            )
            await pilot.pause(0.05)

        source.lines += numbered(161, 170)
        room.messages.source_changed()
        await pause_until(pilot, lambda: texts(room)[-1] == "170")
        await pilot.press("pageup", "pageup")
        screen, newer = texts(room), room.messages.lines_below
        source.lines += numbered(171, 400)
        room.messages.source_changed()
        await pause_until(pilot, lambda: room.positions[-1:] == [(False, newer + 230)])
        assert texts(room) == screen
        source.lines[:0] = numbered(1, 99)
        del source.lines[20:40]
        room.messages.source_changed()
        await pilot.press("shift+up", "shift+down")
        assert texts(room) == screen
        del source.lines[: source.lines.index(next(one for one in source.lines if one.text == f"text {screen[-1]}")) + 5]
        room.messages.source_changed()
        await pause_until(pilot, lambda: texts(room)[0] == str(int(screen[-1]) + 5))
        await pilot.press("ctrl+end")
        assert texts(room)[-1] == "400"


async def test_older_lines_are_requested_near_the_oldest():
    async with message_view(LineBuffer(numbered(1, 100))) as (room, pilot):
        await pilot.press("pageup", "pagedown")
        assert room.older_requests == 0
        await pilot.press("ctrl+home")
        assert room.older_requests == 1
        await pilot.press("shift+down")
        assert room.older_requests == 1
        await pilot.press("shift+up")
        assert room.older_requests == 2


async def test_a_resize_keeps_the_bottom_line():
    source = LineBuffer([stored_line(n, f"text {n} " + "words " * 30, user=f"user{n % 3}") for n in range(1, 60)])

    async with message_view(source) as (room, pilot):
        await pilot.press("pageup", "pageup", "pageup")
        key = source.anchor[0]
        for size in ((40, 10), (200, 60), (20, 6), (80, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert len(room.rows) == room.messages.size.height > 0
            assert source.anchor[0] == key or size[0] == 200
            key = source.anchor[0]


async def test_each_source_keeps_its_scroll_position():
    first, second = LineBuffer(numbered(1, 100)), LineBuffer(numbered(500, 600))

    async with message_view(first) as (room, pilot):
        await pilot.press("pageup")
        screen = texts(room)
        room.messages.set_source(second)
        await pilot.pause()
        assert texts(room)[-1] == "600"
        room.messages.set_source(first)
        await pilot.pause()
        assert texts(room) == screen
        room.messages.set_source(LineBuffer())
        await pilot.press("pageup", "ctrl+home", "ctrl+end")
        assert set(room.rows) == {""}
        assert room.messages.lines_below == 0


async def test_many_changes_cost_one_drawing():
    source, drawn = LineBuffer(numbered(1, 50)), []

    class Counted(list):
        def __getitem__(self, index):
            drawn.append(index)
            return super().__getitem__(index)

    source.lines = Counted(source.lines)

    async with message_view(source) as (room, pilot):
        drawn.clear()
        room.messages.set_source(source)
        await pause_until(pilot, lambda: drawn)
        await pilot.pause()
        once = len(drawn)
        drawn.clear()
        for number in range(1000):
            source.lines.append(stored_line(1000 + number, f"text {1000 + number}"))
            room.messages.source_changed()
        await pause_until(pilot, lambda: "1999" in room.screen_rows[-2])
        assert len(drawn) < 3 * once


async def test_typed_text_is_shown_during_a_flood():
    source = LineBuffer(numbered(1, 10))

    async with message_view(source) as (room, pilot):

        async def flood():
            number = 10
            while True:
                for _ in range(20):
                    number += 1
                    source.lines.append(
                        stored_line(number, f"text {number} " + "and some words " * 5, user=f"user{number % 3}")
                    )
                room.messages.source_changed()
                await asyncio.sleep(0.02)

        task = asyncio.create_task(flood())
        try:
            for count in range(1, 11):
                await pilot.press("x")
                await pause_until(pilot, lambda shown="x" * count: room.screen_rows[-1].startswith(shown))
            seen = re.compile(r"text ([5-9]\d\d|\d{4,}) ")
            await pause_until(pilot, lambda: any(map(seen.search, room.screen_rows)))
            assert room.composer.text == "x" * 10
        finally:
            task.cancel()


def test_a_view_without_a_source_is_at_the_end():
    room = MessageViewApp()
    assert room.messages.at_end
    assert room.messages.lines_below == 0


async def test_the_first_row_of_a_message_taller_than_the_screen_can_be_reached():
    tall = "\n".join(f"row {number}" for number in range(30))
    async with message_view(LineBuffer([stored_line(1, tall), stored_line(2, "last")])) as (room, pilot):
        await pilot.press("ctrl+home")
        assert room.rows[1].endswith("ann  row 0")
