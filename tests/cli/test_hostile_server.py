"""Servers that lie: each command ends with a sentence, and shows nothing that is not true."""

import threading

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from chatctl.v1 import chat_pb2 as pb
from tests.support.cli import Process, Terminal, run
from tests.support.lying_server import (
    LIMITS,
    PAGE,
    PREFIX,
    RECEIPT,
    RUN,
    STATS,
    TIME,
    WELCOME,
    changed,
    lying_server,
    send_response,
)

VIOLATION = 64 + 12
UNREADABLE = b"\xff\xff\xff"
TOO_LARGE = bytes(4 * 1024 * 1024 + 1)
EVIL = "\x1b]0;pwned\x07\x1b[31mred\u009b31m\u202eabc\u200e\u2028end"
FORGED = 'x:1","status":"stored","room":"prod","z":"'
SEND = ("send", "--json", "--room", "lobby", "--user", "ann", "--input-id", "in-1", "hi")


def assert_refused(done, *words):
    """Check that a command has ended with one sentence about its server."""
    assert done.code == VIOLATION, done
    assert not set("\x1b\x07\u009b\u202e") & set(done.out + done.err)
    sentences = [line for line in done.err.splitlines() if "the server sent" in line]
    assert len(sentences) == 1, done.err
    assert all(word in sentences[0] for word in words), sentences[0]


@pytest.mark.parametrize(
    ("command", "lies"),
    [
        (["stats"], {"GetStats": lambda *_: UNREADABLE}),
        (["history"], {"GetMessages": lambda *_: iter([PAGE, UNREADABLE])}),
        (["history", "-f"], {"GetMessages": lambda *_: iter([PAGE, UNREADABLE])}),
        (SEND, {"SendAndReceiveMessage": lambda *_: iter([UNREADABLE])}),
        (SEND, {"SendAndReceiveMessage": lambda *_: iter([send_response(welcome=WELCOME), UNREADABLE])}),
    ],
)
def test_a_message_that_cannot_be_read_is_not_taken_for_the_end(command, lies):
    with lying_server(**lies) as address:
        assert_refused(run(*command, server=address), "a message that cannot be read")


@pytest.mark.parametrize(
    ("command", "lies"),
    [
        (["stats"], {"GetStats": lambda *_: TOO_LARGE}),
        (["history", "-f"], {"GetMessages": lambda *_: iter([PAGE, TOO_LARGE])}),
        (SEND, {"SendAndReceiveMessage": lambda *_: iter([send_response(welcome=WELCOME), TOO_LARGE])}),
    ],
)
def test_a_message_that_is_too_large_ends_a_command_at_once(command, lies):
    with lying_server(**lies) as address:
        assert_refused(run(*command, server=address), "too large")


def send_to(responses, welcome=WELCOME, timeout="20s"):
    """Send three records as JSON to a server with this welcome, and these responses once it has a request with texts."""

    def lie(requests, _):
        next(requests)
        yield send_response(welcome=welcome)
        while not next(requests).texts:
            pass
        yield from responses

    with lying_server(SendAndReceiveMessage=lie) as address:
        return run(*SEND[:-1], "--timeout", timeout, piped="a\nb\nc\n", server=address)


@pytest.mark.parametrize(
    "fields",
    [
        {"log": EVIL, "cursor_prefix": f"{EVIL}:"},
        {"log": FORGED, "cursor_prefix": f"{FORGED}:"},
        {"log": ""},
        {"log": "x" * 1000, "cursor_prefix": "x" * 1000 + ":"},
        {"cursor_prefix": FORGED},
        {"cursor_prefix": ""},
        {"input_id": "of-another"},
        {"input_id": None},
        {"input_id": EVIL},
        *({"limits": changed(LIMITS, **{name: value})} for name in ("text_bytes", "batch_messages") for value in (0, -1)),
        {"limits": None},
    ],
)
def test_a_welcome_that_cannot_be_true_ends_send(fields):
    done = send_to([], changed(WELCOME, **fields))
    assert_refused(done)
    assert [receipt["status"] for receipt in done.objects] == ["unconfirmed"] * len(done.objects)


def test_limits_that_are_far_too_high_are_not_used():
    high = changed(LIMITS, **{field.name: 2**31 - 1 for field in LIMITS.DESCRIPTOR.fields})

    def welcome_only(requests, _):
        yield send_response(welcome=changed(WELCOME, limits=high))
        yield from (None for _ in requests if False)  # to the end of the input

    with lying_server(SendAndReceiveMessage=welcome_only) as address:
        done = run(*SEND[:-1], piped=b"x" * (4 << 20), server=address)
    assert "the limit is 3145728" in done.objects[0]["error"]


def receipt(**fields):
    return send_response(receipts=[changed(RECEIPT, **fields)])


@pytest.mark.parametrize(
    "responses",
    [
        [receipt(count=0)],
        [receipt(count=-5)],
        [receipt(count=4)],
        [receipt(count=2**62)],
        [receipt(number=2)],
        [receipt(number=0)],
        [receipt(sequence=0)],
        [receipt(sequence=-1)],
        [receipt(count=3, sequence=2**63 - 2)],
        [receipt(status=0)],
        [receipt(status=3)],
        [receipt(status=99)],
        [receipt(create_time=type(TIME)(seconds=253_402_300_800))],
        [receipt(), receipt(number=2)],
        [send_response(welcome=WELCOME, receipts=[RECEIPT])],
    ],
)
def test_a_receipt_that_cannot_be_true_ends_send_and_is_not_shown(responses):
    done = send_to(responses)
    assert_refused(done)
    true_ones = len(responses) - 1
    assert [line["status"] for line in done.objects] == ["stored"] * true_ones + ["unconfirmed"] * (3 - true_ones)


def test_receipts_after_the_last_one_that_is_due_are_not_shown():
    done = send_to([receipt(count=3), receipt(number=4, sequence=4)])
    assert [line["status"] for line in done.objects] == ["stored"] * 3
    assert done.code in (0, VIOLATION)


@pytest.mark.parametrize("fields", [{"cursor": f"{PREFIX}1"}, {"runs": [RUN]}, {"present": [pb.Presence(room="lobby")]}])
def test_messages_that_were_not_asked_for_end_send(fields):
    assert_refused(send_to([send_response(**fields)]))


READ = ("history", "--json")
AFTER = ("--after", f"{PREFIX}5")


def page_of(**fields):
    """Return a page that has one message with other values."""
    run = changed(RUN, **fields)
    position = run.sequence + max(len(run.texts), 1) - 1
    return changed(PAGE, runs=[run], cursor=f"{PREFIX}{min(max(position, 0), 2**63 - 1)}")


@pytest.mark.parametrize("options", [(), ("--follow",)], ids=["stored", "follow"])
@pytest.mark.parametrize(
    ("arguments", "pages"),
    [
        ((), [page_of(sequence=0)]),
        ((), [page_of(sequence=-3)]),
        ((), [page_of(sequence=2**63 - 1, texts=["a", "b"])]),
        ((), [page_of(texts=[])]),
        ((), [page_of(room="")]),
        ((), [page_of(room=EVIL)]),
        ((), [page_of(user="two\nlines")]),
        ((), [page_of(user="x" * 1025)]),
        ((), [page_of(create_time=type(TIME)(seconds=253_402_300_800))]),
        ((), [page_of(create_time=type(TIME)(seconds=-(2**63)))]),
        ((), [PAGE, PAGE]),
        ((), [page_of(sequence=5), PAGE]),
        ((), [page_of(sequence=5), changed(PAGE, runs=[], cursor=f"{PREFIX}4")]),
        ((), [changed(PAGE, runs=[RUN, RUN])]),
        ((), [changed(PAGE, cursor=f"{PREFIX}0")]),
        ((), [changed(PAGE, cursor="ssh-rsa AAAA attacker\ncommand")]),
        ((), [changed(PAGE, cursor=f"{PREFIX}{2**63}")]),
        ((), [changed(PAGE, cursor=None)]),
        ((), [changed(PAGE, cursor_prefix=FORGED)]),
        ((), [changed(PAGE, cursor_prefix=None)]),
        ((), [changed(PAGE, cursor=f"{EVIL}:1", cursor_prefix=f"{EVIL}:")]),
        ((), [PAGE, changed(PAGE, runs=[changed(RUN, sequence=2)], cursor="other:2", cursor_prefix="other:")]),
        ((), [page_of(texts=["x"] * 10_001)]),
        ((), [changed(PAGE, runs=[RUN] * 10_001)]),
        (AFTER, [page_of(sequence=5)]),
        (AFTER, [changed(PAGE, runs=[changed(RUN, sequence=6)], cursor="other:6", cursor_prefix="other:")]),
        (("--room", "den"), [PAGE]),
        (("--user", "bob"), [PAGE]),
        (("--count", "2"), [page_of(texts=["a", "b", "c"])]),
        (("--input-id", "in-1"), [page_of(number=-1)]),
        (("--input-id", "in-1"), [page_of(number=2**53)]),
    ],
)
def test_a_page_that_cannot_be_true_ends_history_and_is_not_shown(options, arguments, pages):
    with lying_server(GetMessages=lambda *_: iter(pages)) as address:
        done = run(*READ, *options, *arguments, server=address)
    assert_refused(done)
    assert len(done.objects) == len(pages) - 1


def test_more_than_the_last_messages_or_those_before_end_history():
    with lying_server(GetMessages=lambda *_: iter([page_of(texts=["a", "b", "c"])])) as address:
        assert_refused(run(*READ, "--last", "2", server=address), "too many messages")


@pytest.mark.parametrize("options", [(), ("--last", "5"), ("--follow", "--until", "+1s")])
def test_responses_without_messages_and_without_end_are_refused(options):
    with lying_server(GetMessages=lambda *_: endless(changed(PAGE, runs=[], cursor=f"{PREFIX}0"))) as address:
        assert_refused(run(*READ, *options, server=address), "responses without messages")


def test_a_page_that_says_to_be_live_does_not_let_history_wait_without_end():
    def lie(_, context):
        ended = threading.Event()
        context.add_callback(ended.set)
        yield changed(PAGE, live=True)
        ended.wait()

    with lying_server(GetMessages=lie) as address:
        done = run(*READ, "--timeout", "1s", server=address)
    assert (done.code, len(done.objects)) == (78, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"num_messages": -1},
        {"stored_bytes": -(2**63)},
        {"rooms": [pb.RoomStats(room=EVIL)]},
        {"rooms": [pb.RoomStats(room="lobby", num_messages=-5)]},
        {"rooms": [pb.RoomStats(room="lobby")] * 1001},
        {"users": [pb.UserStats(user="x" * 2000)]},
        {"users": [pb.UserStats(user="ann")] * 1001},
        {"present": [pb.Presence(room="lobby")] * 1001},
        {"activity": pb.Activity(num_messages=[0], rooms=[pb.RoomActivity(room="lobby")] * 21)},
        {"users": [pb.UserStats(user="ann", last_time=type(TIME)(seconds=2**60))]},
        {"version": EVIL},
        {"version": "1" * 1000},
        {"store": EVIL},
        {"log": EVIL, "head": f"{EVIL}:1"},
        {"head": f"{PREFIX}x"},
        {"head": None},
        {"uptime": Duration(seconds=-1)},
        {"uptime": Duration(seconds=2**63 - 1)},
        {"clock_lag": Duration(seconds=2**63 - 1)},
        {"limits": changed(LIMITS, batch_messages=0)},
        {"activity": pb.Activity(num_messages=[0] * 91)},
        {"activity": pb.Activity(num_messages=[-1])},
        {"activity": pb.Activity(num_messages=[0], followers=-1)},
        {"activity": pb.Activity(num_messages=[0], commit_p99=Duration(seconds=2**62))},
        {"activity": pb.Activity(num_messages=[0], messages_per_second=-1.0)},
        {"activity": pb.Activity(num_messages=[0], rooms=[pb.RoomActivity(room="")])},
        {"present": [pb.Presence(room="lobby", num_users=-1)]},
        {"present": [pb.Presence(room="lobby", users=["ann"] * 101)]},
        {"present": [pb.Presence(room=EVIL)]},
    ],
)
def test_figures_that_cannot_be_true_end_stats(fields):
    with lying_server(GetStats=lambda *_: changed(STATS, **fields)) as address:
        for command in (("stats",), ("stats", "--json"), ("stats", "--watch", "--json")):
            done = run(*command, server=address)
            assert_refused(done)
            assert done.out == ""


@pytest.mark.parametrize(
    "fields",
    [
        dict.fromkeys(("num_messages", "num_rooms", "num_users", "stored_bytes"), 2**63 - 1),
        {"uptime": Duration(seconds=10_000 * 365 * 86_400)},
        {"activity": pb.Activity(num_messages=[2**63 - 1] * 90, messages_per_second=1e308, followers=2**31 - 1)},
        {"present": [pb.Presence(room="lobby", users=["ann"], num_users=2**31 - 1)]},
        {"activity": None},
    ],
)
def test_figures_at_their_bounds_are_shown(fields):
    with lying_server(GetStats=lambda *_: changed(STATS, **fields)) as address:
        for command in (("stats",), ("stats", "--json")):
            assert run(*command, server=address).code == 0


@pytest.mark.parametrize(
    "responses",
    [
        [pb.VerifyMessagesResponse(num_messages=0)],
        [pb.VerifyMessagesResponse(num_messages=-1)],
        [pb.VerifyMessagesResponse(num_messages=2)],
        *(
            [pb.VerifyMessagesResponse(num_messages=1, faults=faults)]
            for faults in (
                [pb.Fault(index=-1, sequence=1, kind=1)],
                [pb.Fault(index=1, sequence=1, kind=1)],
                [pb.Fault(index=0, sequence=7, kind=1)],
                [pb.Fault(index=0, sequence=1, kind=0)],
                [pb.Fault(index=0, sequence=1, kind=9)],
                [pb.Fault(index=0, sequence=1, kind=1)] * 2,
            )
        ),
        [pb.VerifyMessagesResponse(num_messages=1)] * 2,
    ],
)
def test_answers_that_do_not_fit_the_claims_end_verify(responses):
    with lying_server() as address:
        receipts = run(*SEND, server=address).out

    def lie(requests, _):
        next(requests)
        yield from responses

    with lying_server(VerifyMessages=lie) as address:
        done = run("verify", "-", piped=receipts, server=address)
    assert_refused(done)
    assert done.out == ""


def join_to(*responses, welcome=WELCOME, timeout="20s"):
    """Join as JSON, with one line to send, a server with these responses after its welcome. It stores nothing."""

    def lie(requests, _):
        next(requests)
        yield send_response(welcome=welcome)
        yield from responses
        for _ in requests:
            pass

    with lying_server(SendAndReceiveMessage=lie) as address:
        return run("join", "lobby", "--json", "--user", "ann", "--timeout", timeout, piped="hi\n", server=address)


RECEIVED = send_response(runs=[changed(RUN, sequence=2)], cursor=f"{PREFIX}2", cursor_prefix=PREFIX, live=True, receive=1)


@pytest.mark.parametrize(
    "responses",
    [
        [changed(RECEIVED, runs=[changed(RUN, sequence=2, room="den")])],
        [changed(RECEIVED, runs=[changed(RUN, sequence=2, user=EVIL)])],
        [changed(RECEIVED, runs=[changed(RUN, sequence=3)])],
        [changed(RECEIVED, cursor=None)],
        [changed(RECEIVED, cursor="other:2", cursor_prefix="other:")],
        [changed(RECEIVED, receive=2)],
        [changed(RECEIVED, receive=-1)],
        [RECEIVED, RECEIVED],
        [send_response(receive=1, present=[pb.Presence(room="den")])],
        [send_response(receive=1, present=[pb.Presence(room="lobby", users=[EVIL])])],
        [send_response(receive=1, present=[pb.Presence(room="lobby", users=["ann"] * 101)])],
        [send_response(receive=1, present=[pb.Presence(room="lobby", num_users=-1)])],
        [send_response(receipts=[RECEIPT])],
        [send_response(welcome=WELCOME)],
    ],
)
def test_a_response_that_cannot_be_true_ends_join(responses):
    done = join_to(*responses)
    assert_refused(done)
    assert [message["sequence"] for message in done.objects] == [2] * (len(responses) - 1)


def test_join_waits_for_its_first_page_no_longer_than_timeout():
    assert join_to(timeout="1s").code == 78


@pytest.mark.parametrize("input_id", ["", EVIL, "x" * 1025])
def test_an_input_id_that_no_server_makes_ends_join(input_id):
    assert_refused(join_to(welcome=changed(WELCOME, input_id=input_id)), "an invalid input id")


def test_a_lie_ends_the_full_screen_room_with_a_sentence():
    lies = [send_response(welcome=WELCOME), changed(RECEIVED, runs=[changed(RUN, sequence=2, user=EVIL)])]
    terminal = Terminal(80)
    with lying_server(SendAndReceiveMessage=lambda *_: iter(lies)) as address:
        streams = {"stdin": terminal.descriptor, "stdout": terminal.descriptor}
        assert_refused(Process("join", "lobby", "--user", "ann", server=address, **streams).wait(), "an invalid user")
    assert "pwned" not in terminal.close()


@pytest.mark.parametrize("reason", [None, "INVALID_REQUEST", "STORE_FAILED", EVIL.encode("unicode_escape").decode()])
@pytest.mark.parametrize(
    ("method", "command"),
    [("GetStats", ("stats",)), ("GetMessages", ("history",)), ("SendAndReceiveMessage", SEND[:1] + SEND[2:])],
)
def test_an_error_of_a_server_is_one_line_of_bounded_length(method, command, reason):
    trailers = (("chatctl-reason", reason), ("chatctl-hint-bin", f"do\nchatctl: 9 stored{EVIL}".encode())) if reason else ()

    def refuse(_, context):
        context.set_trailing_metadata(trailers)
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"bad\nchatctl: 5 stored (room lobby){EVIL}{'x' * 2000}")

    with lying_server(**{method: refuse}) as address:
        done = run(*command, server=address)
    assert done.code in (67, 66)
    assert not set("\x1b\x07\u009b\u202e\u2028") & set(done.err)
    assert [line.partition(" ")[0] for line in done.err.splitlines()] == ["chatctl:"] * done.err.count("\n")
    assert not [line for line in done.err.splitlines() if line.startswith(("chatctl: 5 stored", "chatctl: 9 stored"))]
    assert len(done.err) < 4000


def endless(response):
    while True:
        yield response


def test_empty_responses_do_not_keep_send_waiting_for_a_receipt():
    done = send_to(endless(send_response()), timeout="2s")
    assert done.code == 78
    assert [line["status"] for line in done.objects] == ["unconfirmed"] * 3


@pytest.mark.parametrize("response", [receipt(count=0), receipt(status=0), send_response(receipts=[RECEIPT] * 100_000)])
def test_endless_receipts_end_send(response):
    assert_refused(send_to(endless(response)))


def test_a_rejection_is_one_line_of_bounded_length():
    error = f"no\nchatctl: 3 stored (room lobby)\n{EVIL}{'x' * 100_000}"
    rejection = [receipt(count=3, status=3, sequence=0, create_time=None, reason=1, error=error)]
    done = send_to(rejection)
    assert {line["status"] for line in done.objects} == {"rejected"}
    assert "\\nchatctl: 3 stored" in done.objects[0]["error"]
    assert len(done.objects[0]["error"]) < 1500
    assert not set("\x1b\x07\u009b\u202e") & set(done.out + done.err)


def test_an_error_like_that_of_a_proxy_is_one_line_too():
    details = f"bad\nchatctl: 5 stored{EVIL}"
    with lying_server(GetStats=lambda _, context: context.abort(grpc.StatusCode.UNAVAILABLE, details)) as address:
        done = run("stats", server=address)
    assert (done.code, done.err.count("\n")) == (78, 1)
    assert not set("\x1b\x07\u009b\u202e\u2028") & set(done.err)
