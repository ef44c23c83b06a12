"""Compares receipts and the messages of readers with the log, and the log with the inputs. Does no I/O.

The log is the authority: it is read in order, part after part, while no sender is at work. `check` then compares what
arrived since the last check, so that a message needs only a few numbers of memory.
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
    """The receipt of one record. Like all times here, `time` is in microseconds since 1970."""

    input_id: str
    number: int
    status: str
    sequence: int
    time: int


class InputState:
    """The state of an input's records."""

    def __init__(self, sent, base):
        self.input = sent
        self.base = base  # a record's key is this plus its number
        self.last = 0  # the highest number in the log so far
        self.confirmed = bytearray()
        self.sequences = array("q")
        self.grow()

    def grow(self):
        """Extend the columns to all numbers, and number 0."""
        added = self.input.count + 1 - len(self.confirmed)
        self.confirmed.extend(bytes(added))
        self.sequences.extend([0] * added)


class Checker:
    """Add inputs, receipts, readers and the log; `check` while no sender works, and call `complete` at the end."""

    def __init__(self):
        self.violations = []
        self.counts = Counter()  # of violations, by kind
        self.statuses = Counter()  # of receipts
        self.confirmed = 0  # records with a receipt
        self._inputs = {}
        self._inputs_in_order = []  # the inputs by index, which is the upper part of their records' keys
        self._keys = array("q", [ABSENT])  # by sequence
        self._times = array("q", [0])
        self._receipts = []  # since the last check
        self._readers = []

    def add_violation(self, kind, text):
        self.counts[kind] += 1
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(Violation(kind, text))

    # --- input

    def add_input(self, sent):
        """Add an input, or note that it has grown."""
        if sent.input_id in self._inputs:
            self._inputs[sent.input_id].grow()
        else:
            self._inputs_in_order.append(InputState(sent, len(self._inputs_in_order) + 1 << NUMBER_BITS))
            self._inputs[sent.input_id] = self._inputs_in_order[-1]

    def add_receipt(self, *receipt):
        """Add a receipt; the arguments are the fields of Receipt."""
        receipt = Receipt(*receipt)
        self.statuses[receipt.status] += 1
        sent = self._inputs.get(receipt.input_id)
        if not sent or not 1 <= receipt.number <= sent.input.count:
            self.add_violation(ViolationKind.RECEIPT, f"for a record that was not sent: {receipt}")
        elif receipt.status not in ("stored", "duplicate"):
            self.add_violation(ViolationKind.RECEIPT, f"for a valid record: {receipt}")
        else:
            if receipt.status == "stored" and sent.confirmed[receipt.number]:
                self.add_violation(ViolationKind.DOUBLED, f"stored, although it had a receipt before: {receipt}")
            self.confirmed += not sent.confirmed[receipt.number]
            sent.confirmed[receipt.number] = 1
            self._receipts.append(receipt)

    def add_reader(self, name, rooms=ALL_ROOMS):
        """Add a reader of these rooms, which begins at the log's beginning."""
        self._readers.append(ReaderCheck(self, name, rooms))
        return self._readers[-1]

    def add_messages(self, first, room, user, time, texts):
        """Add the log's next messages: consecutive ones with one time."""
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
        """Check that the records of an input are stored once, and in the order of their numbers."""
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

    # --- state

    @property
    def position(self):
        """The last sequence that was read from the log."""
        return len(self._keys) - 1

    def last_sequence(self, rooms=ALL_ROOMS):
        """Return the last sequence in these rooms, or 0."""
        return next((at for at in range(self.position, 0, -1) if self._matches(self._keys[at], rooms)), 0)

    def key(self, sequence):
        return self._keys[sequence] if 0 < sequence <= self.position else ABSENT

    def time(self, sequence):
        return self._times[sequence]

    def stored(self, after, rooms):
        """Return the sequences after `after` of the messages in these rooms."""
        keys = self._keys
        return array("q", [at for at in range(after + 1, len(keys)) if self._matches(keys[at], rooms)])

    def _matches(self, key, rooms):
        if not rooms or key == UNKNOWN:
            return key != ABSENT
        return key != ABSENT and self._inputs_in_order[(key >> NUMBER_BITS) - 1].input.room in rooms

    def identify(self, reader, sequence, room, user, text):
        """Return the key of a message's record, or UNKNOWN. `reader` names the reader in violations."""
        input_id, number = parse_text(text)
        sent = self._inputs.get(input_id)
        if not sent or not 1 <= number <= sent.input.count:
            self.add_violation(ViolationKind.INVENTED, f"{reader}: sequence {sequence} is {text[:60]!r}, which was not sent")
            return UNKNOWN
        source = sent.input
        if (text, room, user) != (source.text(number), source.room, source.user):
            self.add_violation(
                ViolationKind.CHANGED, f"{reader}: sequence {sequence} is {text[:60]!r} by {user!r} in {room!r}"
            )
        return sent.base + number

    def describe(self, key):
        """Return the name of a record for violations."""
        if key in (ABSENT, UNKNOWN):
            return "nothing" if key == ABSENT else "a message that was not sent"
        return f"{self._inputs_in_order[(key >> NUMBER_BITS) - 1].input.input_id}:{key & NUMBER_MASK}"

    # --- checks

    def check(self):
        """Compare what arrived since the last check with the log, which must have been read to its end afterwards."""
        for receipt in self._receipts:
            self._check_receipt(receipt)
        self._receipts.clear()
        for reader in self._readers:
            reader.check()

    def _check_receipt(self, receipt):
        key = self.key(receipt.sequence)
        if key == ABSENT:
            self.add_violation(ViolationKind.LOST, f"not in the log: {receipt}")
        elif key != self._inputs[receipt.input_id].base + receipt.number:
            self.add_violation(ViolationKind.RECEIPT, f"its sequence is {self.describe(key)}: {receipt}")
        elif self._times[receipt.sequence] != receipt.time:
            self.add_violation(
                ViolationKind.RECEIPT, f"the message was created at {self._times[receipt.sequence]}: {receipt}"
            )

    def complete(self):
        """Check that all records of all inputs are in the log and have a receipt, after all senders have finished."""
        for sent in self._inputs_in_order:
            input_id = sent.input.input_id
            for number in range(1, sent.input.count + 1):
                if not sent.sequences[number]:
                    self.add_violation(
                        ViolationKind.LOST, f"{input_id}:{number} is not in the log, although its sender has finished"
                    )
                elif not sent.confirmed[number]:
                    self.add_violation(
                        ViolationKind.RECEIPT, f"{input_id}:{number} has no receipt, although its sender has finished"
                    )
