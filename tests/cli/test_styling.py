"""One place decides width and styling: the environment cannot break a width, or style what the user wants plain."""

import json

import pytest

from chatctl.cli.terminal import styling
from tests.support.cli import Process, Terminal, run

SWITCHES = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "PY_COLORS": "1", "GITHUB_ACTIONS": "true", "NO_COLOR": None}
STYLED = {"NO_COLOR": None, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
COMMANDS = [("stats",), ("history",), ("stats", "--help"), ("history", "--room")]


def at_terminal(*args, server, env, columns=100):
    """Run a command whose stdin, stdout and stderr are a terminal, and return what it shows."""
    terminal = Terminal(columns)
    process = Process(*args, server=server, env=env, **dict.fromkeys(("stdin", "stdout", "stderr"), terminal.descriptor))
    process.wait()
    return terminal.close()


@pytest.mark.parametrize("columns", ["0", "", "x"])
def test_a_width_that_is_none_counts_as_not_set(address, send, columns):
    send("x" * 150)
    for command in ("stats", "history"):
        given, unset = (run(command, server=address, env={"COLUMNS": value}) for value in (columns, None))
        assert given.code == 0
        assert len(given.lines) == len(unset.lines) > 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_gets_no_escape_sequences(address, command):
    done = run(*command, server=address, env=SWITCHES)
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_no_color_ends_all_styling(address, send, command):
    send("hello")
    assert "\x1b[" in at_terminal(*command, server=address, env=STYLED)
    for variable in ("NO_COLOR", "CHATCTL_NO_COLOR"):
        assert "\x1b[" not in at_terminal(*command, server=address, env={**STYLED, variable: "1"})


def test_an_empty_no_color_is_not_set(address):
    assert "\x1b[" in at_terminal("stats", server=address, env={**STYLED, "NO_COLOR": ""})


def test_json_at_a_terminal_contains_no_dangerous_characters(address, send, room):
    text = "a\u202eb\x9bc\u2028d\u200ee"
    send(text)
    (shown,) = at_terminal("history", "--json", "--room", room, server=address, env={}).splitlines()
    assert (shown.isprintable(), json.loads(shown)["text"]) == (True, text)
    assert text in run("history", "--json", "--room", room, server=address).out


def test_a_command_of_exec_gets_the_environment_as_it_was(address, send, room):
    send("hello")
    command = 'echo "$COLUMNS,$FORCE_COLOR,$_TYPER_FORCE_DISABLE_TERMINAL"'
    env = {"COLUMNS": "0", "FORCE_COLOR": "1"}
    assert run("history", "--room", room, "--exec", command, server=address, env=env).out == "0,1,\n"


def test_sizes_that_libraries_cannot_read_are_removed():
    for value in ("", "0", "-5", "x", "\u00b2", "9" * 20):
        environment = {"COLUMNS": value, "LINES": value, "TERMINAL_WIDTH": value, "TERM": "xterm"}
        styling.prepare(environment, no_color=False)
        assert environment == {"TERM": "xterm"}
