"""Options that contradict each other or have no effect are refused, and hints lead to the right option."""

import shlex

import pytest

from tests.support.cli import run
from tests.support.tmux import Pane

CURSOR = "1f0b2a6cf7a54e0f:1"
REFUSED = {
    # --- values that would be ignored
    "history --count 3 --limit 5": "--count or -c or --limit is given more than once",
    "history -n 3 --last 5": "--last or -n is given more than once",
    "history --since 1h --since 2h": "--since is given more than once",
    "send --room a --room b hello": "--room or -r is given more than once",
    "send --receipts a --receipts b hello": "--receipts is given more than once",
    "stats --top 3 --top 4": "--top is given more than once",
    "join --user a -u b": "--user or -u is given more than once",
    "serve --store sqlite:a --store sqlite:b": "--store is given more than once",
    "serve --listen unix:a --listen unix:a": "is given twice",
    "history --grep ''": "'--grep': the value is empty",
    "history --after ''": "'--after': the value is empty",
    # --- pairs
    "history --json --output text": "--json cannot be used with --output text",
    "history --output table --json": "--json cannot be used with --output table",
    "history --since 1h --until 2h": "'--since': it is after --until",
    "history --since tomorrow --until +1m": "'--since': it is after --until",
    "history --exec-retries 2": "--exec-retries needs --exec",
    f"history --last 3 --after {CURSOR}": "--last cannot be used with --after",
    "history --exec true --output text": "--output text cannot be used with --exec",
    "history --exec true --utc": "--utc cannot be used with --exec",
    "history --output text --utc": "--utc cannot be used with --output text",
    "history -f --until 10m": "'--until': 10m is in the past: use +10m",
    "history -f --until yesterday": "'--until': yesterday is in the past: use +10m",
    "history --wait 3s --until now": "'--until': now is in the past",
    "history --exec ' '": "'--exec': the command is empty",
    "send --resume f --split null": "--split cannot be used with --resume",
    "send --split null hello": "--split cannot be used with TEXT",
    "send --resume f hello": "'--resume': it excludes TEXT",
    "send --resume f --room a": "'--resume': it excludes TEXT, --room",
    "join --theme dark --plain": "--theme cannot be used with --plain",
    "join --theme dark --json": "--theme cannot be used with --json",
    # --- what users of other programs type
    "history lobby": "unexpected argument 'lobby': name rooms with --room, as in `chatctl history --room lobby`",
    "history 'war room'": "`chatctl history --room 'war room'`",
    "stats lobby": "`chatctl stats --room lobby`",
    "verify a b": "unexpected argument 'b': it reads one file",
    "serve 50051": "name an address with --listen",
    "serve --port 50051": "unknown option --port: name the address with --listen HOST:PORT",
    "serve -p 50051": "name the address with --listen",
    "history --tail 3": "use --last N",
    "history --from 1h": "use --since",
    "send --message hello": "`chatctl send hello`",
    "send --file log": "`chatctl send < FILE`",
    "stats --host a": "name the server with --server HOST:PORT",
    "join --room a": "`chatctl join ROOM`",
    "--server x send hello": "--server stands before the command: write it after, as in `chatctl send --server",
    "--json history": "--json stands before the command: write it after",
    "version": "unknown command version: use chatctl --version",
    "-v": "use chatctl --version",
    "help send": "use chatctl --help, or chatctl COMMAND --help",
    "tail -f": "use chatctl history, with -f to follow",
    "history --rom a": "No such option: --rom (Possible options: --room)",
}


@pytest.mark.parametrize("command", REFUSED)
def test_a_call_that_would_ignore_something_is_refused_with_a_hint(command):
    done = run(*shlex.split(command))
    assert (done.code, done.out) == (2, "")
    assert REFUSED[command] in (done.stderr_objects[0]["error"] if done.err.startswith("{") else done.err)


ALLOWED = [
    "history --json --output json",
    "history --grep a --grep b --room a --room b --user a --user b",
    "history --since 1h --until 1h",
    "history --follow --follow --wait 1s",
    "history --last 3 --count 5 --since 1h",
    "history --exec true --exec-retries 0 --json",
    "history --utc --json",
    "join --plain --json --last 3",
    "send --split null -",
    "send --json --quiet --no-color hello",
    "stats --room a --top 3 --json --utc",
]


@pytest.mark.parametrize("command", ALLOWED)
def test_options_that_agree_are_accepted(command):
    """Nothing listens there: the command gets as far as the server."""
    done = run(*shlex.split(command), server="127.0.0.1:1", env={"CHATCTL_TIMEOUT": "0.1s"}, piped="a\0")
    assert done.code == 78, done


VARIABLES = {
    "stats": {"CHATCTL_TIMEOUT": "abc", "CHATCTL_SERVER": "nowhere", "CHATCTL_UTC": "maybe"},
    "history": {"CHATCTL_OUTPUT": "xml", "CHATCTL_TIMEOUT": "-1"},
    "send": {"CHATCTL_ROOM": "a\nb", "CHATCTL_USER": "a\nb", "CHATCTL_QUIET": "maybe"},
    "join": {"CHATCTL_ROOM": "a\nb", "CHATCTL_USER": "a\nb", "CHATCTL_TIMEOUT": "soon"},
    "serve": {"CHATCTL_LISTEN": "nowhere", "CHATCTL_TEXT_BYTES": "0", "CHATCTL_STREAMS": "x", "CHATCTL_GRACE": "abc"},
}


@pytest.mark.parametrize(
    ("command", "variable"), [(command, variable) for command, values in VARIABLES.items() for variable in values]
)
def test_the_error_of_a_variable_names_the_variable(command, variable):
    done = run(command, env={variable: VARIABLES[command][variable]}, piped="")
    assert done.code == 2
    assert f"'{variable}'" in done.err
    assert "--" + variable.removeprefix("CHATCTL_").lower().replace("_", "-") not in done.err.partition("\n")[0]


def test_the_error_of_an_option_names_the_option_although_there_is_a_variable():
    done = run("stats", "--timeout", "abc", env={"CHATCTL_TIMEOUT": "1s"})
    assert done.code == 2
    assert "'--timeout'" in done.err


def test_the_format_of_the_command_line_is_stronger_than_that_of_a_variable(server):
    assert run("send", "--room", "formats", "hello", server=server.address).code == 0
    arguments = ("history", "--room", "formats")
    assert run(*arguments, "-o", "text", server=server.address, env={"CHATCTL_JSON": "1"}).lines == ["hello"]
    assert run(*arguments, "--json", server=server.address, env={"CHATCTL_OUTPUT": "text"}).objects[0]["text"] == "hello"
    assert run(*arguments, server=server.address, env={"CHATCTL_JSON": "1"}).objects[0]["text"] == "hello"
    for text in (("-o", "text"), ("-otext",), ("--output=text",), ("--output", "text")):
        done = run(*arguments, *text, "--last", "x", env={"CHATCTL_JSON": "1"})
        assert (done.code, done.err.startswith("chatctl: Invalid value for '--last'")) == (2, True)
    for name in ("--output=json", "-ojson"):
        assert run(*arguments, name, "--last", "x", env={"CHATCTL_OUTPUT": "text"}).stderr_objects[0]["exit_code"] == 2


@pytest.mark.parametrize("command", ["send hello", "join --plain"])
@pytest.mark.parametrize("variable", ["CHATCTL_ROOM", "CHATCTL_USER"])
def test_a_variable_that_looks_like_a_list_is_one_name_and_the_user_is_told(server, command, variable):
    """Version 0.1.0 read a list there for `history`. Such a user looks elsewhere."""
    arguments, noun = shlex.split(command), variable[8:].lower()
    done = run(*arguments, server=server.address, env={variable: "ops,ci"}, piped="hello\n")
    assert done.code == 0
    assert done.err.startswith(f"chatctl: {variable} holds one name: 'ops,ci' is one {noun}, not a list\n")
    stored = run("history", f"--{noun}", "ops,ci", "--json", server=server.address).objects
    assert stored[-1][noun] == "ops,ci"
    option = () if (noun, arguments[0]) == ("room", "join") else (f"--{noun}",)
    named = run(*arguments, *option, "ops,ci", server=server.address, env={variable: "ops,ci"}, piped="hello\n")
    assert (named.code, "holds one name" in named.err) == (0, False)


def test_the_notice_of_such_a_variable_can_be_json_or_left_out(server):
    env = {"CHATCTL_ROOM": "ops,ci"}
    done = run("send", "--json", "hello", server=server.address, env=env)
    assert done.stderr_objects[0] == {"notice": "CHATCTL_ROOM holds one name: 'ops,ci' is one room, not a list"}
    assert run("send", "--quiet", "hello", server=server.address, env=env) == (0, "", "")


def test_history_without_a_match_says_which_rooms_do_not_exist(server):
    assert run("send", "--room", "known", "hello", server=server.address).code == 0

    def err(*arguments):
        done = run("history", *arguments, server=server.address)
        assert (done.code, done.out) == (0, "")
        return done.err

    assert err("-r", "typo") == "chatctl: no messages: no room 'typo' exists\n"
    assert err("-r", "typo", "-r", "known", "-g", "x") == "chatctl: no messages: no room 'typo' exists\n"
    assert err("-r", "typo", "-r", "tipo", "-r", "typo") == "chatctl: no messages: no rooms 'typo', 'tipo' exist\n"
    assert err("-r", "known", "-g", "nothing") == "chatctl: no messages\n"
    assert err("-r", "typo", "-o", "text") == ""


def test_asked_for_no_messages_history_does_not_say_that_there_are_none(server, tmp_path):
    done = run("history", "--last", "0", "--cursor-file", tmp_path / "cursor", server=server.address)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_full_screen_refuses_an_option_of_line_mode(server):
    for option in ("--last=3", "--invalid=replace"):
        with Pane("join", option, server=server.address) as pane:
            assert pane.wait() == 2
            assert f"{option.partition('=')[0]} needs --plain or --json" in pane.screen
