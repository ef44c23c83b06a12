"""A small log without violations, for the tests of the checker."""

from tests.faults.inputs import Input

ANN, BOB = Input("ann", "build", "den", 6), Input("bob", "deploy", "lobby", 4)
ROOMS = {"build": ANN, "deploy": BOB}
# A log of these two inputs: (sequence, room, user, time, text). Sequence 5 is a gap, which is allowed.
LOG = [
    (sequence, sent.room, sent.user, 1000 + sequence // 3, sent.text(number))
    for sequence, sent, number in (
        (1, ANN, 1), (2, ANN, 2), (3, BOB, 1), (4, ANN, 3), (6, BOB, 2), (7, ANN, 4),
        (8, ANN, 5), (9, BOB, 3), (10, BOB, 4), (11, ANN, 6))
]  # fmt: skip
RECEIPTS = [(text.split(":")[0], int(text.split(":")[1]), "stored", sequence, time) for sequence, _, _, time, text in LOG]


def kinds(violations):
    return [violation.kind for violation in violations]
