"""`chatctl history --follow`: real processes that see what others send, line by line, and how they end."""

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cli import Process, Terminal, run, until
from test_client_following_calls import WAITS, page, pretended

rooms = (f"room {number}" for number in itertools.count(1))


class Following(Process):
    """`chatctl history -f` under way."""

    def __init__(self, address, *args, **streams):
        super().__init__("history", "-f", *args, server=address, stdin=subprocess.DEVNULL, **streams)

    @property
    def texts(self):
        """What it printed so far, as --json."""
        return [json.loads(line)["text"] for line in self.out.lines]

    def shows(self, *texts):
        """Wait until it has printed so much, then compare."""
        until(lambda: len(self.out.lines) >= len(texts) or self.popen.poll() is not None)
        assert self.texts == list(texts), self.err.text

    def ends(self, code, err=""):
        """How it ended: with this code, and this or nothing on stderr."""
        done = self.wait()
        assert (done.code, done.err) == (code, err)
        return done


@pytest.fixture
def room():
    return next(rooms)


@pytest.fixture
def follow(address):
    started = []

    def follow(*args, **streams):
        started.append(Following(address, *args, **streams))
        return started[-1]

    yield follow
    for process in started:
        process.popen.kill()
        process.popen.wait()


@pytest.fixture
def say(address):
    def say(*texts, room, user="ann"):
        lines = "".join(f"{text}\n" for text in texts)
        assert run("send", "--room", room, "--user", user, piped=lines, server=address).code == 0

    return say


def test_every_filter_holds_for_what_comes_as_for_what_is_stored(follow, say, room):
    other = next(rooms)
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


def test_where_it_starts_is_said_by_last_and_after(follow, say, address, room):
    say("one", "two", "three", room=room)
    cursor = run("history", "--json", "--room", room, server=address).objects[1]["cursor"]
    last = follow("--json", "--room", room, "--last", "2")
    last.shows("two", "three")
    after = follow("--json", "--room", room, "--after", cursor)
    after.shows("three")
    now = follow("--json", "--room", room, "-n", "0", "--wait", "20s")
    # Nothing tells when it has begun, so it is told until it hears.
    until(lambda: say("now", room=room) or now.out.lines)
    heard = now.signal(signal.SIGINT).wait()
    assert {message["text"] for message in heard.objects} == {"now"}
    said = len(run("history", "--json", "--room", room, "--after", cursor, server=address).objects) - 1
    last.shows("two", "three", *["now"] * said)
    after.shows("three", *["now"] * said)


@pytest.mark.parametrize("form", ["table", "json", "text"])
def test_lines_come_as_they_are_sent_into_a_pipe_and_to_a_terminal(follow, say, room, form):
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
def test_a_restart_of_the_server_is_a_notice_and_no_more(start_server, end):
    server = start_server()
    address = server.address

    def say(*texts):
        assert run("send", "--sender", texts[0], piped="".join(f"{text}\n" for text in texts), server=address).code == 0

    say("one", "two")
    process, counted = Following(address, "-o", "text"), Following(address, "-o", "text", "--count", "4", "--json")
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
    assert (counted.code, counted.err) == (0, "")
    assert [message["text"] for message in counted.objects] == ["one", "two", "three", "four"]


def test_a_server_that_stays_away_is_given_up_and_one_that_comes_late_is_not(start_server):
    server = start_server()
    followed = [Following(server.address, "--timeout", "0.5s", *form) for form in ((), ("--json",))]
    run("send", "one", server=server.address)
    until(lambda: all(process.out.lines for process in followed))
    server.kill()
    person, program = (process.wait() for process in followed)
    assert person.code == program.code == 78
    assert re.search(r"gave up after 0.5 s, wait longer with --timeout\n$", person.err)
    (said,) = program.said
    assert (said["reason"], said["exit_code"]) == ("UNAVAILABLE", 78)
    early = Following(server.address, "-o", "text", "--last", "1", "--timeout", "30s")
    until(lambda: "chatctl serve" in early.err.text or early.popen.poll() is not None)
    assert early.popen.poll() is None
    start_server(listen=server.address, store=server.store)
    until(lambda: early.out.lines)
    assert early.out.lines == ["one"]
    assert early.signal(signal.SIGTERM).wait().code == 143


def test_count_ends_it_with_what_was_stored_and_with_what_comes(follow, say, room):
    say("one", "two", "three", room=room)
    stored, coming = (follow("--json", "--room", room, "--count", count) for count in ("2", "5"))
    assert [message["text"] for message in stored.ends(0).objects] == ["one", "two"]
    coming.shows("one", "two", "three")
    say("four", "five", "six", room=room)
    assert [message["text"] for message in coming.ends(0).objects] == ["one", "two", "three", "four", "five"]


def test_wait_ends_it_when_nothing_that_matches_has_come_for_so_long(follow, say, address, room):
    say("one", room=room)
    done = run("history", "--room", room, "--wait", "0.3s", "-o", "text", server=address)
    assert (done.code, done.out) == (3, "one\n")
    assert done.err == "chatctl: nothing came for 0.3 s (--wait)\n"
    done = run("history", "--json", "--room", "empty", "--wait", "0.3s", server=address)
    assert (done.code, done.out) == (3, "")
    assert [(said["reason"], said["exit_code"]) for said in done.said] == [("SILENCE", 3)]
    # What does not match does not count.
    rare = follow("--json", "--room", room, "--grep", "one", "--wait", "1s")
    until(lambda: say("other", room=room) or rare.popen.poll() is not None)
    rare.shows("one")
    assert rare.wait().code == 3
    deploy = follow("-o", "text", "--room", room, "--last", "0", "--grep", "deployed", "--count", "1", "--wait", "30s")
    until(lambda: say("deployed", room=room) or deploy.popen.poll() is not None)
    deploy.ends(0)
    assert deploy.out.text == "deployed\n"


def test_news_of_what_does_not_match_are_silence_to_wait():
    async def steps():
        progress = [part for n in range(1, 400) for part in (page(position=n, live=True), 0.1)]
        async with pretended((page(1), *progress, WAITS)) as (address, _):
            return await asyncio.to_thread(run, "history", "-o", "text", "--wait", "1s", server=address)

    done = asyncio.run(steps())
    assert (done.code, done.out) == (3, "1\n")


def test_until_ends_it_when_its_time_has_passed(follow, say, room):
    say("one", room=room)
    past = follow("--json", "--room", room, "--until", "0s")
    past.ends(0)
    coming = follow("--json", "--room", room, "--until", "+2s")
    coming.shows("one")
    say("two", room=room)
    until(lambda: say("more", room=room) or coming.popen.poll() is not None)
    texts = [message["text"] for message in coming.ends(0).objects]
    assert texts[:2] == ["one", "two"]
    assert set(texts[2:]) <= {"more"}


@pytest.mark.parametrize(("reader", "shown"), [("head -n 1", "one"), ("grep -m1 tw", "two"), ("head -c 1", "o")])
def test_a_reader_that_has_seen_enough_ends_it_although_nothing_more_comes(address, say, room, reader, shown):
    say("one", "two", room=room)
    reading, writing = os.pipe()
    process = Following(address, "-o", "text", "--room", room, stdout=writing)
    os.close(writing)
    seen = subprocess.run(["/bin/sh", "-c", reader], stdin=reading, capture_output=True, text=True, timeout=30)
    os.close(reading)
    assert seen.stdout.strip() == shown
    done = process.wait()
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("form", ["table", "json"])
def test_a_signal_ends_it_at_once_with_its_code(follow, say, room, number, form):
    say("one", room=room)
    process = follow("-o", form, "--room", room)
    until(lambda: process.out.lines)
    done = process.signal(number).ends(128 + number)
    assert "one" in done.out


def test_a_full_stdout_is_waited_for_without_a_timeout_and_a_second_signal_ends_that(address, say, room):
    lines = [f"line {n} {'.' * 60}" for n in range(3000)]
    say(*lines, room=room)
    reading, writing = os.pipe()
    stalled = [Following(address, "-o", "text", "--room", room, "--timeout", "0.5s", stdout=writing) for _ in "ab"]
    patient = Following(address, "-o", "text", "--room", room, "--timeout", "0.5s", stdout=subprocess.PIPE)
    seen = Following(address, "-o", "text", "--room", room, "--wait", "2s").wait()
    assert (seen.code, seen.lines) == (3, lines)  # so much time has passed, four times the timeout
    for process in (*stalled, patient):
        assert process.popen.poll() is None
        assert process.err.text == ""
    for process in stalled:
        process.signal(signal.SIGINT)
        process.signal(signal.SIGTERM)
        until(lambda process=process: process.signal(signal.SIGINT) and process.popen.poll() is not None)
        assert process.popen.returncode in (130, 143)
    os.close(reading)
    os.close(writing)
    got = b""
    while got.count(b"\n") < 3000:
        got += patient.popen.stdout.read(1 << 16)
    assert got.decode().splitlines() == lines
    patient.popen.stdout.close()
    assert patient.wait().code == 0


def test_what_cannot_be_together_is_told(address):
    for arguments, words in (
        (("--last", "1", "--after", "x:1"), ("--last", "--after")),
        (("--wait", "soon"), ("--wait", "soon")),
        (("--count", "0"), ("--count", "0")),
    ):
        done = run("history", "-f", "--json", *arguments, server=address)
        assert (done.code, done.out) == (2, "")
        assert all(word in done.said[0]["error"] for word in words)
    done = run("history", "-f", "--json", "--after", "000000000000:1", server=address)
    assert (done.code, done.said[0]["reason"]) == (73, "CURSOR_OTHER_LOG")
