"""Compares what was receipted and what readers saw with the log, and the log with what was sent. Opens nothing.

The log is the authority: it is read in order, part after part, while nobody is at work. `check` then compares what came in
since the last time, so what is kept of a million messages is a few numbers each.
"""

from array import array
from collections import Counter
from typing import NamedTuple

from inputs import whose
from kinds import ABSENT, UNKNOWN, Fault, Kind
from seen import Reader

KEPT_FAULTS = 50  # further ones are only counted
NUMBER_BITS = 40
NUMBER_MASK = (1 << NUMBER_BITS) - 1
EVERYTHING = ()


class Receipt(NamedTuple):
    """Of one record. `time` is in microseconds since 1970, as all times here."""

    sender: str
    number: int
    status: str
    sequence: int
    time: int


class Sent:
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
        more = self.input.count + 1 - len(self.confirmed)
        self.confirmed.extend(bytes(more))
        self.sequences.extend([0] * more)


class Checker:
    """Tell it of inputs (`sends`), receipts, readers and the log; `check` while nobody works, and `complete` in the end."""

    def __init__(self):
        self.faults = []
        self.counts = Counter()  # of faults, by kind
        self.statuses = Counter()  # of receipts
        self.confirmed = 0  # records with a receipt
        self._sent = {}
        self._order = []  # the inputs by index, which is the upper part of their records' keys
        self._keys = array("q", [ABSENT])  # by sequence
        self._times = array("q", [0])
        self._receipts = []  # since the last check
        self._readers = []

    def fault(self, kind, what):
        self.counts[kind] += 1
        if len(self.faults) < KEPT_FAULTS:
            self.faults.append(Fault(kind, what))

    # --- what happens

    def sends(self, what):
        """An input is being sent; or it has grown."""
        if what.sender in self._sent:
            self._sent[what.sender].grow()
        else:
            self._order.append(Sent(what, len(self._order) + 1 << NUMBER_BITS))
            self._sent[what.sender] = self._order[-1]

    def receipt(self, *receipt):
        """A record got a receipt; the fields are those of Receipt."""
        receipt = Receipt(*receipt)
        self.statuses[receipt.status] += 1
        sent = self._sent.get(receipt.sender)
        if not sent or not 1 <= receipt.number <= sent.input.count:
            self.fault(Kind.RECEIPT, f"nobody sent what this is for: {receipt}")
        elif receipt.status not in ("stored", "duplicate"):
            self.fault(Kind.RECEIPT, f"nothing was wrong with the record: {receipt}")
        else:
            if receipt.status == "stored" and sent.confirmed[receipt.number]:
                self.fault(Kind.DOUBLED, f"it had a receipt before: {receipt}")
            self.confirmed += not sent.confirmed[receipt.number]
            sent.confirmed[receipt.number] = 1
            self._receipts.append(receipt)

    def reader(self, name, rooms=EVERYTHING):
        """Somebody who reads these rooms from the beginning on."""
        self._readers.append(Reader(self, name, rooms))
        return self._readers[-1]

    def log(self, first, room, user, time, texts):
        """Consecutive messages of the log, stored at one time; the log's next ones."""
        if time < self._times[-1]:
            self.fault(Kind.TIME, f"sequence {first} was created at {time}, the one before at {self._times[-1]}")
        for sequence, text in enumerate(texts, first):
            if sequence <= self.position:
                self.fault(Kind.DISORDER, f"the log: sequence {sequence} comes after {self.position}")
                continue
            key = self.recognise("the log", sequence, room, user, text)
            for array_, value in ((self._keys, key), (self._times, time)):
                array_.extend([ABSENT] * (sequence - len(array_)))
                array_.append(value)
            if key != UNKNOWN:
                self._in_turn(sequence, key)

    def _in_turn(self, sequence, key):
        """A sender's records are stored once, and in the order of their numbers."""
        sent, number = self._order[(key >> NUMBER_BITS) - 1], key & NUMBER_MASK
        if sent.sequences[number]:
            self.fault(Kind.DOUBLED, f"the log: {self.name(key)} at {sent.sequences[number]} and {sequence}")
        elif number < sent.last:
            self.fault(Kind.DISORDER, f"the log: {self.name(key)} at {sequence}, after number {sent.last}")
        sent.sequences[number] = sent.sequences[number] or sequence
        sent.last = max(sent.last, number)

    # --- what is known

    @property
    def position(self):
        """How far the log was read."""
        return len(self._keys) - 1

    def newest(self, rooms=EVERYTHING):
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
        return key != ABSENT and self._order[(key >> NUMBER_BITS) - 1].input.room in rooms

    def recognise(self, who, sequence, room, user, text):
        """The key of the record that a message is."""
        sender, number = whose(text)
        sent = self._sent.get(sender)
        if not sent or not 1 <= number <= sent.input.count:
            self.fault(Kind.INVENTED, f"{who}: sequence {sequence} is {text[:60]!r}, which nobody sent")
            return UNKNOWN
        what = sent.input
        if (text, room, user) != (what.text(number), what.room, what.user):
            self.fault(Kind.CHANGED, f"{who}: sequence {sequence} is {text[:60]!r} by {user!r} in {room!r}")
        return sent.base + number

    def name(self, key):
        """A record, for people."""
        if key in (ABSENT, UNKNOWN):
            return "nothing" if key == ABSENT else "what nobody sent"
        return f"{self._order[(key >> NUMBER_BITS) - 1].input.sender}:{key & NUMBER_MASK}"

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
            self.fault(Kind.LOST, f"it has a receipt and is not in the log: {receipt}")
        elif key != self._sent[receipt.sender].base + receipt.number:
            self.fault(Kind.RECEIPT, f"at its sequence is {self.name(key)}: {receipt}")
        elif self._times[receipt.sequence] != receipt.time:
            self.fault(Kind.RECEIPT, f"the message was created at {self._times[receipt.sequence]}: {receipt}")

    def complete(self):
        """See that every record of every input is in the log and has a receipt, now that all senders have finished."""
        for sent in self._order:
            sender = sent.input.sender
            for number in range(1, sent.input.count + 1):
                if not sent.sequences[number]:
                    self.fault(Kind.LOST, f"{sender}:{number} is not in the log although its sender has finished")
                elif not sent.confirmed[number]:
                    self.fault(Kind.RECEIPT, f"{sender}:{number} has none although its sender has finished")
