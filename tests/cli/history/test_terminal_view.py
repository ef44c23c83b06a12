"""The terminal view of `history`: columns, colours, dates and wrapped texts at every width."""

import re
import signal

import pytest

from chatctl.cli.terminal.colours import USER_COLOURS_256
from tests.support.cli import Process, Terminal, run
from tests.support.terminal_width import width
from tests.support.waiting import until

NASTY = "[bold]red[/bold] \x1b[31mred\x1b]0;title\x07 two\nlines \u202eevil\u2066 \x9b2J :smile: \u2028 end\r"
SHOWN = "[bold]red[/bold] \\x1b[31mred\\x1b]0;title\\x07 two\\nlines \\u202eevil\\u2066 \\x9b2J :smile: \\u2028 end\\r"
COLOUR = {"TERM": "xterm-256color", "NO_COLOR": None}
STYLE = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def look(address):
    """Return the lines that `history` shows at a terminal with this width."""

    def look(*arguments, columns=80, **env):
        terminal = Terminal(columns)
        done = Process("history", *arguments, server=address, stdout=terminal.descriptor, env=env).wait()
        assert (done.code, done.err) == (0, "")
        until(lambda: terminal.shown.text.endswith("\n"))
        return terminal.close().replace("\r\n", "\n").split("\n")[:-1]

    return look


def test_messages_are_under_their_day_with_time_user_and_text(look, room, say):
    say("hello", "again", room=room)
    say("hi", room=room, user="bob")
    day, *rows = look("--room", room, "--utc")
    assert re.fullmatch(r"── [A-Z][a-z]{2} \d{4}-\d\d-\d\d UTC ─+", day)
    assert len(day) == 80
    for row, rest in zip(rows, ("ann       hello", "          again", "bob       hi"), strict=True):
        assert re.fullmatch(rf" *\d+  \d\d:\d\d:\d\d  {rest}", row)


def test_the_room_is_shown_if_there_can_be_several(look, room, say):
    say("hello", room="den")
    assert all("den" not in line for line in look("--room", "den"))
    for arguments in (("--room", "den", "--room", "nowhere"), ("--last", "1")):
        assert re.search(r"  den +ann +hello$", look(*arguments)[-1])


def test_a_name_is_repeated_after_a_while(look, room, say):
    say(*"text" * 25, room=room)
    named = [number for number, line in enumerate(look("--room", room)[1:]) if "ann" in line]
    assert named[0] == 0
    assert 1 < len(named) < 10


def test_no_line_is_wider_than_the_terminal_and_no_text_is_lost(look, room, say):
    texts = [
        NASTY.replace("\n", "\\n"),
        "漢字" * 300,
        "word " * 100,
        "x" * 1000,
        "  an indent",
        "👩\u200d👩\u200d👧" * 30,
        "e\u0301" * 90,
        "\u2764\ufe0f" * 99,
    ]
    say(*texts, room=room)
    say("hi", room=room, user="a-user-with-a-very-long-name-" * 3)
    for columns in (20, 40, 80, 200):
        day, *rows = look("--room", room, columns=columns)
        assert all(width(line) <= columns for line in (day, *rows))
        shown = re.sub(r"\s+", "", "".join(rows))
        for text in (*SHOWN.split("\\n"), *texts[1:]):
            assert re.sub(r"\s+", "", text) in re.sub(r"(?<!\d)\d+\d\d:\d\d:\d\d(ann)?", "", shown)


def test_a_wrapped_text_stays_in_its_column(look, room, say):
    say("word " * 200, room=room)
    for columns in (30, 80, 200):
        lines = [line for line in look("--room", room, columns=columns) if "word" in line]
        assert len(lines) > 4
        assert len({line.index("word") for line in lines}) == 1
        assert all(line.rindex("  ") + 2 == line.index("word") and line.endswith("word") for line in lines)


def test_messages_and_names_are_escaped(address, look, room):
    name = "[link=x]eve[/]\u200b"
    assert run("send", "--room", room, "--user", name, NASTY, server=address).code == 0
    for columns in (30, 400):
        shown = "\n".join(look("--room", room, columns=columns))
        assert name[:-1] + "\\u200b" in shown
        assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert all(line in shown for line in SHOWN.split("\\n"))


def test_a_line_of_64_kib_is_wrapped(address, look, room):
    text = ("lorem ipsum " * 6000)[: 64 << 10]
    assert run("send", "--room", room, piped=text, server=address).code == 0
    lines = look("--room", room)
    assert len(lines) > 1000
    assert " ".join(" ".join(lines[1:]).split()[3:]) == text.strip()


def test_a_user_has_one_colour_readable_on_dark_and_on_light(look, room, say):
    for user in ("ann", "bob", "ann"):
        say("hello", room=room, user=user)
    lines = [line for line in look("--room", room, **COLOUR) if "hello" in line]
    found = [re.search(r"\x1b\[1;38;5;(\d+)m(\w+)", line).groups() for line in lines]
    assert found[0] == found[2] != found[1]
    assert [name for _, name in found] == ["ann", "bob", "ann"]
    for colour in USER_COLOURS_256:
        assert min(luminance(colour) + 0.05, 0.0525 / (luminance(colour) + 0.05)) / 0.05 > 3.7


def test_five_users_have_five_colours(look, room, say):
    users = ("ann", "bob", "carol", "dave", "erin")
    for user in users:
        say("hello", room=room, user=user)
    codes = [re.search(r"\x1b\[1;38;5;(\d+)m", line)[1] for line in look("--room", room, **COLOUR) if "hello" in line]
    assert len(set(codes)) == len(codes) == len(users)


def luminance(colour):
    """Return the luminance of one of the 256 colours, as WCAG defines it."""
    levels = [0, 95, 135, 175, 215, 255]
    parts = [levels[(colour - 16) // 36], levels[(colour - 16) // 6 % 6], levels[(colour - 16) % 6]]
    red, green, blue = (((part / 255 + 0.055) / 1.055) ** 2.4 if part > 10 else 0 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_are_only_for_terminals_that_allow_them(look, room, say):
    say("hello", room=room)
    assert "\x1b[1;38;5;" in look("--room", room, **COLOUR)[-1]
    assert re.search("\x1b\\[1;3[1-6]mann", look("--room", room, **{**COLOUR, "TERM": "xterm"})[-1])
    for less in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in "".join(look("--room", room, **{**COLOUR, **less}))
    assert "\x1b" not in "".join(look("--room", room, "--no-color", **COLOUR))


def test_new_messages_look_like_stored_ones(address, room, say):
    say("word " * 40, room=room)
    terminal = Terminal(60)
    process = Process("history", "-f", "--room", room, server=address, stdout=terminal.descriptor)
    until(lambda: terminal.shown.text.count("word") == 40)
    say("word " * 40, room=room, user="bob")
    until(lambda: terminal.shown.text.count("word") == 80)
    assert process.signal(signal.SIGINT).wait().code == 130
    day, *rows = terminal.close().replace("\r\n", "\n").split("\n")[:-1]
    assert "──" in day
    assert len({row.index("word") for row in rows}) == 1
    assert all(len(row) <= 60 for row in rows)


def test_times_are_local_and_a_new_day_has_a_line(look, room, say):
    say("hello", room=room)
    local, utc = look("--room", room, TZ="Asia/Kolkata"), look("--room", room, "--utc", TZ="Asia/Kolkata")
    assert "+05:30 ─" in local[0]
    assert " UTC ─" in utc[0]
    assert local[1].split()[1] != utc[1].split()[1]
    assert " UTC ─" in look("--room", room, TZ="UTC+25")[0]  # datetime has no such offsets


def test_without_messages_a_sentence_says_so(address):
    terminal = Terminal(80)
    done = Process("history", "--room", "nowhere", server=address, stdout=terminal.descriptor).wait()
    assert (done.code, terminal.close()) == (0, "")
    assert done.err == "chatctl: no messages: no room 'nowhere' exists\n"
