"""The window between input and receipts against a model: no order of events loses a record."""

from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.client import send_window as module
from chatctl.client.send_window import SendWindow
from chatctl.errors import IncompatibleServer
from chatctl.model.limits import Limits, utf8_size
from chatctl.model.records import Receipt, ReceiptStatus

SMALL = {"FRAME_MESSAGES": 5, "WINDOW_FRAMES": 6, "WINDOW_BYTES": 120, "MAX_PENDING_RECORDS": 8, "MAX_PENDING_BYTES": 50}
SMALL["RESTART_BYTES"] = 40
NEW, SENT, ANSWERED, TOLD = range(4)  # a rejection skips SENT

ROOMS = st.sampled_from(["den", "lobby"])
RUNS = st.lists(st.text(st.sampled_from("aä€𝄞\n\0"), max_size=9), min_size=1, max_size=14)
RUNS |= st.lists(st.sampled_from(["𝄞" * 6, "€" * 9]), min_size=1, max_size=3)
JUMPS = st.sampled_from([None, None, None, 0, 1, 7])
LIMITS = st.builds(Limits, batch_messages=st.integers(2, 8), batch_bytes=st.integers(1, 60))
COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=3)


def step(name, *arguments):
    return st.tuples(st.just(name), *arguments)


PUT = step("put", ROOMS, RUNS, JUMPS)
REJECT = step("reject", ROOMS)
TAKE = step("take", st.booleans(), st.integers(1, 9))
ANSWER = step("answer", COUNTS)
SETTLE = step("settle", st.integers(1, 40))
BREAK = step("break_and_connect_again", LIMITS, st.integers(0, 9))
WRONG = step("put_what_cannot_be", ROOMS, st.integers(1, 30)) | step("hear_what_is_not_due")
ONE = PUT | REJECT | TAKE | ANSWER | SETTLE | BREAK | WRONG
GOOD = st.tuples(PUT, REJECT | PUT, TAKE, PUT, TAKE, ANSWER, SETTLE | ANSWER)
BROKEN = st.tuples(PUT | REJECT, PUT, TAKE, ANSWER, REJECT | TAKE, BREAK, TAKE | ANSWER)
STEPS = st.lists(st.tuples(ONE) | GOOD | BROKEN | BROKEN, max_size=20).map(lambda groups: [*chain(*groups)])


@dataclass
class Record:
    """What the model knows of a record. `frame` is the number of its frame."""

    number: int
    room: str
    text: str | None
    error: str = ""
    state: int = NEW
    frame: int = 0
    status: ReceiptStatus = ReceiptStatus.UNCONFIRMED


class Model:
    """A window with small bounds, and a server that sends any valid receipts or breaks the stream."""

    def __init__(self, limits):
        self.window = SendWindow()
        self.records, self.stored = [], set()
        self.next, self.frames = 1, 0
        self.sizes = {}
        self.probing = False
        self.start, self.size = 2 * SMALL["RESTART_BYTES"], SMALL["WINDOW_BYTES"]
        self.welcome(limits)

    def of(self, *states):
        return [record for record in self.records if record.state in states]

    def check_who_ends_now(self, window):
        outcomes = [*iter(window.next_report, None), *window.unreported()]
        told = [line for outcome in outcomes for line in lines(outcome)]
        assert told == [line_of(record) for record in self.of(NEW, SENT, ANSWERED)]
        assert window.last_sent_number == max((record.number for record in self.records if record.frame), default=0)

    def to_the_end(self):
        for _ in self.of(NEW, SENT, ANSWERED):  # each turn reports at least one record
            self.take(finished=True, most=1000)
            self.answer([3, 2, 1])
            self.settle(most=1000)
        assert self.window.all_reported
        assert not self.of(NEW, SENT, ANSWERED)
        assert not self.window.full

    # --- steps

    def welcome(self, limits):
        self.limits = limits
        self.window.set_limits(limits)

    def put(self, room, texts, jump):
        number = self.next + (jump or 0)
        self.window.put(room, texts, 0 if jump is None else number)
        self.records += [Record(number + i, room, text) for i, text in enumerate(texts)]
        self.next = number + len(texts)

    def reject(self, room):
        self.window.reject(room, f"no {self.next}")
        self.records.append(Record(self.next, room, None, f"no {self.next}", status=ReceiptStatus.REJECTED))
        self.next += 1

    def put_what_cannot_be(self, room, jump):
        with pytest.raises(UnicodeEncodeError):
            self.window.put(room, ["fine", "\ud800"], self.next + jump)
        if self.next > jump:
            with pytest.raises(ValueError, match="must increase"):
                self.window.put(room, ["late"], self.next - jump)
        self.window.put(room, [], self.next + jump)

    def take(self, finished, most):
        for _ in range(most):
            if not self.window.may_send(finished):
                break
            self.check_frame(self.window.next_frame())

    def answer(self, counts):
        """Add receipts for parts of frames, together as those of one response."""
        receipts = []
        for count in counts:
            if not (due := self.of(SENT)):
                break
            first = due[0]
            kind = first.number in self.stored
            run = [first]
            for record in due[1:count]:
                if record.frame != first.frame or (record.number in self.stored) != kind:
                    break
                run.append(record)
            status = (
                ReceiptStatus.DUPLICATE if kind else ReceiptStatus.STORED if first.number % 3 else ReceiptStatus.REJECTED
            )
            for record in run:
                record.state, record.status = ANSWERED, status
            if status is ReceiptStatus.STORED:
                self.stored |= {record.number for record in run}
            sequence = 0 if status is ReceiptStatus.REJECTED else first.number
            receipts.append(Receipt(first.number, len(run), status, sequence))
            self.probing = False
            self.size = min(2 * self.size, SMALL["WINDOW_BYTES"])
        self.window.add_receipts(receipts)

    def settle(self, most):
        """Take reports, and check that they are in the order of the records."""
        while most and (outcome := self.window.next_report()):
            most -= 1
            found = lines(outcome)
            untold = self.of(NEW, SENT, ANSWERED)[: len(found)]
            assert found == [line_of(record) for record in untold]
            for record in untold:
                assert record.state == ANSWERED
                record.state = TOLD

    def break_and_connect_again(self, limits, stored):
        """Break the stream. The server may have stored records whose receipts are lost."""
        sent = self.of(SENT)
        self.stored |= {record.number for record in sent[:stored]}
        self.window.requeue()
        if sent:
            for record in self.records[self.records.index(sent[0]) :]:
                record.state = NEW
        if not self.probing:
            self.start = min(2 * self.start, SMALL["RESTART_BYTES"])
        elif sent:
            self.start = max(self.start // 2, 1)
        self.probing, self.size = True, self.start
        self.welcome(limits)

    def hear_what_is_not_due(self):
        window = deepcopy(self.window)
        while window.next_report():
            pass
        undue = [Receipt(self.next + 5, 1, ReceiptStatus.STORED, self.next + 5)]
        if not self.of(SENT):
            with pytest.raises(IncompatibleServer, match="0 in flight"):
                window.add_receipts(undue)
            return
        window.add_receipts(undue)
        with pytest.raises(IncompatibleServer, match="instead of"):
            window.next_report()

    # --- invariants

    def check(self):
        pending = self.of(NEW)
        size = utf8_size([record.text or "" for record in pending])
        assert self.window.full == (len(pending) >= SMALL["MAX_PENDING_RECORDS"] or size >= SMALL["MAX_PENDING_BYTES"])
        assert self.window.all_sent == (not pending)
        assert self.window.in_flight == len(self.of(SENT))
        assert self.window.all_confirmed == (not pending and not self.of(SENT))
        assert self.window.all_reported == (not self.of(NEW, SENT, ANSWERED))
        held = self.of(SENT, ANSWERED)
        if pending and not held:
            assert self.window.may_send(finished=False)
        if self.window.full and not self.probing and not self.at_its_bounds(held):
            assert self.window.may_send(finished=False), "who puts waits for room, and this for more"

    def at_its_bounds(self, held):
        frames = {record.frame for record in held if record.frame}
        rejections = sum(record.text is None for record in held)
        return (
            len(frames) >= SMALL["WINDOW_FRAMES"]
            or sum(self.sizes[frame] for frame in frames) >= self.size
            or len(frames) + rejections >= SMALL["WINDOW_FRAMES"] + SMALL["MAX_PENDING_RECORDS"]
        )

    def check_frame(self, frame):
        """Check that the frame has the next records, within all bounds."""
        if frame is None:
            first = self.of(NEW)[0]
            assert first.text is None
            first.state = ANSWERED
            return
        records = self.of(NEW)[: len(frame.texts)]
        self.frames += 1
        self.sizes[self.frames] = utf8_size(frame.texts)
        for i, (record, text) in enumerate(zip(records, frame.texts, strict=True)):
            assert (record.number, record.room, record.text) == (frame.number + i, frame.room, text)
            record.state, record.frame = SENT, self.frames
        assert len(frame.texts) <= min(self.limits.batch_messages, SMALL["FRAME_MESSAGES"])
        assert len(frame.texts) == 1 or utf8_size(frame.texts) <= self.limits.batch_bytes
        held = [record for record in self.of(SENT, ANSWERED) if record.text is not None]
        before = [record.text for record in held if record.frame != self.frames]
        frames = len({record.frame for record in held})
        assert frames <= (module.UNBATCHED_FRAMES if self.probing else SMALL["WINDOW_FRAMES"])
        assert utf8_size(before) < self.size
        assert len(frame.texts) == 1 or utf8_size(frame.texts) <= self.size // 2


def lines(outcome):
    """Return a line for each record of a report."""
    (receipt, room, texts), texts_or_none = outcome, list(outcome.texts) or [None]
    assert receipt.count == len(texts_or_none)
    assert texts or receipt.error
    return [(receipt.number + i, room, text, receipt.status, receipt.error) for i, text in enumerate(texts_or_none)]


def line_of(record):
    return record.number, record.room, record.text, record.status, record.error


@settings(max_examples=200)
@given(LIMITS, STEPS)
def test_every_record_has_exactly_one_report(limits, steps):
    with patch.multiple(module, **SMALL):
        model = Model(limits)
        for name, *arguments in steps:
            getattr(model, name)(*arguments)
            model.check()
        model.check_who_ends_now(deepcopy(model.window))
        model.to_the_end()
