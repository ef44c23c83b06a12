"""The full-screen `join` without a server, and after rejected input."""

import signal

from chatctl.errors import LogChanged, TimedOut, Unavailable
from tests.support.cli import run
from tests.support.tui import joined_app


async def test_texts_sent_without_a_server_are_stored_once(start_server):
    server = start_server()
    async with joined_app(server.address, "lobby") as ann:
        await ann.send_text("before")
        await ann.until_stored("before")
        server.kill()
        await ann.until_shown("reconnecting: ")
        await ann.send_text("meanwhile")
        await ann.send_text("and more")
        await ann.insert_text("half a te")
        assert ann.states[1:] == [("meanwhile", "pending"), ("and more", "pending")]
        assert ann.session.pending_count == 2
        start_server(store=server.store, listen=server.address)
        await ann.until_stored("before", "meanwhile", "and more")
        await ann.until_shown("connected")
        assert (ann.input_text, ann.session.pending_count) == ("half a te", 0)
    history = run("history", "--output", "text", server=server.address)
    assert history.lines == ["before", "meanwhile", "and more"]


async def test_no_message_is_missed_during_a_restart(start_server):
    server = start_server()
    async with joined_app(server.address, "lobby") as ann:
        server.kill()
        await ann.until_shown("reconnecting: ")
        start_server(store=server.store, listen=server.address)
        assert run("send", piped="one\ntwo\n", server=server.address).code == 0
        await ann.until_stored("one", "two")
        assert ann.session.last_error is None


async def test_invalid_commands_stay_in_the_input_with_a_hint(address, room):
    async with joined_app(address, room) as ann:
        for typed, told in [
            (f"/join {'x' * 200}", "longer than 128 bytes"),
            ("/join " + " ".join(map(str, range(200))), "more than 100 rooms"),
            ("/leave nowhere", "you are not in the room nowhere"),
            ("/nonsense", "unknown command /nonsense"),
            ("/search", "missing argument"),
        ]:
            await ann.send_text(typed)
            await ann.until_shown(told)
            assert ann.input_text == typed
            ann.chat_screen.composer.load_text("")
        assert (list(ann.session.rooms), ann.texts) == ([room], [])
        await ann.send_text("//nonsense")
        await ann.until_stored("/nonsense")
        assert "unknown command" not in ann.screen_text


async def test_a_text_over_the_limit_stays_in_the_input(start_server):
    async with joined_app(start_server("--text-bytes", "10").address, "lobby") as ann:
        await ann.send_text("eleven byte")
        await ann.until_shown("11 bytes, the limit is 10")
        assert (ann.input_text, ann.texts) == ("eleven byte", [])
        await ann.press("backspace", "enter")
        await ann.until_stored("eleven byt")


async def test_a_text_that_the_server_rejects_stays_with_the_reason(start_server):
    server = start_server()
    async with joined_app(server.address, "lobby") as ann:
        server.kill()
        await ann.until_shown("reconnecting: ")
        await ann.send_text("longer than that")
        start_server("--text-bytes", "10", store=server.store, listen=server.address)
        await ann.until(lambda: ann.states == [("longer than that", "rejected")])
        await ann.until_shown("not stored: the text has 16 bytes")
        assert ann.session.pending_count == 0


async def test_quit_waits_for_receipts(address, room):
    async with joined_app(address, room) as ann:
        await ann.send_text("last words")
        await ann.send_text("/quit")
        await ann.until(lambda: ann.app.return_value == 0)
        assert ann.stream.undelivered() == []


async def test_leaving_without_a_server_keeps_texts_without_a_receipt(start_server):
    server = start_server()
    async with joined_app(server.address, "lobby") as ann:
        server.kill()
        await ann.until_shown("reconnecting: ")
        await ann.send_text("lost?")
        await ann.insert_text("a draft")
        await ann.press("ctrl+c")
        await ann.until_shown("1 message has no receipt yet")
        await ann.press("enter", "ctrl+c")
        await ann.until(lambda: ann.app.return_value == 130)
        assert [list(outcome.texts) for outcome in ann.stream.undelivered()] == [["lost?"]]
        assert ann.chat_screen.drafts == {"lobby": "a draft"}


async def test_a_server_with_another_log_ends_it(start_server):
    server = start_server()
    async with joined_app(server.address, "lobby") as ann:
        server.kill()
        start_server(listen=server.address)
        await ann.until(lambda: ann.app.failure)
        assert isinstance(ann.app.failure, LogChanged)
        assert ann.app.failure.code == 9


async def test_it_gives_up_after_the_timeout(start_server):
    server = start_server()
    async with joined_app(server.address, "lobby", timeout=1) as ann:
        server.process.send_signal(signal.SIGKILL)
        await ann.until(lambda: ann.app.failure)
        assert isinstance(ann.app.failure, Unavailable | TimedOut)


async def test_a_search_without_a_server_runs_after_the_reconnect(start_server):
    server = start_server()
    async with joined_app(server.address, "lobby") as ann:
        await ann.send_text("a needle in here")
        await ann.until_stored("a needle in here")
        server.kill()
        await ann.until_shown("reconnecting: no chatctl server answers at")
        await ann.send_text("/search needle")
        await ann.until_shown('search "needle"')
        assert ann.texts == []
        start_server(store=server.store, listen=server.address)
        await ann.until(lambda: ann.texts == ["a needle in here"])


async def test_starting_without_a_server_shows_the_error(start_server):
    server = start_server()
    server.kill()
    async with joined_app(server.address, "lobby", wait_loaded=False) as ann:
        await ann.until_shown("connecting: no chatctl server", "with `chatctl serve`")
        assert "reconnecting" not in ann.screen_text
        await ann.send_text("early")
        start_server(store=server.store, listen=server.address)
        await ann.until(lambda: ("early", "stored") in ann.states)


async def test_typing_replaces_an_invalid_command(address, room):
    async with joined_app(address, room, "other room") as ann:
        await ann.send_text("/nonsense")
        await ann.until_shown("unknown command /nonsense")
        await ann.press(*"hi")
        assert ann.input_text == "hi"
        await ann.until(lambda: "unknown command" not in ann.screen_text)
        await ann.press(*"several", "ctrl+j", *"rows", "ctrl+u")
        assert ann.input_text == ""
        await ann.send_text("/nonsense")
        await ann.press("ctrl+n")
        await ann.until(lambda: "unknown command" not in ann.screen_text)


async def test_the_sidebar_can_be_hidden(address, room):
    async with joined_app(address, room) as ann:
        await ann.until_shown("ann (you)")
        await ann.press("f2")
        await ann.until(lambda: "ann (you)" not in ann.screen_text)
        await ann.press("f2")
        await ann.until_shown("ann (you)")
        assert ann.input_text == ""


async def test_users_who_wrote_and_rooms_of_the_server_are_completed(address, room, say):
    say("hello", room=room, user="carol")
    say("hello", room="zebra crossing", user="dan")
    async with joined_app(address, room) as ann:
        await ann.until(lambda: "hello" in ann.texts and "zebra crossing" in ann.session.server_rooms)
        await ann.insert_text("hey ca")
        await ann.press("tab")
        assert ann.input_text == "hey carol "
        await ann.insert_text("zeb")
        await ann.press("tab")
        assert ann.input_text == "hey carol zebra crossing "
