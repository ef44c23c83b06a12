"""Servers that lie: each command ends with a sentence, and shows nothing that is not true."""

import pytest

from tests.support.cli import run
from tests.support.lying_server import PAGE, WELCOME, lying_server, send_response

VIOLATION = 64 + 12
UNREADABLE = b"\xff\xff\xff"


def assert_refused(done, *words):
    """Check that a command has ended with one sentence about its server."""
    assert done.code == VIOLATION, done
    assert "\x1b" not in done.out + done.err
    sentences = [line for line in done.err.splitlines() if "the server sent" in line]
    assert len(sentences) == 1, done.err
    assert all(word in sentences[0] for word in words), sentences[0]


@pytest.mark.parametrize(
    ("command", "lies"),
    [
        (["stats"], {"GetStats": lambda *_: UNREADABLE}),
        (["history"], {"GetMessages": lambda *_: iter([PAGE, UNREADABLE])}),
        (["history", "-f"], {"GetMessages": lambda *_: iter([PAGE, UNREADABLE])}),
        (["send", "hi"], {"SendAndReceiveMessage": lambda *_: iter([UNREADABLE])}),
        (["send", "hi"], {"SendAndReceiveMessage": lambda *_: iter([send_response(welcome=WELCOME), UNREADABLE])}),
    ],
)
def test_a_message_that_cannot_be_read_is_not_taken_for_the_end(command, lies):
    with lying_server(**lies) as address:
        assert_refused(run(*command, server=address), "a message that cannot be read")
