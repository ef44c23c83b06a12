"""`chatctl history --follow`: real processes, also across restarts of the server."""

import re
import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.cli import FollowProcess, Terminal, run
from tests.support.waiting import until


def test_every_filter_applies_to_new_and_stored_messages(follow, say, room):
    other = f"{room} other"
    say("a stored", "b stored", room=room)
    say("c stored", room=other)
    future = f"{(datetime.now(UTC) + timedelta(hours=1)).isoformat()}"
    by = {
        "room": follow("--json", "--room", room),
        "rooms": follow("--json", "--room", room, "--room", other),
        "user": follow("--json", "--room", room, "--user", "bob"),
        "grep": follow("--json", "--room", room, "--grep", "B S"),
        "since": follow("--json", "--room", room, "--since", "1h"),
        "future": follow("--json", "--room", room, "--since", future),
        "none": follow("--json", "--room", "no such room"),
    }
    by["room"].shows("a stored", "b stored")
    by["rooms"].shows("a stored", "b stored", "c stored")
    say("d stays", room=room, user="bob")
    say("e", room=other, user="bob")
    say("b said", room=room)
    by["room"].shows("a stored", "b stored", "d stays", "b said")
    by["rooms"].shows("a stored", "b stored", "c stored", "d stays", "e", "b said")
    by["user"].shows("d stays")
    by["grep"].shows("b stored", "b said")
    by["since"].shows("a stored", "b stored", "d stays", "b said")
    for name in ("future", "none"):
        by[name].shows()
        assert by[name].popen.poll() is None


def test_last_and_after_set_the_start(follow, say, address, room):
    say("one", "two", "three", room=room)
    cursor = run("history", "--json", "--room", room, server=address).objects[1]["cursor"]
    last = follow("--json", "--room", room, "--last", "2")
    last.shows("two", "three")
    after = follow("--json", "--room", room, "--after", cursor)
    after.shows("three")
    now = follow("--json", "--room", room, "-n", "0", "--wait", "20s")
    # The test cannot see when it has started, so it sends until a message arrives.
    until(lambda: say("now", room=room) or now.out.lines)
    heard = now.signal(signal.SIGINT).wait()
    assert {message["text"] for message in heard.objects} == {"now"}
    said = len(run("history", "--json", "--room", room, "--after", cursor, server=address).objects) - 1
    last.shows("two", "three", *["now"] * said)
    after.shows("three", *["now"] * said)


@pytest.mark.parametrize("form", ["table", "json", "text"])
def test_each_message_is_written_at_once_to_a_pipe_and_a_terminal(follow, say, room, form):
    say("before", room=room)
    terminal = Terminal()
    shown, piped = follow("-o", form, "--room", room, stdout=terminal.descriptor), follow("-o", form, "--room", room)
    first = follow("-o", form, "--room", f"{room} later")
    for text in ("before", "one", "two\x1b[31m", "three"):
        if text != "before":
            say(text, room=room)
        until(lambda text=text: text[:3] in terminal.shown.text)
        until(lambda text=text: text in piped.out.text or (form != "text" and text[:3] in piped.out.text))
    say("at last", room=f"{room} later")
    until(lambda: "at last" in first.out.text)
    assert len(first.out.lines) == (2 if form == "table" else 1)
    for process in (shown, piped, first):
        process.signal(signal.SIGTERM).ends(143)
    on_terminal = terminal.close()
    if form != "json":
        assert "\x1b" not in on_terminal.replace("\x1b[0m", "")
        assert ("\x1b" in piped.out.text) == (form == "text")
    assert len(piped.out.lines) == (5 if form == "table" else 4)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_of_the_server_is_only_a_notice(start_server, end):
    server = start_server()
    address = server.address

    def say(*texts):
        assert run("send", "--sender", texts[0], piped="".join(f"{text}\n" for text in texts), server=address).code == 0

    say("one", "two")
    process, counted = FollowProcess(address, "-o", "text"), FollowProcess(address, "--count", "4", "--json")
    until(lambda: len(process.out.lines) == len(counted.out.lines) == 2)
    getattr(server, end)()
    until(lambda: process.err.lines)
    start_server(listen=address, store=server.store)
    until(lambda: len(process.err.lines) == 2)
    say("three")
    say("four", "five")
    until(lambda: len(process.out.lines) == 5)
    done = process.signal(signal.SIGINT).wait()
    assert (done.code, done.lines) == (130, ["one", "two", "three", "four", "five"])
    broke, back = done.err.splitlines()
    assert re.fullmatch(r"chatctl: .*; trying again for up to 10 s", broke)
    assert back == f"chatctl: {address} answers again"
    counted = counted.wait()
    assert (counted.code, [list(said) for said in counted.stderr_objects]) == (0, [["notice"], ["notice"]])
    assert [message["text"] for message in counted.objects] == ["one", "two", "three", "four"]


def test_it_gives_up_on_a_server_that_stays_away_but_waits_for_a_late_one(start_server):
    server = start_server()
    followed = [FollowProcess(server.address, "--timeout", "0.5s", *form) for form in ((), ("--json",))]
    run("send", "one", server=server.address)
    until(lambda: all(process.out.lines for process in followed))
    server.kill()
    person, program = (process.wait() for process in followed)
    assert person.code == program.code == 78
    assert re.search(r"gave up after 0.5 s: .*wait longer with --timeout\n$", person.err)
    *notices, said = program.stderr_objects
    assert all(list(notice) == ["notice"] for notice in notices)
    assert (said["reason"], said["exit_code"]) == ("UNAVAILABLE", 78)
    early = FollowProcess(server.address, "-o", "text", "--last", "1", "--timeout", "30s")
    until(lambda: "chatctl serve" in early.err.text or early.popen.poll() is not None)
    assert early.popen.poll() is None
    start_server(listen=server.address, store=server.store)
    until(lambda: early.out.lines)
    assert early.out.lines == ["one"]
    assert early.signal(signal.SIGTERM).wait().code == 143


def test_options_that_exclude_each_other_are_a_usage_error(address):
    for arguments, words in (
        (("--last", "1", "--after", "x:1"), ("--last", "--after")),
        (("--wait", "soon"), ("--wait", "soon")),
        (("--count", "0"), ("--count", "0")),
    ):
        done = run("history", "-f", "--json", *arguments, server=address)
        assert (done.code, done.out) == (2, "")
        assert all(word in done.stderr_objects[0]["error"] for word in words)
    done = run("history", "-f", "--json", "--after", "000000000000:1", server=address)
    assert (done.code, done.stderr_objects[0]["reason"]) == (73, "CURSOR_OTHER_LOG")
