"""Servers that lie: each command ends with a sentence, and shows nothing that is not true."""

import pytest

from chatctl.v1 import chat_pb2 as pb
from tests.support.cli import run
from tests.support.lying_server import (
    LIMITS,
    PAGE,
    PREFIX,
    RECEIPT,
    RUN,
    TIME,
    WELCOME,
    changed,
    lying_server,
    send_response,
)

VIOLATION = 64 + 12
UNREADABLE = b"\xff\xff\xff"
EVIL = "\x1b]0;pwned\x07\x1b[31mred\u009b31m\u202eabc\u200e\u2028end"
FORGED = 'x:1","status":"stored","room":"prod","z":"'
SEND = ("send", "--json", "--room", "lobby", "--user", "ann", "--input-id", "in-1", "--timeout", "2s", "hi")


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


def send_to(responses, welcome=WELCOME):
    """Send three records as JSON to a server with this welcome, and these responses once it has a request with texts."""

    def lie(requests, _):
        next(requests)
        yield send_response(welcome=welcome)
        while not next(requests).texts:
            pass
        yield from responses

    with lying_server(SendAndReceiveMessage=lie) as address:
        return run(*SEND[:-1], piped="a\nb\nc\n", server=address)


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
    responses = [send_response(welcome=changed(WELCOME, limits=high))]
    with lying_server(SendAndReceiveMessage=lambda *_: iter(responses)) as address:
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


def endless(response):
    while True:
        yield response


def test_empty_responses_do_not_keep_send_waiting_for_a_receipt():
    done = send_to(endless(send_response()))
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
