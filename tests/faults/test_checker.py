"""The checker finds planted violations and names them, and finds none in a correct log."""

import tracemalloc

import pytest

from tests.faults.checker import Checker, ViolationKind
from tests.faults.inputs import Input
from tests.faults.sample_log import ANN, LOG, RECEIPTS, ROOMS, kinds


def judge(log=LOG, receipts=RECEIPTS, all_rooms=LOG, den=None, checks=(100,)):
    """Return the violations found; `checks` are the sequences after which `check` is called."""
    checker = Checker()
    for sent in ROOMS.values():
        checker.add_input(sent)
    readers = [(checker.add_reader("everything"), all_rooms), (checker.add_reader("den", ("den",)), den or only("den", LOG))]
    before = 0
    for at in checks:
        for receipt in receipts:
            if before < receipt[3] <= at:
                checker.add_receipt(*receipt)
        for add, messages in ((checker.add_messages, log), *((reader.add, seen) for reader, seen in readers)):
            for sequence, room, user, time, text in messages:
                if before < sequence <= at:
                    add(sequence, room, user, time, [text])
        checker.check()
        before = at
    checker.complete()
    assert sum(checker.counts.values()) == len(checker.violations)
    return checker.violations


def only(room, messages):
    return [message for message in messages if message[1] == room]


def changed(messages, sequence, **fields):
    names = ("sequence", "room", "user", "time", "text")
    return [
        tuple(fields.get(name, value) for name, value in zip(names, message, strict=True))
        if message[0] == sequence
        else message
        for message in messages
    ]


def without(messages, sequence):
    return [message for message in messages if message[0] != sequence]


def swapped(messages, i):
    return [*messages[:i], messages[i + 1], messages[i], *messages[i + 2 :]]


@pytest.mark.parametrize("checks", [(100,), (4, 100), range(1, 12)])
def test_no_violation_in_a_correct_log(checks):
    assert judge(checks=checks) == []


def test_duplicates_with_and_without_an_earlier_receipt_are_correct():
    again = [(*receipt[:2], "duplicate", *receipt[3:]) for receipt in RECEIPTS]
    assert judge(receipts=[*RECEIPTS[:4], *again]) == []


def test_a_lost_message():
    (violation,) = judge(log=without(LOG, 11), all_rooms=without(LOG, 11), den=only("den", without(LOG, 11)))[:1]
    assert violation.kind is ViolationKind.LOST
    assert "number=6" in violation.text
    lost = kinds(judge(log=without(LOG, 4), all_rooms=without(LOG, 4), den=only("den", without(LOG, 4))))
    assert lost == [ViolationKind.LOST, ViolationKind.LOST]  # for its receipt, and because its sender has finished


def test_a_message_that_a_reader_saw_and_that_is_not_in_the_log():
    log, receipts = without(LOG, 11), RECEIPTS[:-1]
    assert kinds(judge(log, receipts, den=only("den", log))) == [ViolationKind.LOST, ViolationKind.LOST]
    assert "everything: saw sequence 11" in judge(log, receipts, den=only("den", log))[0].text


def test_a_record_stored_twice():
    double = (12, "den", "ann", 2000, ANN.text(3))
    (violation,) = judge([*LOG, double], all_rooms=[*LOG, double], den=[*only("den", LOG), double])
    assert violation.kind is ViolationKind.DOUBLED
    assert "build:3 at 4 and 12" in violation.text


def test_a_second_receipt_as_stored():
    assert kinds(judge(receipts=[*RECEIPTS, RECEIPTS[0]])) == [ViolationKind.DOUBLED]


def test_records_of_a_sender_in_another_order():
    log = changed(changed(LOG, 7, text=ANN.text(5)), 8, text=ANN.text(4))
    receipts = [*RECEIPTS[:5], ("build", 5, "stored", 7, 1002), ("build", 4, "stored", 8, 1002), *RECEIPTS[7:]]
    (violation,) = judge(log, receipts, log, only("den", log))
    assert violation.kind is ViolationKind.DISORDER
    assert "build:4" in violation.text


def test_a_log_that_goes_backwards():
    assert ViolationKind.DISORDER in kinds(judge(log=[*LOG[:3], LOG[1], *LOG[3:]]))


def test_readers_that_see_another_order():
    (violation,) = judge(all_rooms=swapped(LOG, 3))
    assert violation == (ViolationKind.DISORDER, "everything: saw sequence 4 after 6")


def test_readers_that_see_another_message_at_a_sequence():
    seen = changed(changed(LOG, 7, text=ANN.text(5)), 8, text=ANN.text(4))
    assert kinds(judge(all_rooms=seen)) == [ViolationKind.CHANGED, ViolationKind.CHANGED]


@pytest.mark.parametrize("change", [{"text": "build:3:other"}, {"room": "lobby"}, {"user": "bob"}])
def test_another_text_room_or_user(change):
    assert kinds(judge(log=changed(LOG, 4, **change))) == [ViolationKind.CHANGED]
    assert kinds(judge(all_rooms=changed(LOG, 4, **change))) == [ViolationKind.CHANGED]


@pytest.mark.parametrize("text", ["", "build", "build:7:x", "build:0:", "build:-1:", "nobody:1:"])
def test_a_text_that_was_not_sent(text):
    log = [*LOG, (12, "den", "ann", 2000, text)]
    found = judge(log, all_rooms=log, den=only("den", log))
    assert kinds(found) == [ViolationKind.INVENTED] * 3
    assert found[0].text.startswith("the log: sequence 12")


@pytest.mark.parametrize("checks", [(100,), (8, 100), (7, 8, 100)])
def test_a_gap_in_a_follower(checks):
    (violation,) = judge(den=without(only("den", LOG), 8), checks=checks)
    assert violation == (ViolationKind.GAP, "den: did not see sequence 8 (build:5)")


def test_a_follower_that_stops_short():
    assert kinds(judge(all_rooms=LOG[:-2])) == [ViolationKind.GAP, ViolationKind.GAP]


@pytest.mark.parametrize("again", [2, 4, 7])
def test_a_double_in_a_follower(again):
    checker = Checker()
    for sent in ROOMS.values():
        checker.add_input(sent)
    reader = checker.add_reader("all")
    for sequence, room, user, time, text in LOG:
        checker.add_messages(sequence, room, user, time, [text])
        reader.add(sequence, room, user, time, [text])
        if sequence == again:
            reader.add(sequence, room, user, time, [text])
        if sequence == 7:
            checker.check()
            if sequence == again:  # also of what was checked before
                reader.add(sequence, room, user, time, [text])
    checker.check()
    assert set(checker.violations) == {(ViolationKind.DOUBLED, f"all: saw sequence {again} again")}


def test_a_message_of_a_room_that_was_not_requested():
    assert kinds(judge(den=sorted([*only("den", LOG), LOG[2]]))) == [ViolationKind.CHANGED]


@pytest.mark.parametrize("receipt", [("build", 2, "stored", 4, 1001), ("build", 3, "stored", 1, 1000)])
def test_a_receipt_with_the_sequence_of_another_message(receipt):
    receipts = [receipt if known[:2] == receipt[:2] else known for known in RECEIPTS]
    assert kinds(judge(receipts=receipts)) == [ViolationKind.RECEIPT]


@pytest.mark.parametrize(
    "receipt", [("build", 7, "stored", 1, 1000), ("nobody", 1, "stored", 1, 1000), ("build", 1, "rejected", 0, 0)]
)
def test_an_impossible_receipt(receipt):
    checker = Checker()
    checker.add_input(ANN)
    checker.add_receipt(*receipt)
    assert kinds(checker.violations) == [ViolationKind.RECEIPT]


def test_a_receipt_with_another_time():
    receipts = [(*RECEIPTS[0][:4], 999), *RECEIPTS[1:]]
    assert kinds(judge(receipts=receipts)) == [ViolationKind.RECEIPT]


def test_a_record_that_never_got_a_receipt():
    assert kinds(judge(receipts=RECEIPTS[1:])) == [ViolationKind.RECEIPT]


def test_time_going_back():
    log = changed(LOG, 7, time=999)
    receipts = [(*receipt[:4], 999) if receipt[3] == 7 else receipt for receipt in RECEIPTS]
    (violation,) = judge(log, receipts, log, only("den", log))
    assert violation == (ViolationKind.TIME, "sequence 7 was created at 999, the one before at 1002")


def test_a_reader_that_gets_another_time():
    assert kinds(judge(all_rooms=changed(LOG, 7, time=999))) == [ViolationKind.CHANGED]


def test_an_input_may_grow():
    sent = Input("ann", "talk", "den", 1)
    checker = Checker()
    for count in (1, 2):
        sent.count = count
        checker.add_input(sent)
        checker.add_receipt("talk", count, "stored", count, 5)
        checker.add_messages(count, "den", "ann", 5, [sent.text(count)])
        checker.check()
    checker.complete()
    assert (checker.violations, checker.confirmed) == ([], 2)


def test_many_violations_are_counted_and_the_first_ones_kept():
    checker = Checker()
    checker.add_messages(1, "den", "ann", 5, ["nobody's"] * 1000)
    assert checker.counts == {ViolationKind.INVENTED: 1000}
    assert len(checker.violations) == 50


def test_a_message_needs_a_few_numbers_of_memory():
    sent, part = Input("ann", "build", "den", 20_000), 1000
    tracemalloc.start()
    checker = Checker()
    checker.add_input(sent)
    reader = checker.add_reader("all")
    for first in range(1, sent.count, part):
        texts = sent.texts(first, first + part - 1)
        for number in range(first, first + part):
            checker.add_receipt("build", number, "stored", number, first)
        checker.add_messages(first, "den", "ann", first, texts)
        reader.add(first, "den", "ann", first, texts)
        checker.check()
    checker.complete()
    del texts
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert checker.violations == []
    assert kept / sent.count < 64
