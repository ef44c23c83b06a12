"""`--exec` for a room with many stored messages tells a person how to begin with new ones."""

import pytest

from tests.support.cli import Process, Terminal, run

NOTICE = "the command runs for more than 100 stored messages"


@pytest.fixture(scope="module")
def many(address):
    """Return a room with 101 messages."""
    done = run("send", "--room", "many", "--input-id", "many", piped="x\n" * 101, server=address)
    assert done.code == 0
    return "many"


def told(address, room, *arguments):
    """Return what a terminal shows of a run whose command fails for the first message."""
    terminal = Terminal(200)
    process = Process(
        *("history", "--room", room, "--exec", "exit 1", "--exec-retries", "0", *arguments),
        server=address,
        stderr=terminal.descriptor,
    )
    assert process.wait().code == 1
    return terminal.close()


@pytest.mark.parametrize("arguments", [(), ("--follow",), ("--grep", "X"), ("--count", "101")])
def test_a_person_is_told_that_a_command_runs_for_many_stored_messages(address, many, arguments):
    text = told(address, many, *arguments)
    assert text.count(NOTICE) == 1
    assert text.index(NOTICE) < text.index("exit code 1")
    assert "--follow --last 0" in text


@pytest.mark.parametrize("arguments", [("--last", "101"), ("--since", "1d"), ("--count", "100"), ("--grep", "none")])
def test_who_says_where_to_start_or_has_few_messages_is_not_told(address, many, room, arguments):
    assert run("send", "--room", room, "none", server=address).code == 0
    assert NOTICE not in told(address, room if "none" in arguments else many, *arguments)


def test_a_program_is_not_told(address, many):
    done = run("history", "--room", many, "--exec", "exit 1", "--exec-retries", "0", server=address)
    assert done.code == 1
    assert NOTICE not in done.err
