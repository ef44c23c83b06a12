"""What ends `chatctl history --follow`: counts, silence, times, readers that go, signals."""

import asyncio
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.cli import FollowProcess, run
from tests.support.fake_servers import WAITS, fake_server, page
from tests.support.waiting import until


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
    assert done.err == "chatctl: no matching message arrived for 0.3 s (--wait)\n"
    done = run("history", "--json", "--room", "empty", "--wait", "0.3s", server=address)
    assert (done.code, done.out) == (3, "")
    assert [(said["reason"], said["exit_code"]) for said in done.stderr_objects] == [("SILENCE", 3)]
    # What does not match does not count.
    rare = follow("--json", "--room", room, "--grep", "one", "--wait", "1s")
    until(lambda: say("other", room=room) or rare.popen.poll() is not None)
    rare.shows("one")
    assert rare.wait().code == 3
    deploy = follow("-o", "text", "--room", room, "--last", "0", "--grep", "deployed", "--count", "1", "--wait", "30s")
    until(lambda: say("deployed", room=room) or deploy.popen.poll() is not None)
    deploy.ends(0)
    assert deploy.out.text == "deployed\n"


async def test_news_of_what_does_not_match_are_silence_to_wait():
    progress = [part for n in range(1, 400) for part in (page(position=n, live=True), 0.1)]
    async with fake_server((page(1), *progress, WAITS)) as (address, _):
        done = await asyncio.to_thread(run, "history", "-o", "text", "--wait", "1s", server=address)
    assert (done.code, done.out) == (3, "1\n")


def test_until_ends_it_when_its_time_has_passed(follow, say, address, room):
    say("one", room=room)
    past = follow("--json", "--room", room, "--until", "2020-01-01T00:00:00Z")
    past.ends(0)
    refused = run("history", "--follow", "--until", "10m")
    assert refused.code == 2
    assert "+10m" in refused.err
    follow("--json", "--room", room, "--until", "+0.1s").ends(0)
    end = datetime.now(UTC) + timedelta(seconds=2)
    coming = follow("--json", "--room", room, "--until", end.isoformat())
    until(lambda: say("more", room=room) or coming.popen.poll() is not None)
    stored = run("history", "--json", "--room", room, server=address).objects
    before_end = [message for message in stored if datetime.fromisoformat(message["time"]) < end]
    assert coming.ends(0).objects == before_end
    assert len(before_end) < len(stored)


@pytest.mark.parametrize(("reader", "shown"), [("head -n 1", "one"), ("grep -m1 tw", "two"), ("head -c 1", "o")])
def test_a_reader_that_has_seen_enough_ends_it_although_nothing_more_comes(address, say, room, reader, shown):
    say("one", "two", room=room)
    reading, writing = os.pipe()
    process = FollowProcess(address, "-o", "text", "--room", room, stdout=writing)
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
    stalled = [FollowProcess(address, "-o", "text", "--room", room, "--timeout", "0.5s", stdout=writing) for _ in "ab"]
    patient = FollowProcess(address, "-o", "text", "--room", room, "--timeout", "0.5s", stdout=subprocess.PIPE)
    seen = FollowProcess(address, "-o", "text", "--room", room, "--wait", "2s").wait()
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
