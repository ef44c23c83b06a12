"""`chatctl send --unconfirmed FILE` and `--resume FILE`: what has no receipt is kept, and sent when there is a server."""

import json
import signal
import sys

import pytest
import typer

from chatctl.cli.send import unconfirmed as leftovers
from tests.support.cli import CHATCTL, Process, run, unread
from tests.support.waiting import until

TEXTS = ["plain", "", "nul \0 inside", "line\nline\r\n", "\u2028\u2029\x85\x0b", "😀 ä€𝄞", '"\\ \x1b[2J', "last\r"]


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "kept"


def history(address, room):
    return [message["text"] for message in run("history", "--json", "--room", room, server=address).objects]


def statuses(done):
    return [(receipt["number"], receipt["status"]) for receipt in done.objects]


def left_behind(server, kept, piped, *arguments, first=b"", timeout="1s"):
    """A run of which the server gets `first`, and then hangs until it is killed."""
    process = Process(
        "send",
        "--json",
        "--input-id",
        "s",
        "--timeout",
        timeout,
        "--unconfirmed",
        str(kept),
        *arguments,
        server=server.address,
    )
    process.write(first)
    until(lambda: first.count(b"\n") + first.count(b"\0") == len(process.out.lines))
    server.process.send_signal(signal.SIGSTOP)
    process.write(piped)
    until(lambda: not unread(process.popen.stdin))
    process.close()
    server.kill()
    return process.wait()


def record(number, text, room="lobby", user="tess", input_id="s"):
    return json.dumps({"number": number, "room": room, "user": user, "input_id": input_id, "text": text}) + "\n"


def test_what_is_unconfirmed_is_kept_and_sent_under_its_numbers_whatever_is_in_it(start_server, kept):
    server = start_server()
    first = b"stored\0\xff\0"
    piped = b"\0".join(text.encode() for text in TEXTS if "\0" not in text) + b"\0\xfe\0after a hole\0"
    done = left_behind(server, kept, piped, "--split", "null", "--user", "ann", "--room", "den", first=first)
    texts = [text for text in TEXTS if "\0" not in text]
    assert done.code == 78
    expected = [*enumerate(texts, 3), (len(texts) + 4, "after a hole")]
    assert [(r["number"], r["text"]) for r in map(json.loads, kept.read_bytes().split(b"\n")[:-1])] == expected
    assert {(r["room"], r["user"], r["input_id"]) for r in map(json.loads, kept.read_bytes().split(b"\n")[:-1])} == {
        ("den", "ann", "s")
    }
    server = start_server(listen=server.address, store=server.store)
    again = run("send", "--json", "--resume", kept, "--unconfirmed", kept, server=server.address)
    assert again.code == 0
    assert statuses(again) == [(number, "stored") for number, _ in expected]
    assert history(server.address, "den") == ["stored", *texts, "after a hole"]
    assert kept.read_bytes() == b""
    assert run("send", "--json", "--resume", kept, server=server.address) == (0, "", "")
    assert "no unconfirmed records in" in run("send", "--resume", kept, server=server.address).err


def test_every_character_comes_through(address, room, kept):
    kept.write_text("".join(record(n, text, room=room, input_id=room) for n, text in enumerate(TEXTS, 1)))
    assert run("send", "--resume", kept, server=address).code == 0
    assert history(address, room) == TEXTS
    kept.write_text(
        "".join(record(n, text, room=room, input_id=room).replace("\\u", "\\u") for n, text in enumerate(TEXTS, 1))
    )
    again = run("send", "--json", "--resume", kept, server=address)
    assert {status for _, status in statuses(again)} == {"duplicate"}


UNCONFIRMED_OF_0_1_0 = """\
{"number":3,"room":"ROOM","user":"ann","sender":"job 7","text":"größer"}
{"number":4,"room":"ROOM","user":"ann","sender":"job 7","text":"\\u001b[2J"}
{"number":9,"room":"ROOM","user":"ann","sender":"job 7","text":"last"}
"""


def test_unconfirmed_records_of_version_0_1_0_are_sent(address, room, kept):
    kept.write_text(UNCONFIRMED_OF_0_1_0.replace("ROOM", room), encoding="utf-8")
    done = run("send", "--json", "--resume", kept, server=address)
    assert (done.code, statuses(done)) == (0, [(3, "stored"), (4, "stored"), (9, "stored")])
    assert {(receipt["user"], receipt["input_id"]) for receipt in done.objects} == {("ann", "job 7")}
    assert history(address, room) == ["größer", "\x1b[2J", "last"]


def test_a_resume_without_a_server_loses_nothing_from_its_file(start_server, kept):
    server = start_server()
    server.kill()
    kept.write_text("".join(record(number, text) for number, text in ((3, "c"), (4, "d"), (9, "i"))))
    before = kept.read_text()
    resume = ("send", "--timeout", "0.5s", "--resume", kept)
    for arguments in ((), ("--unconfirmed", kept)):
        done = run(*resume, *arguments, server=server.address)
        assert done.code == 78
        assert [json.loads(line) for line in kept.read_text().splitlines()] == [json.loads(x) for x in before.splitlines()]
    assert "3 unconfirmed" in done.err
    assert f"--resume {kept}" in done.err
    process = Process("send", "--timeout", "0", "--resume", str(kept), "--unconfirmed", str(kept), server=server.address)
    until(lambda: "trying again" in process.err.text)
    assert process.signal(signal.SIGINT).wait().code == 130
    assert len(kept.read_text().splitlines()) == 3
    start_server(listen=server.address, store=server.store)
    assert run(*resume, server=server.address).code == 0
    assert history(server.address, "lobby") == ["c", "d", "i"]


INTERRUPTED = """
import os, signal, sys
from chatctl.client.send_stream import SendStream
wait_ready = SendStream.wait_ready
async def wait_and_interrupt(stream):
    await wait_ready(stream)
    os.kill(os.getpid(), signal.SIGINT)
SendStream.wait_ready = wait_and_interrupt
sys.argv[0] = "chatctl"
from chatctl.__main__ import main
main()
"""


def test_an_interrupt_between_the_welcome_and_the_first_record_forgets_nothing(address, room, kept):
    kept.write_text(record(1, "a", room=room, input_id=room))
    arguments = ("send", "--resume", kept, "--unconfirmed", kept)
    done = run(*arguments, server=address, command=[sys.executable, "-c", INTERRUPTED])
    assert done.code == 130
    assert json.loads(kept.read_text())["text"] == "a"
    assert run(*arguments, server=address).code == 0
    assert history(address, room) == ["a"]


def test_a_resume_that_breaks_in_the_middle_keeps_the_rest(start_server, kept):
    server = start_server()
    kept.write_text("".join(record(number, f"{number}") for number in range(1, 4001)))
    server.process.send_signal(signal.SIGSTOP)
    process = Process(
        "send", "--json", "--timeout", "0.5s", "--resume", str(kept), "--unconfirmed", str(kept), server=server.address
    )
    assert process.wait().code == 78
    assert len(kept.read_text().splitlines()) == 4000
    server.process.send_signal(signal.SIGCONT)
    process = Process("send", "--json", "--resume", str(kept), "--unconfirmed", str(kept), server=server.address)
    until(lambda: process.out.lines)
    done = process.signal(signal.SIGINT).wait()
    unconfirmed = [number for number, status in statuses(done) if status == "unconfirmed"]
    assert [json.loads(line)["number"] for line in kept.read_text().splitlines()] == unconfirmed
    if unconfirmed:
        assert run("send", "--resume", kept, server=server.address).code == 0
    assert history(server.address, "lobby") == [f"{number}" for number in range(1, 4001)]


def test_what_the_server_rejects_of_a_resume_goes_to_the_rejects(address, room, kept, tmp_path):
    assert run("send", "--room", room, "--input-id", room, "one", server=address).code == 0
    kept.write_text(record(1, "other", room=room, input_id=room) + record(2, "two", room=room, input_id=room))
    rejects = tmp_path / "rejects"
    done = run("send", "--json", "--resume", kept, "--unconfirmed", kept, "--rejects", rejects, server=address)
    assert done.code == 1
    assert statuses(done) == [(1, "rejected"), (2, "stored")]
    assert rejects.read_bytes() == b"other\n"
    assert kept.read_bytes() == b""


@pytest.mark.parametrize("option", ["--receipts", "--rejects"])
def test_what_is_resumed_is_replaced_by_nothing_else(address, kept, option):
    kept.write_text(record(1, "a"))
    done = run("send", "--resume", kept, option, kept, server=address)
    assert done.code == 2
    assert option in done.err
    assert kept.read_text() == record(1, "a")


GARBAGE = {
    "no json": "hello\n",
    "a list": "[1]\n",
    "half a line": record(2, "b")[:-5],
    "no text": '{"number": 2, "room": "lobby", "user": "tess", "input_id": "s"}\n',
    "a number as text": record(2, 5),
    "nothing as text": record(2, None),
    "a text as number": record("2", "b"),
    "truth as number": record(True, "b"),
    "number 0": record(0, "b"),
    "a number too high": record(2**53, "b"),
    "half a surrogate": record(2, "\ud800"),
    "half a surrogate in a name": record(2, "b", room="\ud800"),
    "brackets": "[" * 200_000 + "\n",
    "digits": '{"number": ' + "9" * 10_000 + "}\n",
    "an empty line": "\n",
    "another input id": record(2, "b", input_id="t"),
    "another user": record(2, "b", user="bob"),
    "another room": record(2, "b", room="den"),
    "the same number": record(1, "b"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_file_that_holds_anything_else_is_refused_by_its_line_and_left_alone(address, kept, kind):
    content = record(1, "a") + GARBAGE[kind]
    kept.write_text(content)
    with pytest.raises(typer.BadParameter, match=f"line 2 of {kept}") as refused:
        leftovers.read_unconfirmed(str(kept))
    assert "--resume" in refused.value.param_hint
    if kind == "brackets":  # the way to the user is the same for all
        done = run("send", "--resume", kept, "--unconfirmed", kept, server=address)
        assert (done.code, done.out) == (2, "")
        assert refused.value.message in done.err
        assert kept.read_text() == content
        assert [path.name for path in kept.parent.iterdir()] == ["kept"]


@pytest.mark.parametrize("name", ["room", "user", "input_id"])
def test_names_that_cannot_be_are_refused_before_anything_is_written(address, kept, name):
    content = record(1, "a", **{name: "a\nb"})
    kept.write_text(content)
    assert run("send", "--resume", kept, "--unconfirmed", kept, server=address).code == 2
    assert kept.read_text() == content


def test_what_cannot_be_resumed_is_told(address, kept, tmp_path):
    kept.write_bytes(b"\xff\n")
    assert "UTF-8" in run("send", "--resume", kept, server=address).err
    assert "No such file" in run("send", "--resume", tmp_path / "nothing", server=address).err
    assert "directory" in run("send", "--resume", tmp_path, server=address).err
    kept.write_text(record(1, "a", room=""))
    assert f"line 1 of {kept} is not valid: the room is empty" in run("send", "--resume", kept, server=address).err
    kept.write_text(record(1, "a"))
    for more in ("text", "--input-id=x", "--room=lobby", "-rden", "--user=tess", "-uann"):
        done = run("send", "--resume", kept, more, server=address)
        assert done.code == 2
        assert "excludes" in done.err


def test_the_room_and_user_of_the_environment_do_not_matter_to_a_resume(address, room, kept):
    kept.write_text(record(1, "a", room=room, input_id=room))
    done = run("send", "--json", "--resume", kept, server=address, env={"CHATCTL_ROOM": "den", "CHATCTL_USER": "ann"})
    assert done.code == 0
    assert [(receipt["room"], receipt["user"]) for receipt in done.objects] == [(room, "tess")]


def test_a_text_of_the_command_line_is_kept_and_sent_again(start_server, kept):
    server = start_server()
    server.kill()
    done = run("send", "--timeout", "0.3s", "--unconfirmed", kept, "hello", "world", server=server.address)
    assert done.code == 78
    assert "1 unconfirmed" in done.err
    assert json.loads(kept.read_text())["text"] == "hello world"
    start_server(listen=server.address, store=server.store)
    for summary in ("1 stored", "1 duplicate"):
        assert summary in run("send", "--resume", kept, server=server.address).err
    assert history(server.address, "lobby") == ["hello world"]


def test_a_file_can_be_resumed_through_a_pipe(address, room, kept):
    kept.write_text(record(1, "a", room=room, input_id=room))
    command = ["sh", "-c", f'"$@" --resume /dev/stdin < {kept}', "sh", *CHATCTL]
    assert run("send", command=command, server=address).code == 0
    assert history(address, room) == ["a"]
