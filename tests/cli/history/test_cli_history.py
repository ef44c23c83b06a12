"""`chatctl history`: selection, order and format of messages."""

import functools
import itertools
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.cli import FollowProcess, Process, Terminal, run
from tests.support.servers import ServerFactory
from tests.support.waiting import until

rooms = (f"room {number}" for number in itertools.count(1))
SPOKEN = [
    ("war room", "ann", "first things first"),
    ("den", "bob", "second"),
    ("den", "ann", "third"),
    ("attic", "eve", "fourth: STRASSE"),
    ("attic", "bob", "fifth: straße"),
]
MANY = 3000


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    servers = ServerFactory(tmp_path_factory.mktemp("server"))
    address = servers().address
    for room, user, text in SPOKEN:
        assert run("send", "--room", room, "--user", user, text, server=address).code == 0
    yield address
    servers.close()


@pytest.fixture(scope="module")
def many(address):
    """Return a room with more messages than fit in a pipe."""
    lines = "".join(f"message {number:08}{'.' * 60}\n" for number in range(MANY))
    assert run("send", "--room", "many", piped=lines, server=address).code == 0
    return "many"


ROOMS = ("--room", "war room", "--room", "den", "--room", "attic")


@pytest.fixture
def history(address):
    return functools.partial(run, "history", server=address)


def indices(done):
    """Return the indices in SPOKEN of the messages in a --json output."""
    assert done.code == 0, done.err
    assert done.err == ""
    texts = [text for _, _, text in SPOKEN]
    return [texts.index(message["text"]) for message in done.objects]


def test_all_messages_are_shown_oldest_first_with_every_field(history, address, many):
    messages = history("--json").objects
    assert len(messages) >= MANY + len(SPOKEN)
    assert [message["sequence"] for message in messages] == sorted(message["sequence"] for message in messages)
    log = run("stats", "--json", server=address).objects[0]["log"]
    for (room, user, text), message in zip(SPOKEN, messages, strict=False):
        assert list(message) == ["sequence", "room", "user", "text", "time", "cursor"]
        assert (message["room"], message["user"], message["text"]) == (room, user, text)
        assert message["cursor"] == f"{log}:{message['sequence']}"
        assert message["time"].endswith("Z")
        assert datetime.fromisoformat(message["time"]).tzinfo


def test_rooms_and_users_may_be_repeated(history):
    assert indices(history("--json", "--room", "den", "-r", "war room")) == [0, 1, 2]
    assert indices(history("--json", "--room", "den", "--room", "attic", "--user", "bob", "-u", "eve")) == [1, 3, 4]
    assert indices(history("--json", "--room", "nowhere")) == []


@pytest.mark.parametrize("output", ["json", "text", "table"])
def test_variables_for_sending_filter_nothing(history, output):
    """CHATCTL_ROOM and CHATCTL_USER are set for `send` and `join`."""
    own = {"CHATCTL_ROOM": "den", "CHATCTL_USER": "bob"}
    everything = history("-o", output)
    assert len(everything.lines) >= len(SPOKEN)
    assert history("-o", output, env=own) == everything
    assert history("-o", output, *ROOMS, env=own) == history("-o", output, *ROOMS)
    assert history("-o", output, "--user", "ann", env=own) == history("-o", output, "--user", "ann")


def test_variables_for_sending_filter_nothing_that_is_followed(address):
    own = {"CHATCTL_ROOM": "den", "CHATCTL_USER": "bob"}
    process = FollowProcess(address, "--json", *ROOMS, "--count", "5", env=own)
    assert indices(process.wait()) == [0, 1, 2, 3, 4]


def test_since_is_inclusive_and_until_exclusive_in_every_spelling(history):
    times = [datetime.fromisoformat(message["time"]) for message in history("--json", *ROOMS).objects]
    third = times[2]
    spellings = {
        third.isoformat(),
        third.isoformat().replace("+00:00", "Z"),
        third.astimezone(timezone(timedelta(hours=-7))).isoformat(),
        third.replace(tzinfo=None).isoformat(sep=" "),  # local time, which is UTC here
        f"{third.timestamp():.6f}",
    }
    for spelling in spellings:
        assert indices(history("--json", *ROOMS, "--since", spelling)) == [2, 3, 4]
    assert indices(history("--json", *ROOMS, "--until", spelling)) == [0, 1]
    assert indices(history("--json", *ROOMS, "--since", times[1].isoformat(), "--until", times[4].isoformat())) == [1, 2, 3]
    assert indices(history("--json", *ROOMS, "--since", "1d3h", "--until", "0s")) == [0, 1, 2, 3, 4]
    assert indices(history("--json", *ROOMS, "--until", "10m")) == []


def test_a_count_takes_from_the_end_and_a_limit_from_the_start(history):
    assert indices(history("--json", *ROOMS, "-n", "2")) == [3, 4]
    assert indices(history("--json", *ROOMS, "--last", "99999999999999999999")) == [0, 1, 2, 3, 4]
    assert indices(history("--json", *ROOMS, "--limit", "2")) == [0, 1]
    assert indices(history("--json", *ROOMS, "--limit", "99999999999999999999")) == [0, 1, 2, 3, 4]
    cursor = history("--json", *ROOMS).objects[1]["cursor"]
    assert indices(history("--json", *ROOMS, "--after", cursor, "--limit", "2")) == [2, 3]


def test_grep_ignores_case(history):
    assert indices(history("--json", *ROOMS, "--grep", "Strasse")) == [3, 4]
    assert indices(history("--json", *ROOMS, "-g", "IRST")) == [0]
    assert indices(history("--json", *ROOMS, "-g", "%")) == []
    assert indices(history("--json", *ROOMS, "-g", "strasse", "-g", "FIFTH")) == [4]
    assert indices(history("--json", *ROOMS, "-g", "strasse", "-g", "first")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--last", "2", "--after", "x:1"), ("--last", "--after")),
        (("--limit", "0"), ("--limit", "1")),
        (("--limit", "-1"), ("--limit", "-1", "1")),
        (("--last", "-1"), ("--last", "1")),
        (("--last", "x"), ("--last", "x")),
        (("--since", "some day"), ("--since", "some day", "10m")),
        (("--until", ""), ("--until", "10m")),
        (("--timeout", "soon"), ("--timeout", "soon", "10s")),
        (("--server", "localhost"), ("--server", "localhost", "HOST:PORT")),
        (("--server", b"unix:\xff"), ("--server",)),
        (("--room", ""), ("--room", "empty")),
        (("--user", "a\nb"), ("--user", "control")),
        (("--output", "xml"), ("--output", "xml", "json")),
        (("--grep", b"\xff"), ("--grep", "UTF-8")),
        (("--after", b"\xff"), ("--after",)),
        (("lobby",), ("lobby",)),
    ],
)
def test_a_usage_error_names_its_option(history, arguments, words):
    done = history("--json", *arguments)
    assert (done.code, done.out) == (2, "")
    (said,) = done.stderr_objects
    for word in words:
        assert word in said["error"]
    assert (said["reason"], said["exit_code"]) == ("USAGE", 2)


def test_an_invalid_cursor_is_refused_by_name(history):
    cursor = history("--json", "--last", "1").objects[0]["cursor"]
    log, _, sequence = cursor.partition(":")
    cases = {"nonsense": (67, "CURSOR_MALFORMED"), f"000000000000:{sequence}": (73, "CURSOR_OTHER_LOG"),
             f"{log}:999999": (75, "CURSOR_BEYOND_HEAD")}  # fmt: skip
    for bad, (code, reason) in cases.items():
        done = history("--after", bad)
        assert (done.code, done.out) == (code, "")
        assert bad in done.err
        done = history("--json", "--after", bad)
        assert done.code == code
        assert [(said["reason"], said["exit_code"]) for said in done.stderr_objects] == [(reason, code)]
    assert history("--json", "--after", cursor).objects == []


# Every text that can be on a line: UTF-8 has no surrogates, and a newline ends the line.
lines = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=80)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(lines, max_size=200))
@example(
    [
        "",
        "\0",
        "a\0b",
        "\r",
        "\r\n"[:1] * 3,
        "\ufeff",
        "\u2028\x85\x0b\x0c",
        "\x1b[31m",
        "e\u0301",
        "𝄞\uffff\U0010ffff",
        "\\n",
        " ",
    ]
)
def test_any_lines_are_returned_byte_for_byte(history, address, texts):
    room, piped = next(rooms), "".join(f"{text}\n" for text in texts).encode()
    assert run("send", "--room", room, piped=piped, server=address).code == 0
    shown = history("--room", room, "--output", "text")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.encode() == piped
    assert [message["text"] for message in history("--room", room, "--json").objects] == texts


def test_a_real_file_is_returned_byte_for_byte(history, address):
    file = Path(subprocess.__file__).read_bytes() + "# größer als 65 kB ✓\n".encode()
    assert run("send", "--room", "file", piped=file, server=address).code == 0
    assert history("--room", "file", "-o", "text").out.encode() == file


def test_texts_are_raw_in_a_pipe_and_escaped_at_a_terminal(history, address):
    room, text = next(rooms), "\x1b[31mred\x1b]0;title\x07 \u202eevil\x9b2J\ttab"
    assert run("send", "--room", room, text, server=address).code == 0
    assert history("--room", room, "-o", "text").out == text + "\n"
    terminal = Terminal()
    process = Process("history", "--room", room, "-o", "text", server=address, stdout=terminal.descriptor)
    assert process.wait().code == 0
    until(lambda: "tab" in terminal.shown.text)
    shown = terminal.close()
    assert "\\x1b[31mred\\x1b]0;title\\x07 \\u202eevil\\x9b2J" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("form", ["json", "text", "table"])
def test_a_reader_that_leaves_early_ends_it_quietly(address, many, form):
    process = Process("history", "-o", form, "--room", many, server=address, stdout=subprocess.PIPE)
    assert process.popen.stdout.read(100)
    process.popen.stdout.close()
    done = process.wait()
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("form", [("-o", "json"), ("-o", "text"), (), ("-n", "1")])
def test_a_reader_that_left_before_ends_it_quietly(address, many, form):
    process = Process("history", *form, "--room", many, server=address, stdout=subprocess.PIPE)
    process.popen.stdout.close()
    done = process.wait()
    assert (done.code, done.err) == (0, "")


def test_a_flag_overrides_the_output_format_of_the_environment(history):
    assert indices(history(*ROOMS, env={"CHATCTL_OUTPUT": "json"})) == [0, 1, 2, 3, 4]
    assert indices(history(*ROOMS, env={"CHATCTL_JSON": "1"})) == [0, 1, 2, 3, 4]
    assert history("--room", "den", "-o", "text", env={"CHATCTL_OUTPUT": "json"}).out == "second\nthird\n"


@pytest.mark.parametrize(
    "asked", [("-o", "json"), ("--output", "json"), ("--output=json",), ("-ojson",), "CHATCTL_OUTPUT", "CHATCTL_JSON"]
)
def test_errors_are_json_if_the_output_is(history, asked):
    env = {asked: "json" if asked == "CHATCTL_OUTPUT" else "true"} if isinstance(asked, str) else {}
    done = history(*(() if env else asked), "--since", "some day", env=env)
    assert done.code == 2
    assert [said["exit_code"] for said in done.stderr_objects] == [2]
