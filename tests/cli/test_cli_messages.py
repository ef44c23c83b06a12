"""What commands say on stderr at a terminal: sentences broken at words, colours, and how far a `send` is."""

import re
import signal

import pytest

from tests.support.cli import Process, Terminal, run
from tests.support.waiting import until

COLOUR = {"TERM": "xterm-256color", "NO_COLOR": None}
NOBODY = "127.0.0.1:1"


@pytest.fixture
def said():
    """Return the lines that a command writes to stderr at a terminal of this width."""

    def said(*arguments, columns=80, server=None, code=0, piped=b"", **env):
        terminal = Terminal(columns)
        process = Process(*arguments, server=server, stderr=terminal.descriptor, env=env)
        process.write(piped)
        assert process.close().wait().code == code
        until(lambda: terminal.shown.text.endswith("\n"))
        return terminal.close().replace("\r\n", "\n").split("\n")[:-1]

    return said


def test_an_error_is_broken_at_words(said):
    whole = run("stats", server=NOBODY).err.removesuffix("\n")
    for columns in (40, 200):
        lines = said("stats", server=NOBODY, code=78, columns=columns)
        assert " ".join(line.strip() for line in lines) == whole
        assert all(line.startswith(" " * 9) for line in lines[1:])
        assert all(len(line) <= columns for line in lines)


def test_a_command_to_copy_stays_whole(said):
    lines = said("stats", "--server", "nowhere:x", columns=30, code=2)
    assert "Try `chatctl stats --help`." in lines
    lines = said("stats", server=NOBODY, code=78, columns=24)
    assert any("`chatctl serve`" in line for line in lines)


def test_an_error_and_what_went_well_have_colours(said, address, room):
    assert said("stats", server=NOBODY, code=78, **COLOUR)[0].startswith("\x1b[1;31mchatctl:\x1b[0m no chatctl server")
    assert said("send", "-r", room, "x", server=address, **COLOUR)[0].startswith("\x1b[1;32mchatctl:\x1b[0m 1 stored")
    bad = said("send", "-r", room, piped=b"\xff\n", server=address, code=1, columns=300, **COLOUR)
    assert [line.partition("chatctl:")[0] for line in bad] == ["\x1b[2m", "\x1b[2m"]
    for less in ({"NO_COLOR": "1"}, {"CHATCTL_NO_COLOR": "1"}):
        assert "\x1b" not in "".join(said("stats", server=NOBODY, code=78, **{**COLOUR, **less}))
    assert "\x1b" not in "".join(said("stats", "--no-color", server=NOBODY, code=78, **COLOUR))


def test_nothing_of_a_name_gets_through_a_summary(said, address):
    lines = said("send", "-r", "[bold]\u202eroom\u200b", "-u", "ann ", "x", server=address, columns=300, **COLOUR)
    assert "(room [bold]\\u202eroom\\u200b, user ann\\x20, sequence" in lines[0]


def test_a_file_is_told_by_how_much_of_it_is_read(server, tmp_path):
    path = tmp_path / "lines"
    path.write_text("text\n" * 1_000_000)
    terminal = Terminal(80)
    with path.open() as file:
        process = Process("send", server=server.address, stdin=file, stderr=terminal.descriptor)
        until(lambda: re.search(r"\d+% read", terminal.shown.text) or process.popen.poll() is not None)
        assert process.wait().code == 0
    shown = terminal.close()
    assert re.search(r"\d+% read [\d,]+ confirmed", shown)
    assert "1,000,000 stored" in shown


def test_a_server_says_where_it_keeps_things(tmp_path):
    terminal = Terminal(200)
    store = f"sqlite:{tmp_path / 'chat.db'}"
    process = Process("serve", "--listen", "127.0.0.1:0", "--store", store, stderr=terminal.descriptor)
    until(lambda: "Ctrl-C stops the server" in terminal.shown.text)
    assert process.signal(signal.SIGINT).wait().code == 0
    first, second = terminal.close().replace("\r\n", "\n").split("\n")[:2]
    assert first.startswith("listening on 127.0.0.1:")
    assert store in second


@pytest.mark.parametrize("command", ["serve", "send", "history", "stats", "verify"])
def test_help_fits_80_columns_and_gives_its_words_room(command):
    done = run(command, "--help", env={"COLUMNS": "80"})
    assert done.code == 0
    assert all(len(line) <= 80 for line in done.lines)
    texts = [line[1:-1].strip() for line in done.lines if line.startswith("│" + " " * 20)]
    assert max(map(len, texts)) >= 33
