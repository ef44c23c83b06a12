"""Compares what was receipted and what readers saw with the log, and the log with what was sent. Opens nothing.

The log is the authority: it is read in order, part after part, while nobody is at work. `check` then compares what came in
since the last time, so what is kept of a million messages is a few numbers each.
"""

from array import array
from collections import Counter
from typing import NamedTuple

from tests.faults.inputs import parse_text
from tests.faults.reader_check import ReaderCheck
from tests.faults.violations import ABSENT, UNKNOWN, Violation, ViolationKind

MAX_VIOLATIONS = 50  # further ones are only counted
NUMBER_BITS = 40
NUMBER_MASK = (1 << NUMBER_BITS) - 1
ALL_ROOMS = ()


class Receipt(NamedTuple):
    """Of one record. `time` is in microseconds since 1970, as all times here."""

    input_id: str
    number: int
    status: str
    sequence: int
    time: int


class InputState:
    """What is known of an input's records."""

    def __init__(self, what, base):
        self.input = what
        self.base = base  # a record's key is this plus its number
        self.last = 0  # the highest number in the log so far
        self.confirmed = bytearray()
        self.sequences = array("q")
        self.grow()

    def grow(self):
        """Make room for all numbers, and number 0."""
        added = self.input.count + 1 - len(self.confirmed)
        self.confirmed.extend(bytes(added))
        self.sequences.extend([0] * added)


class Checker:
    """Tell it of inputs (`add_input`), receipts, readers and the log; `check` while nobody works, and `complete` in the end."""

    def __init__(self):
        self.violations = []
        self.counts = Counter()  # of faults, by kind
        self.statuses = Counter()  # of receipts
        self.confirmed = 0  # records with a receipt
        self._inputs = {}
        self._inputs_in_order = []  # the inputs by index, which is the upper part of their records' keys
        self._keys = array("q", [ABSENT])  # by sequence
        self._times = array("q", [0])
        self._receipts = []  # since the last check
        self._readers = []

    def add_violation(self, kind, what):
        self.counts[kind] += 1
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(Violation(kind, what))

    # --- what happens

    def add_input(self, what):
        """An input is being sent; or it has grown."""
        if what.input_id in self._inputs:
            self._inputs[what.input_id].grow()
        else:
            self._inputs_in_order.append(InputState(what, len(self._inputs_in_order) + 1 << NUMBER_BITS))
            self._inputs[what.input_id] = self._inputs_in_order[-1]

    def add_receipt(self, *receipt):
        """A record got a receipt; the fields are those of Receipt."""
        receipt = Receipt(*receipt)
        self.statuses[receipt.status] += 1
        sent = self._inputs.get(receipt.input_id)
        if not sent or not 1 <= receipt.number <= sent.input.count:
            self.add_violation(ViolationKind.RECEIPT, f"nobody sent what this is for: {receipt}")
        elif receipt.status not in ("stored", "duplicate"):
            self.add_violation(ViolationKind.RECEIPT, f"nothing was wrong with the record: {receipt}")
        else:
            if receipt.status == "stored" and sent.confirmed[receipt.number]:
                self.add_violation(ViolationKind.DOUBLED, f"it had a receipt before: {receipt}")
            self.confirmed += not sent.confirmed[receipt.number]
            sent.confirmed[receipt.number] = 1
            self._receipts.append(receipt)

    def add_reader(self, name, rooms=ALL_ROOMS):
        """Somebody who reads these rooms from the beginning on."""
        self._readers.append(ReaderCheck(self, name, rooms))
        return self._readers[-1]

    def add_messages(self, first, room, user, time, texts):
        """Consecutive messages of the log, stored at one time; the log's next ones."""
        if time < self._times[-1]:
            self.add_violation(
                ViolationKind.TIME, f"sequence {first} was created at {time}, the one before at {self._times[-1]}"
            )
        for sequence, text in enumerate(texts, first):
            if sequence <= self.position:
                self.add_violation(ViolationKind.DISORDER, f"the log: sequence {sequence} comes after {self.position}")
                continue
            key = self.identify("the log", sequence, room, user, text)
            for array_, value in ((self._keys, key), (self._times, time)):
                array_.extend([ABSENT] * (sequence - len(array_)))
                array_.append(value)
            if key != UNKNOWN:
                self._check_order(sequence, key)

    def _check_order(self, sequence, key):
        """A sender's records are stored once, and in the order of their numbers."""
        sent, number = self._inputs_in_order[(key >> NUMBER_BITS) - 1], key & NUMBER_MASK
        if sent.sequences[number]:
            self.add_violation(
                ViolationKind.DOUBLED, f"the log: {self.describe(key)} at {sent.sequences[number]} and {sequence}"
            )
        elif number < sent.last:
            self.add_violation(
                ViolationKind.DISORDER, f"the log: {self.describe(key)} at {sequence}, after number {sent.last}"
            )
        sent.sequences[number] = sent.sequences[number] or sequence
        sent.last = max(sent.last, number)

    # --- what is known

    @property
    def position(self):
        """How far the log was read."""
        return len(self._keys) - 1

    def last_sequence(self, rooms=ALL_ROOMS):
        """The last sequence in these rooms."""
        return next((at for at in range(self.position, 0, -1) if self._matches(self._keys[at], rooms)), 0)

    def key(self, sequence):
        return self._keys[sequence] if 0 < sequence <= self.position else ABSENT

    def time(self, sequence):
        return self._times[sequence]

    def stored(self, after, rooms):
        """The sequences after `after` of the messages in these rooms."""
        keys = self._keys
        return array("q", [at for at in range(after + 1, len(keys)) if self._matches(keys[at], rooms)])

    def _matches(self, key, rooms):
        if not rooms or key == UNKNOWN:
            return key != ABSENT
        return key != ABSENT and self._inputs_in_order[(key >> NUMBER_BITS) - 1].input.room in rooms

    def identify(self, who, sequence, room, user, text):
        """The key of the record that a message is."""
        sender, number = parse_text(text)
        sent = self._inputs.get(sender)
        if not sent or not 1 <= number <= sent.input.count:
            self.add_violation(ViolationKind.INVENTED, f"{who}: sequence {sequence} is {text[:60]!r}, which nobody sent")
            return UNKNOWN
        what = sent.input
        if (text, room, user) != (what.text(number), what.room, what.user):
            self.add_violation(ViolationKind.CHANGED, f"{who}: sequence {sequence} is {text[:60]!r} by {user!r} in {room!r}")
        return sent.base + number

    def describe(self, key):
        """A record, for people."""
        if key in (ABSENT, UNKNOWN):
            return "nothing" if key == ABSENT else "what nobody sent"
        return f"{self._inputs_in_order[(key >> NUMBER_BITS) - 1].input.input_id}:{key & NUMBER_MASK}"

    # --- judging

    def check(self):
        """Compare what came in since the last time with the log, which has been read to its end after that."""
        for receipt in self._receipts:
            self._check_receipt(receipt)
        self._receipts.clear()
        for reader in self._readers:
            reader.check()

    def _check_receipt(self, receipt):
        key = self.key(receipt.sequence)
        if key == ABSENT:
            self.add_violation(ViolationKind.LOST, f"it has a receipt and is not in the log: {receipt}")
        elif key != self._inputs[receipt.input_id].base + receipt.number:
            self.add_violation(ViolationKind.RECEIPT, f"at its sequence is {self.describe(key)}: {receipt}")
        elif self._times[receipt.sequence] != receipt.time:
            self.add_violation(
                ViolationKind.RECEIPT, f"the message was created at {self._times[receipt.sequence]}: {receipt}"
            )

    def complete(self):
        """See that every record of every input is in the log and has a receipt, now that all senders have finished."""
        for sent in self._inputs_in_order:
            sender = sent.input.input_id
            for number in range(1, sent.input.count + 1):
                if not sent.sequences[number]:
                    self.add_violation(
                        ViolationKind.LOST, f"{sender}:{number} is not in the log although its sender has finished"
                    )
                elif not sent.confirmed[number]:
                    self.add_violation(ViolationKind.RECEIPT, f"{sender}:{number} has none although its sender has finished")
