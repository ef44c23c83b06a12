"""`stats --watch`: at a terminal of any size, in a pipe and as JSON, also across restarts of the server."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chatctl import __version__
from chatctl.cli.stats.command import prepare
from tests.support.cli import Process, run
from tests.support.tmux import Pane
from tests.support.waiting import until

JOIN = """
import asyncio, json, sys
from chatctl.client import ChatClient

async def main():
    server, user, rooms = json.loads(sys.argv[1])
    async with ChatClient(server, 0) as chat, chat.join(user, rooms) as joining:
        async for event in joining.events():
            pass

asyncio.run(main())
"""
HOSTILE_ROOM, HOSTILE_USER = "[bold]\x20\u202eroom\u200b", "[link=file:///x]ann[/]\u200d"
SHOWN_ROOM, SHOWN_USER = "[bold] \\u202eroom\\u200b", "[link=file:///x]ann[/]\\u200d"


@pytest.fixture(scope="module")
def busy(address):
    """Return the address of a server with messages in two rooms and users present."""
    with contextlib.ExitStack() as stack:
        for user, rooms in (("ann", ["den"]), ("bob", ["den"]), (HOSTILE_USER, [HOSTILE_ROOM])):
            arguments = json.dumps([address, user, rooms])
            process = subprocess.Popen([sys.executable, "-c", JOIN, arguments])
            stack.callback(process.wait)
            stack.callback(process.kill)
        for room, count in (("den", 30), (HOSTILE_ROOM, 6)):
            assert run("send", "-r", room, piped="text\n" * count, server=address).code == 0
        until(lambda: len(report(address)["present"]) == 2 and report(address)["present"][0]["num_users"] == 2)
        yield address


def report(address):
    (found,) = run("stats", "--json", server=address).objects
    return found


def test_json_has_activity_and_presence(busy):
    found = report(busy)
    activity, present = found["activity"], found["present"]
    assert set(activity) == {
        "messages_per_second", "messages", "rooms", "followers", "senders", "commit_median", "commit_p99",
    }  # fmt: skip
    assert sum(activity["messages"]) == found["num_messages"] == 36
    assert activity["rooms"] == [{"room": "den", "num_messages": 30}, {"room": HOSTILE_ROOM, "num_messages": 6}]
    assert (activity["followers"], activity["senders"]) == (3, 0)
    assert 0 < activity["commit_median"] <= activity["commit_p99"]
    assert present[0] == {"room": "den", "users": ["ann", "bob"], "num_users": 2}
    assert present[1] == {"room": HOSTILE_ROOM, "users": [HOSTILE_USER], "num_users": 1}


def test_the_report_has_activity_and_presence(busy):
    shown = run("stats", server=busy).out
    for words in ("36 in the last 15 minutes", "3 receiving, 0 sending", " ms median, ", "den: ann, bob"):
        assert words in shown
    assert f"{SHOWN_ROOM}: {SHOWN_USER}" in shown


def test_json_is_an_object_for_each_response(busy):
    process = Process("stats", "--json", "--watch", "0.1", server=busy)
    until(lambda: len(process.out.lines) >= 3)
    done = process.signal(signal.SIGINT).wait()
    assert (done.code, done.err) == (130, "")
    times = [answer.pop("time") for answer in done.objects]
    assert sorted(times) == times
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", times[0])
    assert set(done.objects[0]) - {"time"} == set(report(busy))


def test_watch_needs_no_value(busy):
    process = Process("stats", "--watch", "--json", server=busy)
    until(lambda: process.out.lines or process.popen.poll() is not None)
    done = process.signal(signal.SIGTERM).wait()
    assert (done.code, done.err) == (143, "")


@pytest.mark.parametrize("words", ["", "5", "=5", " --json", " -s x:1", " 5 --json"])
def test_watch_takes_an_optional_number(words):
    for name in ("--watch", "-w"):
        given = ["stats", "--utc", *f"{name}{words}".split(" ")]
        bare = words in ("", " --json", " -s x:1")
        expected = f"--watch=2{words}" if bare else f"{name}{words}"
        assert prepare(given) == ["stats", "--utc", *expected.split(" ")]


def test_an_invalid_interval_is_a_usage_error(busy):
    for word in ("0", "soon"):
        done = run("stats", "--watch", word, server=busy)
        assert done.code == 2
        assert "--watch" in done.err


def test_a_pipe_gets_a_line_for_each_response(busy):
    process = Process("stats", "--watch", "0.1", server=busy)
    until(lambda: len(process.out.lines) >= 2)
    done = process.signal(signal.SIGINT).wait()
    assert (done.code, done.err) == (130, "")
    line = r"\d\d:\d\d:\d\d  \S+/s  36 messages  2 rooms  1 users  3 receiving  0 sending  commit \S+ ms \S+ ms"
    assert all(re.fullmatch(line, found) for found in done.lines)


def test_a_reader_that_leaves_ends_it_at_once(busy):
    process = Process("stats", "--watch", "600", "--json", server=busy, stdout=subprocess.PIPE)
    assert process.popen.stdout.readline()
    process.popen.stdout.close()
    done = process.wait()
    assert (done.code, done.err) == (0, "")


def test_it_continues_after_a_restart_of_the_server(start_server):
    served = start_server()
    process = Process("stats", "--json", "--watch", "0.1", "--timeout", "20s", server=served.address)
    until(lambda: process.out.lines)
    served.stop()
    until(lambda: process.err.lines)
    assert "trying again for up to 20 s" in json.loads(process.err.lines[0])["notice"]
    before = len(process.out.lines)
    start_server(store=served.store, listen=served.address)
    until(lambda: len(process.out.lines) > before)
    assert "answers again" in process.err.lines[-1]
    assert process.signal(signal.SIGINT).wait().code == 130


def test_without_a_server_it_gives_up_with_78(free_address):
    done = run("stats", "--watch", "0.1", "--timeout", "0.3s", "--json", server=free_address)
    assert (done.code, done.stderr_objects[-1]["exit_code"]) == (78, 78)
    assert "gave up after 0.3 s" in done.stderr_objects[-1]["error"]


def test_it_gives_up_on_a_frozen_server_with_78(start_server):
    served = start_server()
    process = Process("stats", "--watch", "0.1", "--timeout", "0.6s", server=served.address)
    until(lambda: process.out.lines)
    served.process.send_signal(signal.SIGSTOP)
    try:
        done = process.wait()
    finally:
        served.process.send_signal(signal.SIGCONT)
    assert done.code == 78
    assert f"no response from {served.address} for 0.6 s" in done.err


@pytest.fixture
def free_address():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def watch(busy):
    """Return a function that runs `stats --watch` in a pane of tmux."""
    with contextlib.ExitStack() as stack:
        yield lambda seconds="0.1", columns=80, server=busy, **env: stack.enter_context(
            Pane("stats", "--watch", seconds, columns=columns, server=server, env=env)
        )


def test_the_dashboard_shows_all_parts(watch, busy):
    pane = watch()
    screen = pane.shows("here now", "busiest rooms", "q ends")
    for words in (
        busy,
        f"chatctl {__version__}",
        "36 messages",
        "2 rooms",
        "3 receiving",
        " p99",
        "/s now",
        "15 minutes ago",
    ):
        assert words in screen
    assert re.search(r"^den +30 █+ ", screen, re.MULTILINE)
    assert re.search(r"█", screen.partition("now")[2].partition("15 minutes ago")[0])
    assert re.search(r"den +2 +ann, bob", screen)
    assert pane.format_value("alternate_on") == "1"
    assert len(pane.lines) == 24


def test_names_are_escaped(watch):
    pane = watch(columns=200)
    screen = pane.shows(SHOWN_ROOM, SHOWN_USER)
    assert all(letter.isprintable() or letter == "\n" for letter in screen)
    assert "\x1b]8" not in pane.coloured


def test_it_fits_every_size(watch):
    pane = watch("600")
    pane.shows("here now")
    for columns, rows in ((200, 50), (40, 24), (80, 5), (20, 3)):
        pane.resize(columns, rows)
        until(lambda rows=rows: len(pane.lines) == rows and pane.lines[-1].startswith("q ends"))
        until(lambda: pane.lines[0].startswith("127.0.0.1:") and pane.scrollback.count("127.0.0.1:") == 1)
        assert all(len(line) <= columns for line in pane.lines)
    pane.resize(80, 24)
    pane.shows("here now", "busiest rooms", "q ends")


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("C-c", 130), ("C-\\", 131)])
def test_a_key_ends_it_and_the_terminal_is_restored(busy, key, code):
    line = (
        f"trap : INT QUIT; {sys.executable} -m chatctl stats --watch; echo code=$?; "
        r"stty -a | grep -o ' .echo \| .icanon '; cat"
    )
    with Pane("-c", line, command=("sh",), server=busy) as pane:
        pane.shows("here now")
        pane.press(key)
        pane.shows(f"code={code}")
        assert (pane.format_value("alternate_on"), pane.format_value("cursor_flag")) == ("0", "1")
        assert "-echo" not in pane.screen
        assert "-icanon" not in pane.screen
        pane.type("hello")
        pane.shows("hello")


def foreground(pane):
    """Return the process group that has the terminal of a shell."""
    return int(Path(f"/proc/{pane.pid}/stat").read_text().rpartition(")")[2].split()[5])


@pytest.mark.parametrize("prepared", [True, False])
def test_it_is_suspended_and_continues_in_the_foreground(busy, prepared):
    with Pane("--norc", "-i", command=("bash",), server=busy) as pane:
        pane.type(f"{sys.executable} -m chatctl stats --watch; echo code=$?")
        pane.press("Enter")
        pane.shows("here now")
        if prepared:
            pane.press("C-z")
            pane.hides("here now")
            assert (pane.format_value("alternate_on"), pane.format_value("cursor_flag")) == ("0", "1")
        else:
            os.kill(foreground(pane), signal.SIGSTOP)
        pane.shows("Stopped", "code=")
        pane.type("echo $((40 + 2))")
        pane.press("Enter")
        pane.shows("echo $((40 + 2))\n42")
        pane.type("fg")
        pane.press("Enter")
        pane.shows("here now", "q ends")
        assert [pane.format_value(flag) for flag in ("alternate_on", "cursor_flag")] == ["1", "0"]
        pane.press("q")
        pane.hides("here now")
        assert [pane.format_value(flag) for flag in ("alternate_on", "cursor_flag")] == ["0", "1"]
        pane.type("echo done")
        pane.shows("echo done")


@pytest.mark.parametrize(("seconds", "keyboard"), [("600", True), ("0.1", False)])
def test_a_closed_terminal_ends_it(busy, seconds, keyboard):
    master, slave = os.openpty()  # not the controlling terminal, so without SIGHUP
    stdin = slave if keyboard else subprocess.DEVNULL
    process = Process("stats", "--watch", seconds, server=busy, env={"TERM": "xterm"}, stdin=stdin, stdout=slave)
    os.close(slave)
    shown = b""
    while b"here now" not in shown:
        shown += os.read(master, 1 << 16)
    os.close(master)
    done = process.wait()
    assert (done.code, done.err) == (129, "")


def test_the_dashboard_says_when_the_server_is_away(start_server, watch):
    served = start_server()
    pane = watch(server=served.address)
    pane.shows("here now", "none")
    served.kill()
    pane.shows("trying again", "here now")
    start_server(store=served.store, listen=served.address)
    pane.hides("trying again")
    assert "here now" in pane.shows("q ends")


def test_colours_can_be_turned_off(watch):
    pane = watch()
    pane.shows("ann, bob")
    assert re.search("\x1b\\[1m\x1b\\[38;5;\\d+mann", pane.coloured)
    plain = watch(NO_COLOR="1")
    plain.shows("ann, bob")
    assert not re.search("\x1b\\[[0-9;]*[34][0-8]m", plain.coloured)
