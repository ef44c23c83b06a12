"""The full-screen `join` on a real server: every key and command."""

import asyncio
from subprocess import DEVNULL

import pytest

from chatctl.cli.join import scrollback
from tests.support.cli import Process, run
from tests.support.tui import joined_app

HOSTILE = ["\x1b[31mred\x1b]0;t\x07", "\u202eevil\u2066", "[bold]b[/] [@click=app.quit]x[/]", "a\x00b\r\u2028c"]


def rows(who):
    """Return the lines with messages on a screen, without the sidebar."""
    return [line[20:] for line in who.screen_text.splitlines()[1:-2]]


async def test_two_people_talk(address, room):
    async with joined_app(address, room) as ann, joined_app(address, room, user="bob") as bob:
        await ann.press(*"hi bob", "enter")
        await bob.until_stored("hi bob")
        await bob.send_text("hello ann")
        await ann.until_stored("hi bob", "hello ann")
        await ann.until_shown("hi bob", "hello ann", "2 here", "bob", "ann at", "connected", " ms", "F1 help")
        assert ann.input_text == bob.input_text == ""


async def test_older_messages_load_when_scrolling_up(address, room, send):
    send(*map(str, range(1000)))
    async with joined_app(address, room) as ann:
        await ann.until_shown(" 999", " 990")
        assert len(ann.texts) == 200
        await ann.press("pageup", "pageup")
        await ann.until(lambda: not ann.chat_screen.message_view.at_end)
        await ann.until_shown("newer below")
        shown = rows(ann)
        while not ann.chat_screen.current_room.at_start:
            await ann.press("ctrl+home", "pageup")
            await ann.until(lambda: not ann.chat_screen.current_room.loading)
        await ann.press("ctrl+home")
        await ann.until_shown(" 0\n")
        assert ann.texts == [str(number) for number in range(1000)]
        await ann.press("ctrl+end", "pageup", "pageup")
        await ann.until(lambda: rows(ann) == shown)
        await ann.press("shift+down")
        await ann.until(lambda: rows(ann) != shown)
        await ann.press("shift+up", "pagedown", "pagedown")
        await ann.until(lambda: ann.chat_screen.message_view.at_end)


async def test_new_messages_do_not_move_a_screen_that_is_scrolled_up(address, room, send):
    send(*(f"old {number}" for number in range(100)))
    async with joined_app(address, room) as ann, joined_app(address, room, user="bob") as bob:
        await ann.press("pageup")
        await ann.until(lambda: not ann.chat_screen.message_view.at_end)
        shown = rows(ann)
        newer = ann.chat_screen.message_view.lines_below
        await bob.send_text("new")
        await ann.until(lambda: "new" in ann.texts)
        await ann.until_shown(f"{newer + 1} newer below")
        assert rows(ann) == shown
        await ann.press("ctrl+end")
        await ann.until_shown("new")


async def test_it_says_so_if_new_messages_push_out_those_that_are_read(address, room, send, monkeypatch):
    monkeypatch.setattr(scrollback, "MAX_LINES_SCROLLED", 400)
    send(*(f"old {number}" for number in range(100)))
    async with joined_app(address, room) as ann:
        await ann.press("pageup")
        await ann.until_shown("newer below")
        await asyncio.to_thread(send, *(f"more {number}" for number in range(300)))
        await ann.until(lambda: "more 299" in ann.texts)
        assert "too many new messages" not in ann.screen_text
        await asyncio.to_thread(send, *(f"new {number}" for number in range(400)))
        await ann.until_shown("too many new messages", "newer below")
        await ann.press("ctrl+end", "a")
        await ann.until_shown("new 399")
        assert "too many new messages" not in ann.screen_text


async def test_keys_typed_fast_are_handled_in_order(address, room):
    other = f"x {room}"
    async with joined_app(address, room, other) as ann:
        keys = [*"onw", "backspace", "e", "enter", *"two", "enter", "ctrl+n", *"three", "enter", "ctrl+p", *"rest", "ctrl+n"]
        await ann.press(*keys)
        await ann.until(lambda: ann.session.pending_count == 0 and ann.texts)
        assert [line.text for line in ann.session.rooms[room].lines] == ["one", "two"]
        assert (ann.chat_screen.current_room.name, ann.texts, ann.chat_screen.drafts) == (other, ["three"], {room: "rest"})


async def test_the_input_keeps_the_focus_after_clicks(address, room):
    async with joined_app(address, room) as ann:
        for where in ("MessageView", "Sidebar", "#status", "#header"):
            await ann.pilot.click(where)
            await ann.press("x")
        assert ann.input_text == "xxxx"


async def test_rooms_are_switched_by_keys_and_clicks(address, room):
    rooms = [f"{name} {room}" for name in ("one", "two", "three")]
    async with joined_app(address, *rooms) as ann:
        ways = {"ctrl+n": 1, "alt+down": 2, "alt+1": 0, "ctrl+p": 2, "alt+up": 1, "alt+3": 2, "alt+9": 2}
        for key, at in ways.items():
            await ann.press(key)
            assert ann.chat_screen.current_room.name == rooms[at], key
        await ann.pilot.click("Sidebar", offset=(3, 1))
        assert ann.chat_screen.current_room.name == rooms[1]
        await ann.until_shown("two room of")


async def test_unread_messages_are_counted_and_mentions_marked(address, room):
    bells = []
    other = f"x {room}"
    async with joined_app(address, room, other) as ann, joined_app(address, other, room, user="bob") as bob:
        ann.app.bell = lambda: bells.append(1)
        await bob.send_text("one")
        await bob.send_text("two")
        await ann.until(lambda: ann.session.rooms[other].unread == 2)
        await ann.until_shown("2 unread (Alt+A)")
        assert bells == []
        await bob.send_text("ANN, look")
        await ann.until_shown(" @3")
        assert bells == [1]
        await ann.press("alt+a")
        assert ann.chat_screen.current_room.name == other
        await ann.until_shown("new messages", "ANN, look")
        assert ann.session.rooms[other].unread == 0
        await bob.send_text("and you are here, ann")
        await ann.until(lambda: ann.texts[-1] == "and you are here, ann")
        assert (ann.session.rooms[other].unread, bells) == (0, [1])
        await ann.press("ctrl+n")
        assert "new messages" not in [line.text for line in ann.session.rooms[other].lines]


async def test_messages_are_unread_while_the_terminal_has_no_focus(address, room):
    async with joined_app(address, room) as ann, joined_app(address, room, user="bob") as bob:
        ann.app.app_focus = False
        await bob.send_text("are you there?")
        await ann.until(lambda: ann.chat_screen.current_room.unread == 1)
        ann.app.app_focus = True
        await ann.until(lambda: ann.chat_screen.current_room.unread == 0)
        await ann.until_shown("new messages")
        assert ann.texts == ["new messages", "are you there?"]


async def test_each_room_keeps_its_draft(address, room):
    async with joined_app(address, room, f"x {room}") as ann:
        await ann.insert_text("for the first")
        await ann.press("ctrl+n")
        assert ann.input_text == ""
        await ann.insert_text("for the second")
        await ann.press("ctrl+p")
        assert ann.input_text == "for the first"
        assert ann.chat_screen.drafts == {room: "for the first", f"x {room}": "for the second"}
        await ann.press("enter", "up")
        assert ann.input_text == "for the first"
        assert ann.chat_screen.drafts == {f"x {room}": "for the second"}


async def test_rooms_are_joined_and_left(address, room, say):
    say("written before", room="another room", user="cleo")
    async with joined_app(address, room) as ann, joined_app(address, "another room", user="bob") as bob:
        await ann.send_text('/join "another room" "x y"')
        await ann.until(lambda: ann.chat_screen.current_room.name == "another room" and ann.chat_screen.current_room.loaded)
        assert list(ann.session.rooms) == [room, "another room", "x y"]
        await bob.send_text("welcome")
        await ann.until_stored("written before", "welcome")
        await ann.send_text("thanks")
        await bob.until_stored("written before", "welcome", "thanks")
        await ann.send_text("/leave x y")
        await ann.until_shown("quote a name that has spaces")
        assert ann.input_text == "/leave x y"
        await ann.press("backspace")  # a rejected command is selected
        await ann.send_text('/leave "x y"')
        await ann.send_text("/leave")
        assert list(ann.session.rooms) == [ann.chat_screen.current_room.name] == [room]
        await bob.until_shown("1 here")
        await ann.send_text("/leave")
        await ann.until_shown("cannot leave the only room")
        assert ann.input_text == "/leave"


async def test_users_are_shown(address, room):
    async with joined_app(address, room, "quiet room", size=(120, 24)) as ann:
        async with joined_app(address, room, user="bob"), joined_app(address, "bar", user="cleo"):
            await ann.until_shown("2 here", "\n bob")
            await ann.send_text("/who")
            await ann.until_shown(f"2 in {room[:20]}", "ann, bob")
            await ann.send_text("/who bar")
            await ann.until_shown("1 in bar: cleo")
        await ann.until_shown("1 here")
        await ann.send_text("/who bar")
        await ann.until_shown("no users in bar")
        assert "bob" not in ann.screen_text.split("no users in bar")[1]
        assert ann.states == []  # no command was sent as text


async def test_the_rooms_of_the_server_are_listed(address, room, say):
    say("one", "two", room="listed")
    async with joined_app(address, room) as ann:
        await ann.send_text("/rooms")
        await ann.until_shown("listed: 2 messages", "no messages, 1 here")
        assert ann.states == []


async def test_a_search_shows_old_and_new_matches(address, room, send):
    send(*(f"Needle {number}" if number % 2 else f"hay {number}" for number in range(900)))
    async with joined_app(address, room) as ann, joined_app(address, room, user="bob") as bob:
        await ann.send_text("/search NEEDLE")
        await ann.until_shown('search "NEEDLE" (Esc closes)', "Needle 899")
        await ann.until(lambda: len(ann.texts) == 200)
        await ann.press("ctrl+home")
        await ann.until(lambda: len(ann.texts) == 400)
        await bob.send_text("hay again")
        await bob.send_text("a new needle")
        await ann.until(lambda: ann.texts[-1] == "a new needle")
        assert all("needle" in text.lower() for text in ann.texts)
        await ann.press("escape")
        await ann.until_shown("hay again")
        await ann.send_text("/search nothing like it")
        await ann.until_shown("no message contains nothing like it")
        await ann.send_text("back to the room")
        await ann.until(lambda: ann.texts[-1] == "back to the room")
        assert "hay again" in ann.texts


async def test_help_shows_every_command(address, room):
    async with joined_app(address, room, size=(100, 50)) as ann:
        for ways in (("f1",), (*"/help", "enter")):
            await ann.press(*ways)
            await ann.until_shown("/join ROOM", "/search TEXT", "/quit", "Alt+A", "Ctrl+D", "//text")
            await ann.press("escape")
            await ann.until(lambda: ann.app.screen is ann.chat_screen)
        assert ann.input_text == ""


async def test_tab_completes_commands_users_and_rooms(address, room):
    async with joined_app(address, room, "builds") as ann, joined_app(address, room, user="barbara") as barbara:
        await barbara.send_text("hi")
        await ann.until_stored("hi")
        for typed, completed in [
            ("/who", "/who "),
            ("bar", "barbara: "),
            ("hey bar", "hey barbara "),
            ("in bui", "in builds "),
        ]:
            await ann.insert_text(typed)
            await ann.press("tab")
            assert ann.input_text == completed
            ann.chat_screen.composer.load_text("")
        await ann.insert_text("b")
        await ann.press("tab", "tab")
        assert ann.input_text == "builds "


async def test_newlines_and_pastes_are_one_message(address, room):
    lines = [f"line {number}" for number in range(1000)]
    async with joined_app(address, room) as ann:
        await ann.press("a", "ctrl+j", "b", "alt+enter", "c", "enter")
        await ann.until_stored("a\nb\nc")
        await ann.insert_text("\n".join(lines))
        assert ann.texts == ["a\nb\nc"]
        await ann.press("enter")
        await ann.until_stored("a\nb\nc", "\n".join(lines))
        await ann.until_shown("line 999")


async def test_the_theme_and_the_size_change_at_any_time(address, room, send):
    send("漢字 and 👩‍👩‍👧‍👦", "x" * 300)
    async with joined_app(address, room) as ann:
        await ann.press("ctrl+t")
        assert ann.app.theme == "chatctl-light"
        await ann.press("ctrl+t")
        assert ann.app.theme == "textual-dark"
        for size in ((40, 10), (59, 24), (200, 60), (20, 5), (80, 24)):
            await ann.pilot.resize_terminal(*size)
            await ann.until(lambda size=size: len(ann.screen_text.splitlines()) == size[1] and "x" in ann.screen_text)
            assert ann.chat_screen.query_one("Sidebar").display == (size[0] >= 60)


@pytest.mark.parametrize("size", [(1, 10), (2, 10), (1, 1)])
async def test_a_screen_too_narrow_for_text_does_not_end_it(address, room, size):
    async with joined_app(address, room, size=size) as ann:
        await ann.press(*"hi 漢字", "enter", *"/nonsense", "enter", *"/who", "enter", "f1")
        await ann.press("f1", "pageup", "ctrl+home", "a")
        await ann.pilot.resize_terminal(80, 24)
        await ann.until_shown("hi 漢字", "1 in ", "connected")


async def test_keys_are_handled_during_a_flood(address, room):
    flood, typing = Process("send", "--room", room, server=address, stdout=DEVNULL), True
    async with joined_app(address, room) as ann:

        async def pour():
            poured = 0
            while typing or poured < 5000:
                flood.write("".join(f"{poured + number}\n" for number in range(500)))
                poured += 500
                await ann.until(lambda poured=poured: f"{poured - 500}" in ann.texts)

        pouring = asyncio.create_task(pour())
        await ann.until(lambda: ann.texts)
        for at, key in enumerate("meanwhile", 1):
            await ann.press(key)
            assert len(ann.input_text) == at
        await ann.press("enter")
        typing = False
        await pouring
        assert flood.close().wait().code == 0
        await ann.until(lambda: ann.session.pending_count == 0)
        assert 1000 < len(ann.texts) < 3000
    assert run("history", "--room", room, "--grep", "meanwhile", "-o", "text", server=address).lines == ["meanwhile"]


async def test_ctrl_d_quits_if_the_input_is_empty(address, room):
    async with joined_app(address, room) as ann:
        await ann.insert_text("ab")
        await ann.press("home", "ctrl+d")
        assert (ann.input_text, ann.app.return_value) == ("b", None)
        await ann.press("ctrl+d", "ctrl+d")
        await ann.until(lambda: ann.app.return_value == 0)
        assert ann.stream.undelivered() == []


async def test_hostile_text_is_shown_and_not_interpreted(address, room):
    name = "[bold]\u202e[/] \u200broom"
    async with joined_app(address, room, name, user="[@click=app.quit]ann[/]\u202e") as ann:
        for text in HOSTILE:
            ann.session.send(ann.chat_screen.current_room, text)
        await ann.until_stored(*HOSTILE)
        await ann.until_shown("\\x1b[31mred", "\\u202eevil", "[bold]b[/] [@click", "a\\x00b\\r\\u2028c", "[bold]\\u202e[/]")
        await ann.press("ctrl+n")
        await ann.send_text("/search \u202e[red]")
        await ann.until_shown('search "\\u202e[red]" (Esc closes)', "\\u200broom")
        assert all(line.isprintable() for line in ann.screen_text.splitlines())


@pytest.mark.parametrize("name", ["[/x]", "[red]ok[/red]"])
async def test_a_name_is_not_markup_in_the_input(address, name):
    async with joined_app(address, name) as ann:
        await ann.until_shown(f"to {name} (F1: help)")
