"""Tables of `history` and `stats`: their content, and the escaping of names and texts."""

import functools
import re
import subprocess

import pytest

from tests.support.cli import Process, Terminal, run
from tests.support.servers import ServerFactory
from tests.support.waiting import until

COLUMNS = ["sequence", "time", "room", "user", "text"]
BOLD = "[bold]red[/bold]"
NASTY = f"{BOLD} \x1b[31mred\x1b]0;title\x07 two\nlines \u202eevil\u2066 \x9b2J :smile: \u2028 end\r"
SHOWN = f"{BOLD} \\x1b[31mred\\x1b]0;title\\x07 two\\nlines \\u202eevil\\u2066 \\x9b2J :smile: \\u2028 end\\r"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    servers = ServerFactory(tmp_path_factory.mktemp("server"))
    address = servers().address
    for count in (1000, 1001, 2600):
        assert run("send", "--room", f"{count}", "-u", "ann", piped="text\n" * count, server=address).code == 0
    assert run("send", "--room", BOLD, "--user", "[link=file:///x]eve[/]", NASTY, server=address).code == 0
    assert run("send", "--room", "2600", "--user", "漢字", NASTY, server=address).code == 0
    yield address
    servers.close()


@pytest.fixture
def history(address):
    return functools.partial(run, "history", server=address)


def at_a_terminal(*arguments, **environment):
    """Return what a command shows at a terminal."""
    terminal = Terminal()
    done = Process(*arguments, stdout=terminal.descriptor, env=environment).wait()
    assert (done.code, done.err) == (0, "")
    # The terminal has everything when the process ends; the last line may not have reached the reader yet.
    until(lambda: terminal.shown.text.endswith("\n"))
    return terminal.close()


def test_messages_are_escaped_in_a_table(history):
    done = history("--room", BOLD)
    assert (done.code, done.err) == (0, "")
    heading, rule, row = done.lines
    assert heading.split() == COLUMNS
    assert set(rule) <= {"─", " "}
    for words in (BOLD, "[link=file:///x]eve[/]", SHOWN):
        assert words in row
    for line in done.lines:
        assert line.isprintable()


def test_messages_are_escaped_in_a_long_table(history):
    done = history("--room", "2600")
    assert len(done.lines) == 2602
    assert SHOWN in done.lines[-1]
    assert all(line.isprintable() for line in done.lines)


def test_names_are_escaped_in_stats(address):
    for shown in (run("stats", server=address).out, at_a_terminal("stats", CHATCTL_SERVER=address, COLUMNS="200")):
        assert BOLD in shown
        assert "[link=file:///x]eve[/]" in shown
        assert "\x1b]8" not in shown


def test_1000_rows_are_a_table_and_more_are_aligned_lines(history):
    for count, ruled in ((1000, True), (1001, False)):
        lines = history("--room", f"{count}").lines
        assert lines[0].split() == COLUMNS
        assert ("─" in lines[1]) is ruled
        rows = lines[2:] if ruled else lines[1:]
        assert len(rows) == count
        place = lines[0].index("text")
        assert all(row[place:].rstrip() == "text" for row in rows)


def test_long_lines_stay_aligned_over_pages(history):
    rows = history("--room", "2600", "--user", "ann").lines[1:]
    assert len(rows) == 2600
    assert len({row.rindex("text") for row in rows}) == 1


def test_without_a_message_there_is_no_table(history):
    done = history("--room", "nowhere")
    assert (done.code, done.out) == (0, "")
    assert "no messages" in done.err
    for form in ("json", "text"):
        assert history("--room", "nowhere", "-o", form) == (0, "", "")


def test_times_are_local_or_utc(history, address):
    sent = history("--json", "--room", BOLD).objects[0]["time"]
    utc, local = f"{sent[:10]} {sent[11:19]}Z", re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+05:30")
    there = {"TZ": "Asia/Kolkata"}
    assert utc in history("--room", BOLD, "--utc", env=there).out
    assert utc in history("--room", BOLD, env={**there, "CHATCTL_UTC": "1"}).out
    assert local.search(history("--room", BOLD, env=there).out)
    assert local.search(history("--room", "1001", env=there).out)
    assert history("--json", "--room", BOLD, env=there).objects[0]["time"] == sent
    assert "+05:30" in run("stats", env=there, server=address).out
    assert "+05:30" not in run("stats", "--utc", env=there, server=address).out
    assert "+00:00" in history("--room", BOLD, env={"TZ": "UTC+25"}).out  # an offset that datetime does not have


def test_colours_are_only_for_terminals_that_allow_them(address):
    colour = {"CHATCTL_SERVER": address, "TERM": "xterm-256color", "NO_COLOR": None}
    piped = run("history", "--room", BOLD, env=colour)
    assert "\x1b" not in piped.out
    coloured = re.compile("\x1b\\[[0-9;]*3[0-9]m")
    assert coloured.search(at_a_terminal("stats", **colour))
    for less in ({"NO_COLOR": "1"}, {"CHATCTL_NO_COLOR": "1"}):
        assert not coloured.search(at_a_terminal("stats", **{**colour, **less}))
    assert not coloured.search(at_a_terminal("stats", "--no-color", **colour))


@pytest.mark.parametrize("arguments", [("stats",), ("stats", "--json"), ("history", "--room", "1000"), ("--help",)])
def test_a_reader_that_left_before_is_not_an_error(address, arguments):
    process = Process(*arguments, server=address, stdout=subprocess.PIPE)
    process.popen.stdout.close()
    done = process.wait()
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("arguments", [("stats",), ("stats", "--json"), ("history",), ("history", "-o", "text")])
def test_a_full_disk_behind_stdout_is_an_error(address, arguments):
    with open("/dev/full", "wb") as full:
        done = Process(*arguments, server=address, stdout=full).wait()
    assert done.code == 1
    assert "space" in done.err


def test_a_locale_without_the_characters_is_not_an_error(address):
    """Tables may lack characters then, JSON does not."""
    bare = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for arguments in (("stats",), ("history", "--room", "2600", "-n", "1"), ("history", "--json", "--room", "2600")):
        assert run(*arguments, env=bare, server=address).code == 0
    (stats,) = run("stats", "--json", env=bare, server=address).objects
    assert "漢字" in {user["user"] for user in stats["users"]}
