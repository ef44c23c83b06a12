"""What holds for every command: help, versions, environment variables, wrong usage."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from chatctl.cli.app import COMMANDS as NAMES
from chatctl.cli.app import app, register_commands
from chatctl.version import full_version
from tests.support.cli import CHATCTL, clean_environment, run
from tests.support.waiting import TIMEOUT_SECONDS

register_commands(NAMES)

COMMANDS = typer.main.get_command(app).commands
OPTIONS = [
    (name, option) for name, command in COMMANDS.items() for option in command.params if option.param_type_name == "option"
]
CLIENT = {"--server", "--timeout", "--json"}
WITH_A_VARIABLE = {
    "send": {*CLIENT, "--room", "--user", "--quiet", "--no-color"},
    "join": {*CLIENT, "--user", "--utc", "--no-color"},
    "history": {*CLIENT, "--output", "--utc", "--no-color"},
    "stats": {*CLIENT, "--utc", "--no-color"},
    "verify": {*CLIENT, "--quiet"},
}
"""Options of clients with an environment variable. Each option of `serve` has one."""


def long_name(option):
    return next(name for name in option.opts if name.startswith("--"))


def test_there_are_six_commands():
    assert sorted(COMMANDS) == ["history", "join", "send", "serve", "stats", "verify"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_with_its_variable(command):
    done = run(command, "--help", env={"COLUMNS": "250", "TERMINAL_WIDTH": "250"})
    assert (done.code, done.err) == (0, "")
    assert run(command, "-h").code == 0
    options = [option for name, option in OPTIONS if name == command and not option.hidden]
    assert [option for option in options if long_name(option) not in done.out] == []
    names = {long_name(option) for option in options} - {"--help"}
    variables = {
        "CHATCTL_" + ("SERVE_JSON" if (command, name) == ("serve", "--json") else name[2:].upper().replace("-", "_"))
        for name in WITH_A_VARIABLE.get(command, names)
    }
    if command == "join":
        variables.add("CHATCTL_ROOM")  # of its argument
    assert {
        name for name in re.findall(r"CHATCTL_[A-Z_]*[A-Z]", done.out) if not name.startswith("CHATCTL_MESSAGE")
    } == variables


def test_the_input_id_is_never_taken_from_the_environment():
    hidden = [long_name(option) for _, option in OPTIONS if option.hidden]
    assert hidden == ["--sender"]
    ids = [option for _, option in OPTIONS if long_name(option) in ("--input-id", "--sender")]
    assert ids
    assert not any(option.envvar for option in ids)


@pytest.mark.parametrize(
    ("variable", "option", "commands"),
    [("EXEC", "--exec", ["history"]), ("CURSOR_FILE", "--cursor-file", ["history"]), ("TOP", "--top", ["stats"]),
     ("LAST", "--last", ["history", "join"]), ("RECEIPTS", "--receipts", ["send"])],
)  # fmt: skip
def test_a_variable_that_is_no_longer_read_is_named_in_a_notice(variable, option, commands):
    notice = f"CHATCTL_{variable} is set but no longer read: use {option}"
    no_server = {f"CHATCTL_{variable}": "1", "CHATCTL_SERVER": "127.0.0.1:1", "CHATCTL_TIMEOUT": "0.1s"}
    for command in ("history", "join", "send", "stats"):
        done = run(command, env=no_server)
        assert (f"chatctl: {notice}\n" in done.err) is (command in commands)
        assert "Invalid" not in done.err
    done = run(commands[0], "--json", env=no_server)
    assert done.stderr_objects[0] == {"notice": notice}
    assert notice not in run(commands[0], "--json", env={**no_server, f"CHATCTL_{variable}": ""}).err


def test_rooms_and_users_of_the_environment_filter_nothing(server):
    place = {"CHATCTL_SERVER": server.address, "CHATCTL_ROOM": "elsewhere", "CHATCTL_USER": "eve"}
    assert run("send", "-r", "war room", "-u", "ann", "hello", env=place).code == 0
    done = run("history", "--json", env=place)
    assert done.err == ""
    assert "war room" in [message["room"] for message in done.objects]
    done = run("stats", "--json", env=place)
    assert done.err == ""
    assert "war room" in [room["room"] for room in done.objects[0]["rooms"]]


def test_a_flag_is_stronger_than_the_environment_and_that_than_the_default(server):
    def room(*arguments, **env):
        return run("send", "--json", *arguments, "hello", server=server.address, env=env).objects[0]["room"]

    assert room() == "lobby"
    assert room(CHATCTL_ROOM="war room") == "war room"
    assert room("--room", "den", CHATCTL_ROOM="war room") == "den"
    nowhere = {"CHATCTL_SERVER": "127.0.0.1:1"}
    assert run("stats", "--server", server.address, env=nowhere).code == 0
    assert run("stats", env=nowhere).code == 78
    assert run("stats", "--timeout", "5s", env={"CHATCTL_TIMEOUT": "soon"}, server=server.address).code == 0
    done = run("stats", env={"CHATCTL_TIMEOUT": "soon"}, server=server.address)
    assert done.code == 2
    assert "soon" in done.err


@pytest.mark.parametrize("yes", ["1", "true", "True", "yes", "on"])
def test_json_from_the_environment_is_for_errors_too(yes):
    done = run("history", "--since", "some day", env={"CHATCTL_JSON": yes})
    assert done.code == 2
    assert [said["exit_code"] for said in done.stderr_objects] == [2]


def test_alone_it_shows_how_to_use_it():
    done = run()
    assert (done.code, done.out) == (2, "")
    for command in COMMANDS:
        assert command in done.err
    assert run("--help").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("shout",), "shout"), (("--loud",), "--loud"), (("stats", "--loud"), "--loud"), (("stats", "--top", "0"), "--top"),
     (("stats", "--top"), "--top"), (("send", "--split", "word"), "word"), ((b"\xff",), "")],
)  # fmt: skip
def test_wrong_usage_is_told_and_where_to_look(arguments, words):
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    if words != "--top":  # which Click says without the command
        assert "--help" in done.err
    done = run(*arguments, "--json")
    assert (done.code, done.out) == (2, "")
    assert [(said["reason"], said["exit_code"]) for said in done.stderr_objects] == [("USAGE", 2)]


def test_the_version_is_told():
    script = Path(sys.executable).with_name("chatctl")
    commands = [(sys.executable, "-m", "chatctl"), *([(script,)] if script.exists() else [])]
    for command in commands:
        assert run("--version", command=command) == (0, f"chatctl {full_version()}\n", "")


def test_every_output_stream_may_be_closed(server):
    command = (sys.executable, "-m", "chatctl")
    for arguments, closed in itertools.product((("send", "hi"), ("stats",), ("history",)), ("<&-", ">&-", "2>&-")):
        done = run(*arguments, server=server.address, command=("sh", "-c", f'exec "$@" {closed}', "sh", *command))
        assert done.code == 0
        assert "Error" not in done.err
        if arguments[0] == "send":
            assert done.out == ""


@pytest.mark.parametrize(("typed", "wanted"), [("his", "history"), ("send --sp", "--split"), ("history -o t", "table")])
def test_bash_is_told_how_a_word_may_end(typed, wanted):
    words = typed.split(" ")
    asked = {"_CHATCTL_COMPLETE": "complete_bash", "COMP_WORDS": f"chatctl {typed}", "COMP_CWORD": f"{len(words)}"}
    done = run(env=asked)
    assert (done.code, done.err) == (0, "")
    assert wanted in done.out.split()


@pytest.mark.parametrize("words", [{}, {"COMP_WORDS": "chatctl his"}, {"COMP_WORDS": "chatctl", "COMP_CWORD": "x"}])
def test_a_request_for_completions_without_words_gets_none(words):
    """The variable may be left over in an environment."""
    done = run("stats", env={"_CHATCTL_COMPLETE": "complete_bash", **words})
    assert (done.code, done.out, done.err) == (1, "", "")


@pytest.mark.parametrize("unbuffered", [None, "1"])
def test_the_version_on_a_full_disk_is_an_error(unbuffered):
    with open("/dev/full", "wb") as full:
        environment = clean_environment(env={"PYTHONUNBUFFERED": unbuffered})
        done = subprocess.run([*CHATCTL, "--version"], stdout=full, stderr=subprocess.PIPE, env=environment, text=True)
    assert (done.returncode, done.stderr) == (1, "chatctl: cannot write to stdout: No space left on device\n")


@pytest.mark.parametrize("arguments", [("send", "hi"), ("send", "hi", "--json"), ("stats",)])
def test_that_nobody_hears_of_a_failure_does_not_make_it_a_success(arguments, tmp_path):
    for stderr_is in ("a closed pipe", "a full disk"):
        reading, writing = os.pipe()
        os.close(reading)
        full = os.open("/dev/full", os.O_WRONLY)
        stderr = writing if stderr_is == "a closed pipe" else full
        command = [*CHATCTL, *arguments, "--server", f"unix:{tmp_path}/no_server"]
        assert (
            subprocess.run(
                command, stderr=stderr, env=clean_environment(env={"CHATCTL_TIMEOUT": "0.5s"}), timeout=TIMEOUT_SECONDS
            ).returncode
            == 78
        )
        os.close(writing)
        os.close(full)
