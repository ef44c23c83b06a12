"""`chatctl history --input-id`: the messages of one input, with their numbers."""

import asyncio
import signal

import pytest

from tests.support.cli import FollowProcess, run
from tests.support.fake_servers import ENDS, fake_server, page
from tests.support.servers import ServerFactory
from tests.support.waiting import until

KEYS = ["sequence", "room", "user", "input_id", "number", "text", "time", "cursor"]


def send(server, input_id, *texts, room="lobby", user="ann"):
    """Send all texts of an input. Texts that are stored already are not stored again."""
    piped = "".join(f"{text}\n" for text in texts)
    done = run("send", "--input-id", input_id, "--room", room, "--user", user, piped=piped, server=server)
    assert done.code == 0, done.err


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Return the address of a server with three inputs, whose messages alternate."""
    servers = ServerFactory(tmp_path_factory.mktemp("server"))
    address = servers().address
    for count in range(1, 5):
        send(address, "ci log", *(f"line {number}" for number in range(1, count + 1)))
        send(address, "nightly", *(f"night {number}" for number in range(1, count + 1)), user="bob")
        send(address, "ci log 2", *(f"other {number}" for number in range(1, count + 1)), room="den")
    yield address
    servers.close()


def records(done):
    """Return the number and text of each message of a --json output."""
    assert (done.code, done.err) == (0, "")
    return [(message["number"], message["text"]) for message in done.objects]


def test_one_input_is_printed_with_its_numbers(address):
    done = run("history", "--json", "--input-id", "ci log", server=address)
    assert records(done) == [(number, f"line {number}") for number in range(1, 5)]
    assert all(list(message) == KEYS for message in done.objects)
    assert {(message["input_id"], message["room"], message["user"]) for message in done.objects} == {
        ("ci log", "lobby", "ann")
    }
    everything = {message["sequence"]: message for message in run("history", "--json", server=address).objects}
    for message in done.objects:
        expected = everything[message["sequence"]]
        assert {key: message[key] for key in expected} == expected


def test_other_formats_are_filtered_too(address):
    texts = run("history", "-o", "text", "--input-id", "nightly", server=address)
    assert texts.lines == [f"night {number}" for number in range(1, 5)]
    header, _, *rows = run("history", "--input-id", "nightly", server=address).lines
    assert header.split() == ["sequence", "time", "room", "user", "text"]
    assert [row.split()[-1] for row in rows] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (("--room", "lobby"), [1, 2, 3, 4]),
        (("--room", "den"), []),
        (("--user", "ann"), [1, 2, 3, 4]),
        (("--user", "bob"), []),
        (("--grep", "E 3"), [3]),
        (("--last", "2"), [3, 4]),
        (("--count", "3"), [1, 2, 3]),
        (("--until", "1h"), []),
    ],
)
def test_a_message_must_match_the_other_filters_too(address, filters, numbers):
    done = run("history", "--json", "--input-id", "ci log", *filters, server=address)
    assert [number for number, _ in records(done)] == numbers


@pytest.mark.parametrize("follow", [(), ("-f",)])
async def test_a_server_that_ignores_input_ids_must_be_upgraded(follow):
    async with fake_server((page(1, 2), ENDS)) as (address, _):
        command = ("history", "--json", "--input-id", "log", *follow)
        done = await asyncio.to_thread(run, *command, server=address)
    assert (done.code, done.out) == (64 + 12, "")
    (error,) = done.stderr_objects
    assert "upgrade the server" in error["error"]


def test_an_unknown_input_has_no_messages(address):
    assert run("history", "--json", "--input-id", "nowhere", server=address) == (0, "", "")


@pytest.mark.parametrize("input_id", ["", "a\nb", b"\xff", "x" * 2000])
def test_an_invalid_input_id_is_a_usage_error(address, input_id):
    done = run("history", "--json", "--input-id", input_id, server=address)
    assert (done.code, done.out) == (2, "")
    assert "--input-id" in done.stderr_objects[0]["error"]


def test_following_continues_with_the_next_number_after_a_restart(start_server):
    server = start_server()
    address = server.address
    send(address, "log", "a", "b")
    process = FollowProcess(address, "--json", "--input-id", "log")
    until(lambda: len(process.out.lines) == 2)
    send(address, "other", "not this")
    send(address, "log", "a", "b", "c")
    until(lambda: len(process.out.lines) == 3)
    server.kill()
    until(lambda: process.err.lines)
    start_server(listen=address, store=server.store)
    send(address, "other", "not this", "nor this")
    send(address, "log", "a", "b", "c", "d", "e")
    until(lambda: len(process.out.lines) == 5)
    done = process.signal(signal.SIGTERM).wait()
    assert done.code == 143
    assert [(message["input_id"], message["number"], message["text"]) for message in done.objects] == [
        ("log", number, text) for number, text in enumerate("abcde", 1)
    ]


def test_a_cursor_file_resumes_within_an_input(start_server, tmp_path):
    address = start_server().address
    command = ("history", "--json", "--input-id", "log", "--cursor-file", f"{tmp_path / 'cursor'}")
    send(address, "log", "a", "b")
    assert records(run(*command, "--count", "1", server=address)) == [(1, "a")]
    send(address, "other", "not this")
    send(address, "log", "a", "b", "c")
    assert records(run(*command, server=address)) == [(2, "b"), (3, "c")]
    assert records(run(*command, server=address)) == []


def test_a_command_gets_the_input_id_and_number(address):
    line = 'echo "$CHATCTL_MESSAGE_INPUT_ID/$CHATCTL_MESSAGE_NUMBER/$CHATCTL_MESSAGE_TEXT"'
    done = run("history", "--input-id", "ci log", "--exec", line, server=address)
    assert (done.code, done.lines) == (0, [f"ci log/{number}/line {number}" for number in range(1, 5)])
    stdin = run("history", "--input-id", "ci log", "--exec", "cat", server=address)
    assert stdin.out == run("history", "--json", "--input-id", "ci log", server=address).out
    without = 'echo "${CHATCTL_MESSAGE_INPUT_ID-none}/${CHATCTL_MESSAGE_NUMBER-none}"'
    done = run("history", "--room", "den", "--count", "1", "--exec", without, server=address)
    assert (done.code, done.lines) == (0, ["none/none"])
