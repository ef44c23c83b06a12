"""The messages that a reader may see again after a kill, and those that it may not."""

import pytest

from tests.faults.checker import Checker, ViolationKind
from tests.faults.inputs import Input
from tests.faults.sample_log import LOG, ROOMS, kinds


def check_reader(*sequences):
    """Return the violations of a reader that saw these sequences, and how many repeated. None is a SIGKILL."""
    checker = Checker()
    for sent in ROOMS.values():
        checker.add_input(sent)
    reader, messages = checker.add_reader("killed"), {message[0]: message for message in LOG}
    for message in LOG:
        checker.add_messages(*message[:4], [message[4]])
    for sequence in sequences:
        if sequence is None:
            reader.allow_repeat()
        else:
            _, room, user, time, text = messages[sequence]
            reader.add(sequence, room, user, time, [text])
    checker.check()
    return kinds(checker.violations), reader.repeated


ALL = tuple(message[0] for message in LOG)


@pytest.mark.parametrize("again", [(), (11,), (9, 10, 11), ALL])
def test_a_page_may_repeat_after_a_kill(again):
    assert check_reader(*ALL, None, *again) == ([], len(again))
    assert check_reader(*ALL[:6], None, *ALL[3:]) == ([], 3)
    assert check_reader(*ALL[:6], None, *ALL[3:5], None, *ALL[4:]) == ([], 2 + 2)


@pytest.mark.parametrize(
    ("sequences", "violation"),
    [
        ((*ALL, 11), ViolationKind.DOUBLED),  # no kill
        ((*ALL[:6], None, *ALL[3:6], 7, *ALL[6:]), ViolationKind.DOUBLED),  # repeated twice
        ((*ALL[:6], None, *ALL[7:]), ViolationKind.GAP),
        ((*ALL[:6], None, 2, 3, *ALL[6:]), ViolationKind.GAP),  # a repeat must be complete
        ((*ALL[:6], None, 2, 4, *ALL[4:]), ViolationKind.GAP),
        ((*ALL[:6], None, 6, 4, *ALL[6:]), ViolationKind.DOUBLED),
    ],
)
def test_other_repeats_are_violations(sequences, violation):
    assert violation in check_reader(*sequences)[0]


@pytest.mark.parametrize(("first", "doubled"), [(2501, 0), (1501, 0), (1500, 1), (1, 1500)])
def test_no_more_than_a_page_may_repeat(first, doubled):
    checker, sent = Checker(), Input("ann", "build", "den", 3000)
    checker.add_input(sent)
    reader = checker.add_reader("killed")
    checker.add_messages(1, "den", "ann", 5, sent.texts(1, 3000))
    reader.add(1, "den", "ann", 5, sent.texts(1, 2500))
    reader.allow_repeat()
    reader.add(first, "den", "ann", 5, sent.texts(first, 3000))
    checker.check()
    assert checker.counts[ViolationKind.GAP] == 0
    assert (checker.counts[ViolationKind.DOUBLED] > 0) == (doubled > 0)
