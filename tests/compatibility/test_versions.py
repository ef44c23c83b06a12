"""Today's client with servers of older versions, and older clients with today's server: every command.

Each pair works, or the client exits with code 76 and says in one sentence which side to upgrade. Each process ends by
itself: what does not is ended after the timeout of `cli`, and fails the test.
"""

import re
import shlex
import signal
from typing import NamedTuple

import pytest

from chatctl.cli.app import COMMANDS
from tests.support.cli import Process, run
from tests.support.tmux import Pane
from tests.support.waiting import until

OLD = ("fdb9ea1", "83eaff5")
PAIRS = [*(("today", old) for old in OLD), *((old, "today") for old in OLD)]
OLDEST_COMMANDS = ("serve", "send", "history", "stats")  # of fdb9ea1
INCOMPATIBLE = 76
STORED = '{"number":.,"status":"stored",[^\n]*'
ALL = "^one\ntwo\nthree\n$"


class Case(NamedTuple):
    """A call of a client. Its arguments may name what the fixture `stored` returns; {room} is a room of its own."""

    arguments: str
    out: str = ""
    """A pattern of its stdout."""
    err: str = ""
    code: int = 0
    piped: str = ""
    since: str = "fdb9ea1"
    """The first version whose client has it."""
    unsupported: str = ""
    """What the servers in `unsupported_by` do not support, as the client says it."""
    unsupported_by: tuple[str, ...] = ("fdb9ea1",)


CASES = {
    "send a text": Case("send -r {room} four", err="1 stored"),
    "send stdin": Case("send -r {room}", piped="four\nfive\n", err="2 stored"),
    "send --split": Case(
        "send -r {room} --user ann --split null --json -", piped="four\0five\0", out=f"{STORED}\n{STORED}"
    ),
    "send the same again": Case("send -r {seed} --sender {seed}", piped="one\ntwo\nthree\n", err="3 duplicate"),
    "send a conflict": Case("send -r {seed} --sender {seed} --json", piped="1\n", out=r"another --\S+", code=1),
    "send --receipts": Case("send -r {room} --receipts {folder}/r four", err="1 stored", since="83eaff5"),
    "history": Case("history -r {seed}", out="one\\b.*two\\b.*three\\b"),
    "history --json": Case("history -r {seed} --json", out='"text":"one".*"text":"three"'),
    "history with each filter": Case(
        "history -r {seed} -u tess --since 1h --until 2100-01-01T00:00:00Z --grep T --last 2 -o text", out="^two\nthree\n$"
    ),
    "history --after --limit": Case("history -r {seed} --after {cursor} --limit 1 -o text", out="^two\n$"),
    "history --input-id": Case(
        "history -r {seed} --input-id {seed} --json",
        out=r'"input_id":"seed","number":1,.*"number":3',
        since="today",
        unsupported="reading by input id",
        unsupported_by=OLD,
    ),
    "history --grep --grep": Case(
        "history -r {seed} --grep o --grep w -o text",
        since="today",
        unsupported="searching for several texts",
        unsupported_by=OLD,
    ),
    "history --grep --grep, all match": Case(
        "history -r {seed} --grep w --grep o --last 1 --json", out='"text":"two"', since="today"
    ),
    "history --cursor-file": Case("history -r {seed} --cursor-file {folder}/c -o text", out=ALL, since="83eaff5"),
    "history -f --last": Case("history -f -r {seed} --last 1 --count 1 --json", out='"text":"three"', since="83eaff5"),
    "history -f --wait": Case("history -f -r {seed} --wait 0.5s -o text", out=ALL, err=r"0\.5 s", code=3, since="83eaff5"),
    "history -f --until": Case(
        "history -f -r {seed} --until +0.1s -o text", out=ALL, since="83eaff5", unsupported="following until a time"
    ),
    "history -f --exec": Case("history -f -r {seed} --count 1 --exec 'grep -q one'", since="83eaff5"),
    "stats": Case("stats -r {seed}", out=r"messages +\d+.*chatctl \S+,"),
    "stats --json": Case("stats --json", out=r'"num_messages": \d+'),
    "verify": Case("verify {receipts}", err="3 verified", since="83eaff5", unsupported="verification"),
    "join --plain": Case(
        "join --plain {seed} {room} --last 9", out="one.*two.*three", since="83eaff5", unsupported="joining rooms"
    ),
    "join --json": Case("join --json {room}", piped="a\n", out='"text":"a"', since="83eaff5", unsupported="joining rooms"),
}  # fmt: skip


def has(release, since):
    """Whether a client has what came with a version."""
    versions = (*OLD, "today")
    return versions.index(release) >= versions.index(since)


def refusal(address, feature):
    """A pattern of the sentence with which a client refuses to go on."""
    who = r"(chatctl 0\.1\.0|an older chatctl)"
    return rf"{re.escape(address)} runs {who}, which does not support {feature}: upgrade the server"


@pytest.mark.parametrize(
    ("pair", "name"),
    [(pair, name) for pair in PAIRS for name, case in CASES.items() if has(pair[0], case.since)],
    indirect=["pair"],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
def test_a_client_works_with_a_server_of_another_version_or_says_which_to_upgrade(pair, name, stored, room, tmp_path):
    case, named = CASES[name], {**stored, "room": room, "folder": tmp_path}
    done = pair.run(*(part.format(**named) for part in shlex.split(case.arguments)), piped=case.piped)
    if case.unsupported and pair.server.name in case.unsupported_by:
        assert done.code == INCOMPATIBLE, done
        assert re.search(refusal(pair.address, case.unsupported), done.err)
        assert len(done.err.splitlines()) == 1
    else:
        assert done.code == case.code, done
        assert re.search(case.out, done.out, re.DOTALL)
        assert re.search(case.err, done.err)


def test_every_command_is_tried():
    calls = [shlex.split(case.arguments) for case in CASES.values()]
    assert {call[0] for call in calls} == set(COMMANDS) - {"serve"}  # which each pair starts
    assert {call[0] for call, case in zip(calls, CASES.values(), strict=True) if case.since == "fdb9ea1"} == set(
        OLDEST_COMMANDS
    ) - {"serve"}


following = pytest.mark.parametrize("pair", [pair for pair in PAIRS if has(pair[0], "83eaff5")], indirect=True, ids="-".join)


@following
def test_a_follower_gets_what_is_stored_later(pair, room):
    assert pair.run("send", "-r", room, "before").code == 0
    arguments = ("history", "-f", "-r", room, "-o", "text", "--count", "2")
    process = Process(*arguments, server=pair.address, command=pair.client.command)
    until(lambda: process.out.lines == ["before"])
    assert pair.run("send", "-r", room, "after").code == 0
    done = process.wait()
    assert (done.code, done.lines, done.err) == (0, ["before", "after"], "")


@following
@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=["table", "json"])
def test_stats_goes_on_watching(pair, arguments):
    process = Process("stats", "--watch", "0.1", *arguments, server=pair.address, command=pair.client.command)
    until(lambda: len(process.out.lines) >= 2)
    done = process.signal(signal.SIGINT).wait()
    assert (done.code, done.err) == (130, "")


@following
def test_the_full_screen_room_talks_or_says_which_side_to_upgrade(pair):
    with Pane("join", "room", server=pair.address, command=pair.client.command, columns=120) as pane:
        if pair.server.name == "fdb9ea1":
            assert pane.wait() == INCOMPATIBLE
            assert re.search(refusal(pair.address, "joining rooms"), pane.screen)
        else:
            pane.shows(" connected")
            pane.type("hello")
            pane.press("Enter")
            pane.shows("tess  hello")
            pane.press("C-q")
            assert pane.wait() == 0


@pytest.mark.parametrize("pair", [("today", "fdb9ea1")], indirect=True, ids="-".join)
def test_stats_of_a_server_that_reports_no_activity_say_so(pair):
    """What is unknown must not look like zero."""
    (report,) = pair.run("stats", "--json").objects
    assert (report["activity"], report["present"]) == (None, None)
    sentence = "not reported by chatctl 0.1.0: upgrade the server"
    assert re.search(rf"activity +{sentence}", pair.run("stats").out)
    with Pane("stats", "--watch", "0.1", server=pair.address, command=pair.client.command) as pane:
        pane.shows(sentence)
        pane.press("q")
        assert pane.wait() == 0


NEW_TO = {
    # What a server of an old version does not know in a request, by its number, and the case that shows what today's
    # client makes of it. A field that the server would ignore in silence has to be refused by the client.
    "fdb9ea1": {
        "VerifyMessages": "verify",
        "Receive.4": "join --plain",
        "GetMessagesRequest.11": "history --input-id",
        "GetMessagesRequest.12": "history --grep --grep",
    },
    "83eaff5": {"GetMessagesRequest.11": "history --input-id", "GetMessagesRequest.12": "history --grep --grep"},
}

REQUEST_FIELDS = """
from chatctl.v1 import chat_pb2 as pb

def walk(message):
    for field in message.fields:
        print(f"{message.name}.{field.number}")
        if field.message_type and field.message_type.file is message.file:
            walk(field.message_type)

for method in pb.DESCRIPTOR.services_by_name["ChatService"].methods:
    print(method.name)
    walk(method.input_type)
"""


@pytest.mark.parametrize("old", OLD)
def test_whatever_an_old_server_does_not_know_in_a_request_has_a_case(old, release):
    """Protobuf ignores unknown fields in silence: without this, a filter could let everything through."""
    known, today = (set(run("-c", REQUEST_FIELDS, command=release(name).python).lines) for name in (old, "today"))
    new = {entry for entry in today - known if not entry.startswith(("VerifyMessagesRequest.", "Claim."))}
    assert new == set(NEW_TO[old])
    for case in NEW_TO[old].values():
        assert old in CASES[case].unsupported_by
        assert CASES[case].unsupported
