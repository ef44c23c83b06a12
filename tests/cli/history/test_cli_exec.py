"""`chatctl history --exec`: a command for each message, with real followers and every way to end them."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from tests.support.cli import CHATCTL, Process, clean_environment, run
from tests.support.kill_at_line import KillAtLine
from tests.support.waiting import TIMEOUT_SECONDS, until

NOTE = 'echo "$CHATCTL_MESSAGE_TEXT" >> notes'
SLOW = 'echo "$CHATCTL_MESSAGE_TEXT" >> notes; until [ -e go ]; do sleep 0.01; done; echo end >> notes'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Run the commands in an empty directory, which also holds the cursor file."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def arguments(room):
    """Return the arguments of a reader with a command."""
    return lambda line, *more: ["history", "--room", room, "--cursor-file", "cursor", "--exec", line, *map(str, more)]


@pytest.fixture
def execute(address, arguments):
    """Run a command for every stored message."""
    return lambda line, *more, **env: run(*arguments(line, *more), server=address, **env)


@pytest.fixture
def follow(address, arguments):
    """Start a follower. Followers that a test leaves running are killed."""
    started = []

    def follow(line, *more, env=None):
        started.append(Process(*arguments(line, "--follow", *more), server=address, env=env))
        return started[-1]

    yield follow
    for process in started:
        process.popen.kill()


@pytest.fixture
def cursors(address, room):
    """Return the cursor of each message by its text."""

    def cursors():
        found = run("history", "--room", room, "--json", server=address).objects
        return {message["text"]: message["cursor"] for message in found}

    return cursors


def notes():
    """Return the lines that commands have written so far."""
    return read("notes").splitlines()


def read(name):
    if not os.path.exists(name):
        return ""
    with open(name) as file:
        return file.read()


def saved_cursor():
    """Return the first line of the cursor file. The second one identifies the filter."""
    return read("cursor").splitlines()[0]


# --- the input of the command


def test_it_runs_for_each_message_in_order_and_nothing_else_is_printed(send, execute, address, room):
    send("a", "b\tc", "", "ünïcödé 🎉")
    json = run("history", "--room", room, "--json", server=address).out
    assert execute("cat") == (0, json, "")
    os.unlink("cursor")
    line = 'echo "$CHATCTL_MESSAGE_ROOM/$CHATCTL_MESSAGE_USER/$CHATCTL_MESSAGE_TEXT"'
    assert execute(line).lines == [f"{room}/tess/{text}" for text in ("a", "b\tc", "", "ünïcödé 🎉")]


def test_a_follower_runs_it_for_one_message_at_a_time(send, follow):
    process = follow("echo begin; cat > /dev/null; echo end")
    send(*range(50))
    send("last")
    until(lambda: len(process.out.lines) == 102)
    assert process.signal(signal.SIGINT).wait().lines == ["begin", "end"] * 51


def test_a_command_can_send_a_reply(send, follow, address, room):
    """A chatctl in the command uses the server of the message, not that of the environment."""
    line = '"$PYTHON" -m chatctl send --room "$CHATCTL_MESSAGE_ROOM" --user bot "re: $CHATCTL_MESSAGE_TEXT"'
    env = {"CHATCTL_SERVER": "127.0.0.1:1", "PYTHON": CHATCTL[0]}
    process = follow(line, "--user", "tess", "--server", address, env=env)
    send("hello", "bye")
    texts = ("history", "--room", room, "--user", "bot", "--output", "text")
    until(lambda: run(*texts, server=address).lines == ["re: hello", "re: bye"])
    assert process.signal(signal.SIGTERM).wait().code == 143


def test_a_huge_text_is_only_on_stdin(send, address, room, execute):
    text = "\x01" * 65_536
    assert run("send", "--room", room, "--split", "none", piped=text, server=address).code == 0
    send("\0", "small")
    assert int(execute("wc -c").lines[0]) > 6 * 65_536
    os.unlink("cursor")
    assert execute('echo "${CHATCTL_MESSAGE_TEXT-none}"').lines[1:] == ["none", "small"]
    os.unlink("cursor")
    assert execute("exec <&-").code == 0
    os.unlink("cursor")
    assert execute("head -c 1 > /dev/null").code == 0


# --- the end of the command


def test_the_cursor_advances_behind_each_message_that_is_done(send, execute, cursors):
    send("a", "b", "c")
    assert execute("head -n 1 cursor >> notes 2> /dev/null; :").code == 0
    first, second, third = cursors().values()
    log, _, sequence = first.partition(":")
    assert notes() == [f"{log}:{int(sequence) - 1}", first, second]
    assert saved_cursor() == third


def test_a_failing_command_ends_it_before_its_message(send, execute, cursors):
    send("good", "bad", "after")
    line = f'{NOTE}; [ "$CHATCTL_MESSAGE_TEXT" != bad ]'
    done = execute(line, "--exec-retries", 0)
    assert (done.code, done.out, notes()) == (1, "", ["good", "bad"])
    for words in ("failed for message", "(exit code 1; tried once)", os.path.realpath("cursor")):
        assert words in done.err
    assert saved_cursor() == cursors()["good"]
    assert sorted(os.listdir()) == ["cursor", "notes"]
    assert execute(NOTE).code == 0
    assert notes() == ["good", "bad", "bad", "after"]


def test_without_a_file_the_error_says_where_to_continue(send, address, room, cursors):
    send("good", "bad")
    line = '[ "$CHATCTL_MESSAGE_TEXT" != bad ]'
    done = run("history", "-f", "--room", room, "--exec", line, "--exec-retries", "0", server=address)
    assert done.code == 1
    assert f"--after {cursors()['good']}" in done.err


def test_a_failing_command_is_retried(send, follow):
    process = follow(f"{NOTE}; [ $(wc -l < notes) -ge 3 ]", "--exec-retries", 2)
    send("a", "b")
    until(lambda: notes() == ["a", "a", "a", "b"])
    done = process.signal(signal.SIGINT).wait()
    assert done.code == 130
    assert [line.rpartition("; ")[2] for line in done.err.splitlines()] == ["trying again in 0.5 s", "trying again in 1 s"]


def test_three_retries_are_the_default(send, execute):
    send("a")
    done = execute(f"{NOTE}; kill -9 $$", "--json")
    assert (done.code, notes()) == (1, ["a"] * 4)
    *notices, error = done.stderr_objects
    assert [list(notice) for notice in notices] == [["notice"]] * 3
    assert (error["reason"], error["exit_code"]) == ("COMMAND_FAILED", 1)
    assert "(ended by SIGKILL; tried 4 times)" in error["error"]


def test_a_command_that_is_not_there_fails(send, execute):
    send("a")
    done = execute("./nowhere", "--exec-retries", "0")
    assert done.code == 1
    assert "nowhere: not found" in done.err
    assert "exit code 127" in done.err


def test_background_processes_are_not_waited_for(send, execute):
    send("a", "b")
    # It has our stdout, which the test reads to the end, so it must end at some time.
    done = execute("(until [ -e go ]; do sleep 0.01; done) & [ $CHATCTL_MESSAGE_TEXT = a ] || touch go")
    assert (done.code, done.out, done.err) == (0, "", "")


# --- signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_it_finish_and_the_message_is_done(send, follow, cursors, number):
    send("a", "b")
    process = follow(SLOW)
    until(notes)
    process.signal(number)
    open("go", "w").close()
    done = process.wait()
    assert (done.code, done.err, notes()) == (128 + number, "", ["a", "end"])
    assert saved_cursor() == cursors()["a"]


def test_ctrl_c_at_a_terminal_does_not_reach_it(send, arguments, address, cursors):
    """There it is sent to the whole process group."""
    send("a", "b")
    command = [*CHATCTL, *arguments(SLOW, "--follow")]
    process = subprocess.Popen(command, env=clean_environment(address), process_group=0)
    try:
        until(notes)
        os.killpg(process.pid, signal.SIGINT)
        open("go", "w").close()
        assert process.wait(TIMEOUT_SECONDS) == 130
    finally:
        process.kill()
    assert notes() == ["a", "end"]
    assert saved_cursor() == cursors()["a"]


def test_a_second_signal_ends_it_and_the_message_is_not_done(send, follow, cursors):
    send("a")
    process = follow("echo $$ > number; exec sleep 1000")
    number = until(lambda: read("number"))
    process.signal(signal.SIGINT)
    process.signal(signal.SIGTERM)
    done = process.wait()
    assert done.code in (130, 143)  # two signals at once may come in any order
    assert "ended by SIGTERM" in done.err
    assert sorted(os.listdir()) == ["cursor", "number"]
    assert not os.path.exists(f"/proc/{number.strip()}")


def test_a_signal_ends_the_wait_for_a_retry(send, follow, cursors):
    send("good", "bad")
    line = f'{NOTE}; [ "$CHATCTL_MESSAGE_TEXT" != bad ]'
    process = follow(line, "--exec-retries", 100)
    until(lambda: "trying again in 4 s" in process.err.text)
    done = process.signal(signal.SIGTERM).wait()
    assert done.code == 143
    assert "(exit code 1; tried 4 times)" in done.err
    assert saved_cursor() == cursors()["good"]


def test_a_signal_between_messages_ends_it_at_once(send, follow, cursors):
    send("a")
    process = follow(NOTE)
    until(lambda: read("cursor"))
    done = process.signal(signal.SIGTERM).wait()
    assert (done.code, done.err, notes()) == (143, "", ["a"])
    assert sorted(os.listdir()) == ["cursor", "notes"]


STEPS = [*range(1, 75, 24), *range(76, 190, 9)]  # lines: the start takes about 75, each message about 50


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ended_at_any_step_every_message_is_done(send, execute, follow, tmp_path, number):
    """At least once after SIGKILL, exactly once after SIGTERM."""
    count = 3 * len(STEPS)
    texts = [str(text) for text in range(1, count + 1)]
    send(*texts)
    stop_at = KillAtLine(tmp_path / "stops")
    for step in STEPS:
        code = follow(NOTE, env=stop_at(number, step)).wait().code
        # Before the handler is set, SIGTERM ends it like any program.
        assert code in (-number, 128 + number)
    assert execute(NOTE).code == 0
    done = Counter(until(lambda: len(set(notes())) == count and notes()))
    assert list(done) == texts or number == signal.SIGKILL  # a command of a killed process may end late
    assert set(done) == set(texts)
    assert done.total() - count <= (len(STEPS) if number == signal.SIGKILL else 0)
    assert sorted(os.listdir()) == ["cursor", "notes"]


IGNORES_CHILDREN = (
    *(sys.executable, "-c"),
    "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execvp(sys.argv[1], sys.argv[1:])",
)


def test_a_parent_that_ignores_sigchld_hides_no_exit_code(address, room, arguments):
    """The disposition is inherited. The kernel then removes ended children before anybody has asked how they ended."""
    run("send", "-q", "--room", room, "one", server=address)
    command = [*IGNORES_CHILDREN, *CHATCTL]
    for _ in range(2):
        assert Process(*arguments(NOTE), server=address, command=command).wait().code == 0
    with open("notes") as notes:
        assert notes.read() == "one\n"
    run("send", "-q", "--room", room, "two", server=address)
    done = Process(*arguments("exit 3", "--exec-retries", 0), server=address, command=command).wait()
    assert done.code == 1
    assert "exit code 3" in done.err


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_the_command_gets_dev_null_for_a_descriptor_that_is_closed(address, room, arguments, closed):
    run("send", "-q", "--room", room, "one", server=address)
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh", *CHATCTL)
    line = "(for n in 1 2; do readlink /proc/$$/fd/$n; done > notes)"  # $$ is the process outside of the parentheses
    assert Process(*arguments(line), server=address, command=shell).wait().code == 0
    with open("notes") as notes:
        shown = notes.read().splitlines()
    assert len(shown) == 2
    assert [name == os.devnull for name in shown] == [f"{number}>&-" in closed for number in (1, 2)]
