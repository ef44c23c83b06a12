"""The command that runs for each message, in real shells."""

import asyncio
import contextlib
import gc
import json
import os
import resource
import signal
import sys
import warnings
from pathlib import Path

import pytest

from chatctl.cli.history import exec_command
from chatctl.cli.history.exec_command import ExecCommand, ExecMessage
from chatctl.errors import ExecFailed
from tests.support.cli import run
from tests.support.waiting import until_async

TIME = 1_795_355_587_461_106
LINE = b'{"sequence":17}\n'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Run the commands in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message(command, text="hello", json_line=LINE, room="lobby", user="ann", input_id="", number=0):
    """Return a run of the command for this message."""
    return command.run(ExecMessage(17, room, user, text, TIME, json_line, input_id, number))


def execute(line, retries=0, notice=None, **of):
    """Run a command line for a message."""
    asyncio.run(message(ExecCommand(line, retries, "127.0.0.1:50051", notice), **of))


def failure(line, retries=0, notice=None, **of):
    """Return the error of a command that fails."""
    with pytest.raises(ExecFailed) as failed:
        execute(line, retries, notice, **of)
    return str(failed.value)


def children():
    """Return whether this process has children, dead or alive."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def runs(number):
    """Return whether a process that is not our child is alive."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return ") Z " not in file.read()
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextlib.asynccontextmanager
async def under_way(line, retries=0, notice=None):
    """Start a command that creates the file `begun`, and yield it and its run."""
    command = ExecCommand(line, retries, "127.0.0.1:50051", notice)
    task = asyncio.create_task(message(command))
    await until_async(lambda: os.path.exists("begun"))
    assert not task.done()
    yield command, task
    assert task.done()


# --- the input of the command


def variables():
    """Return our variables that a command wrote to `out`."""
    with open("out", "rb") as file:
        pairs = [entry.partition(b"=") for entry in file.read().split(b"\0")]
    return {name.decode(): value.decode() for name, _, value in pairs if name.startswith(b"CHATCTL_")}


def test_the_message_is_in_its_environment(monkeypatch):
    monkeypatch.setenv("CHATCTL_ROOM", "ours")
    monkeypatch.setenv("CHATCTL_SERVER", "elsewhere:1")
    for name in ("CHATCTL_MESSAGE_OLD", "CHATCTL_EXEC", "CHATCTL_CURSOR_FILE"):
        monkeypatch.setenv(name, "what started us")
    execute("env -0 > out", text="two\nlines, ünïcödé\t🎉 $(false) `false`", room="war room", user="=x")
    assert variables() == {
        "CHATCTL_ROOM": "ours",
        "CHATCTL_SERVER": "127.0.0.1:50051",
        "CHATCTL_MESSAGE_SEQUENCE": "17",
        "CHATCTL_MESSAGE_ROOM": "war room",
        "CHATCTL_MESSAGE_USER": "=x",
        "CHATCTL_MESSAGE_TEXT": "two\nlines, ünïcödé\t🎉 $(false) `false`",
        "CHATCTL_MESSAGE_TIME": "2026-11-22T13:53:07.461106Z",
    }


def test_the_input_id_and_number_are_in_it_if_they_are_known(monkeypatch):
    monkeypatch.setenv("CHATCTL_MESSAGE_INPUT_ID", "of another message")
    execute("env -0 > out")
    assert not {"CHATCTL_MESSAGE_INPUT_ID", "CHATCTL_MESSAGE_NUMBER"} & variables().keys()
    execute("env -0 > out", input_id="ci log", number=23)
    found = variables()
    assert (found["CHATCTL_MESSAGE_INPUT_ID"], found["CHATCTL_MESSAGE_NUMBER"]) == ("ci log", "23")


@pytest.mark.parametrize("text", ["", "x" * 65_536, "é" * 32_768])
def test_a_text_of_64_kib_is_in_it(text):
    execute("env -0 > out", text=text)
    assert variables()["CHATCTL_MESSAGE_TEXT"] == text


@pytest.mark.parametrize("text", ["x" * 65_537, "é" * 32_769, "a\0b", "\0"])
def test_a_text_that_no_variable_can_hold_is_left_out_and_so_is_an_inherited_one(text, monkeypatch):
    monkeypatch.setenv("CHATCTL_MESSAGE_TEXT", "of another message")
    line = json.dumps({"text": text}).encode() + b"\n"
    execute("env -0 > out; cat > in", text=text, json_line=line)
    assert "CHATCTL_MESSAGE_TEXT" not in variables()
    assert variables()["CHATCTL_MESSAGE_SEQUENCE"] == "17"
    with open("in") as file:
        assert json.load(file) == {"text": text}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "en_US.ISO-8859-1"])
def test_it_works_in_every_locale(locale):
    source = """
import asyncio
from chatctl.cli.history.exec_command import ExecCommand, ExecMessage
message = ExecMessage(17, "\\xfcn\\xef", "\\U0001f389", "\\u65e5\\u672c", 0, b"{}")
asyncio.run(ExecCommand("env -0 > out", 0, "unix:s").run(message))
"""
    env = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert run(command=[sys.executable, "-c", source], env=env) == (0, "", "")
    values = variables()
    assert [values[f"CHATCTL_MESSAGE_{name}"] for name in ("ROOM", "USER", "TEXT")] == ["ünï", "🎉", "日本"]


HUGE = b'{"text":"' + b"\\u0001" * 65_536 + b'"}\n'


@pytest.mark.parametrize("line", [LINE, HUGE])
@pytest.mark.parametrize(
    ("command", "size"),
    [("cat > in", None), ("cat /dev/stdin > in", None), ("head -c 10 > in", 10), (": > in", 0), ("exec <&-; : > in", 0),
     ("cat | cat > in", None), ("read -r line; printf '%s\\n' \"$line\" > in", None)],
)  # fmt: skip
def test_stdin_is_the_json_line_and_may_be_read_partly(line, command, size):
    if command.startswith("read"):
        line = line.replace(b"\\", b"/")
    execute(command, json_line=line)
    with open("in", "rb") as file:
        assert file.read() == line[:size]


def test_its_stdout_and_stderr_are_ours(capfd):
    execute('echo "to $CHATCTL_MESSAGE_USER"; echo oh >&2')
    assert capfd.readouterr() == ("to ann\n", "oh\n")


def test_a_pipe_in_it_ends_as_in_any_shell(capfd):
    """Python ignores SIGPIPE; its child processes must not."""
    execute("yes | head -n 1")
    assert capfd.readouterr() == ("y\n", "")


def test_a_command_line_is_not_taken_for_an_option_of_the_shell():
    assert "exit code 127" in failure("-x 3>out")
    assert os.listdir() == ["out"]


# --- the end of the command


@pytest.mark.parametrize(
    ("line", "what"),
    [("exit 3", "exit code 3"), ("false", "exit code 1"), ("kill -KILL $$", "ended by SIGKILL"),
     ("kill -TERM $$", "ended by SIGTERM"), ("kill -40 $$", "ended by signal 40"),
     ("sh -c 'kill -9 $$'; exit", "exit code 137")],
)  # fmt: skip
def test_a_failure_has_its_cause(line, what):
    told = failure(line, room="a\x1b[1mroom")
    assert told == f"`{line}` failed for message 17 of room a\\x1b[1mroom ({what}; tried once)"


def test_a_missing_command_is_a_failure(capfd):
    assert failure("./nowhere") == "`./nowhere` failed for message 17 of room lobby (exit code 127; tried once)"
    assert "not found" in capfd.readouterr().err


def test_a_long_command_line_is_shortened():
    assert failure("exit 1;\n" + "x" * 100).startswith("`exit 1;\\n" + "x" * 51 + "…` failed")


def test_retries_have_growing_pauses_and_the_whole_message():
    notices = []
    execute("cat > in; echo x >> tries; [ $(wc -l < tries) -gt 2 ]", 3, notices.append)
    command = "`cat > in; echo x >> tries; [ $(wc -l < tries) -gt 2 ]`"
    assert notices == [
        f"{command} failed for message 17 of room lobby (exit code 1); trying again in {pause} s" for pause in ("0.5", "1")
    ]
    with open("in", "rb") as file:
        assert file.read() == LINE


def test_a_command_that_always_fails_runs_once_and_then_for_each_retry():
    notices = []
    assert "(exit code 4; tried 3 times)" in failure("echo x >> tries; exit 4", 2, notices.append)
    with open("tries") as file:
        assert file.read() == "x\n" * 3
    assert len(notices) == 2


async def test_each_message_has_its_own_retries():
    command = ExecCommand("echo x >> tries; [ $(wc -l < tries) = 2 ] || [ $(wc -l < tries) = 4 ]", 1, "unix:s")
    await message(command)
    await message(command)
    with pytest.raises(ExecFailed, match="tried 2 times"):
        await message(command)


async def test_pauses_are_bounded():
    """This test does not wait for the pauses."""

    pauses = []

    async def no_pause(seconds):
        pauses.append(seconds)
        return len(pauses) < 1100  # above that, 2 ** n does not fit a float

    command = ExecCommand("exit 1", 10_000, "unix:s")
    command._wait_before_retry = no_pause
    with pytest.raises(ExecFailed):
        await message(command)
    assert pauses[:6] == [0.5, 1, 2, 4, 8, 10]
    assert set(pauses[5:]) == {10}


async def test_a_command_that_cannot_be_started_is_retried():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    notices = []

    def notice(text):
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        notices.append(text)

    command = ExecCommand("echo done > out", 1, "unix:s", notice)
    await asyncio.to_thread(int)  # the loop and its thread have the descriptors they need
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, before[1]))
    try:
        await message(command)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert len(notices) == 1
    assert "(cannot start it: Too many open files); trying again" in notices[0]
    assert os.listdir() == ["out"]


async def test_a_slow_command_is_waited_for():
    async with under_way("echo > begun; until [ -e go ]; do sleep 0.01; done; echo > out") as (_, task):
        os.mkfifo("go")
        await task
    assert os.path.exists("out")


def test_background_processes_are_not_waited_for():
    execute("sleep 1000 & echo $! > number")
    with open("number") as file:
        number = int(file.read())
    os.kill(number, signal.SIGKILL)  # so it was alive
    assert not children()


async def test_a_thousand_messages_leave_nothing_behind():
    def descriptors():
        return set(os.listdir("/proc/self/fd"))

    command = ExecCommand('[ "$CHATCTL_MESSAGE_TEXT" = hello ]', 0, "unix:s")
    await message(command)
    gc.collect()  # what earlier tests have left
    before = descriptors()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(1000):
            await message(command)
        gc.collect()
    assert descriptors() == before
    assert [str(warning.message) for warning in warned] == []
    assert not children()


# --- signals


def test_it_has_a_process_group_of_its_own_in_our_session():
    """So the terminal's Ctrl-C does not reach it, and only we end it."""
    execute("cut -d ' ' -f 5,6 /proc/$$/stat > out; echo $$ >> out")
    with open("out") as file:
        group, session, number = map(int, file.read().split())
    assert group == number
    assert session == os.getsid(0)


async def test_an_interrupt_lets_it_finish():
    async with under_way("echo > begun; until [ -e go ]; do sleep 0.01; done; echo > out") as (command, task):
        command.stop_retrying()
        os.mkfifo("go")
        await task
    assert os.path.exists("out")


async def test_after_an_interrupt_nothing_is_tried_again():
    notices = []

    line = "echo > begun; until [ -e go ]; do sleep 0.01; done; exit 5"
    async with under_way(line, 3, notices.append) as (command, task):
        command.stop_retrying()
        os.mkfifo("go")
        with pytest.raises(ExecFailed, match=r"exit code 5; tried once"):
            await task
    assert notices == []


@pytest.mark.parametrize("end", [ExecCommand.stop_retrying, ExecCommand.terminate])
async def test_an_interrupt_ends_a_pause(end, monkeypatch):
    for name in ("INITIAL_EXEC_BACKOFF_SECONDS", "MAX_EXEC_BACKOFF_SECONDS"):
        monkeypatch.setattr(exec_command, name, 3600)

    paused = asyncio.Event()
    command = ExecCommand("echo x >> tries; exit 1", 3, "unix:s", lambda _: paused.set())
    task = asyncio.create_task(message(command))
    await paused.wait()
    await asyncio.sleep(0)
    end(command)
    with pytest.raises(ExecFailed, match="tried once"):
        await task


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("echo > begun; exec sleep 1000", "SIGTERM"),
        ("echo > begun; sleep 1000; :", "SIGTERM"),
        ("echo > begun; kill -STOP $$; :", "SIGTERM"),
        ("trap '' TERM; echo > begun; while :; do sleep 1000; done", "SIGKILL"),
        ("trap 'exit 6' TERM; echo > begun; while :; do sleep 0.01; done", "exit code 6"),
    ],
)
async def test_it_can_be_ended(line, what):
    async with under_way(line, 3) as (command, task):
        command.terminate()
        with pytest.raises(ExecFailed, match=f"{what}; tried once"):
            await task
    assert not children()


async def test_its_children_end_with_it():
    line = "sleep 1000 & echo $! > number; mv number begun; wait; :"
    async with under_way(line) as (command, task):
        command.terminate()
        with pytest.raises(ExecFailed):
            await task
    number = int(Path("begun").read_text())
    await until_async(lambda: not runs(number))
    assert not children()


async def test_a_command_that_exits_with_0_when_it_is_ended_is_done():
    line = "trap 'echo > out; exit 0' TERM; echo > begun; while :; do sleep 0.01; done"
    async with under_way(line) as (command, task):
        command.terminate()
        await task
    assert os.path.exists("out")


async def test_a_cancelled_run_ends_it():
    async with under_way("trap '' TERM; echo $$ > number; mv number begun; sleep 1000; :") as (_, task):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not children()


async def test_terminate_between_two_messages_signals_no_process():
    command = ExecCommand("echo x >> tries", 3, "unix:s")
    await message(command)
    command.terminate()
    assert os.listdir() == ["tries"]
