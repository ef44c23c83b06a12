"""SendWindow: records between their input and their receipts. No I/O; bounded if the caller of `put` heeds `full`."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chatctl.client.slow_start import SlowStart
from chatctl.model.limits import Limits, utf8_size
from chatctl.model.records import Receipt, ReceiptStatus
from chatctl.wire.checks import contract_error

FRAME_MESSAGES = 500  # a frame costs 0.2 ms regardless of its size; more than 500 messages in one gain nothing
WINDOW_FRAMES, WINDOW_BYTES = 256, 16 * 1024 * 1024  # in flight; 256 frames keep a distant server busy
RESTART_BYTES = 256 * 1024  # in flight after a break: a proxy may end each call after 1 MiB
UNBATCHED_FRAMES = 2  # with fewer in flight a frame is sent at once; otherwise it may grow until a receipt arrives
MAX_PENDING_RECORDS, MAX_PENDING_BYTES = 4 * FRAME_MESSAGES, 1024 * 1024  # put but not sent; beyond them, `full`
LOST_END_HINT = "the log may have lost its end, or be restored from a copy: send the same input again with the same input id"


class DeliveryReport(NamedTuple):
    """The receipt of consecutive records, their room and their texts. A record that was not a text has none."""

    receipt: Receipt
    room: str
    texts: Sequence[str]


@dataclass(slots=True)
class PendingRecords:
    """Consecutive records for one room, or one record with a `rejection`, which is reported in its turn and not sent."""

    room: str
    number: int
    texts: list[str]
    size: int = 0
    """The bytes of UTF-8 of `texts`, kept because to measure them costs as much as to serialise them."""
    rejection: Receipt | None = None

    def split_off(self, count: int) -> "PendingRecords":
        """Remove the first `count` records and return them."""
        texts = self.texts[:count]
        first = PendingRecords(self.room, self.number, texts, utf8_size(texts))
        del self.texts[:count]
        self.number += count
        self.size -= first.size
        return first


class SendWindow:
    """Takes records, returns them as frames to send, takes receipts, and returns a report of each record in order."""

    def __init__(self) -> None:
        self._limits = Limits()
        self._frame_messages = FRAME_MESSAGES
        self._next_number = 1  # number of the next record put
        self._pending: deque[PendingRecords] = deque()
        self._pending_records = 0
        self._pending_bytes = 0
        # Records without a report: in flight, or rejected and waiting for their turn.
        self._awaiting_report: deque[PendingRecords] = deque()
        self._sent_frames = self._sent_bytes = 0  # the part of them that was sent
        self._receipts: deque[Receipt] = deque()  # received, without a report
        self._last_sequence = 0  # of the newest record stored
        self._slow_start = SlowStart(RESTART_BYTES, WINDOW_BYTES)
        self.in_flight = 0
        """Records sent on the current stream that have no receipt."""
        self.last_sent_number = 0
        """The number of the last record that was ever sent, on any stream."""

    def set_limits(self, limits: Limits) -> None:
        """Keep the next frames within these limits."""
        self._limits = limits
        self._frame_messages = max(1, min(FRAME_MESSAGES, limits.batch_messages))

    def put(self, room: str, texts: Sequence[str], number: int = 0) -> None:
        """Take texts to send, numbered from `number`, or on from the last one.

        Raises UnicodeEncodeError or ValueError, and takes no text then.
        """
        size = utf8_size(texts)  # raises UnicodeEncodeError
        if not texts:
            return
        last = self._pending[-1] if self._pending else None
        if number and number != self._next_number:
            if number < self._next_number:
                raise ValueError(f"number {number} follows number {self._next_number - 1}: numbers must increase")
            self._next_number, last = number, None
        if last and last.room == room and not last.rejection:
            last.texts += texts
            last.size += size
        else:
            self._pending.append(PendingRecords(room, self._next_number, list(texts), size))
        self._pending_bytes += size
        self._count_pending(len(texts))

    def reject(self, room: str, error: str) -> None:
        """Count a record that cannot be sent; its rejection is reported in its turn."""
        rejection = Receipt(self._next_number, 1, ReceiptStatus.REJECTED, error=error)
        self._pending.append(PendingRecords(room, self._next_number, [], rejection=rejection))
        self._count_pending(1)

    def _count_pending(self, records: int) -> None:
        self._next_number += records
        self._pending_records += records

    @property
    def full(self) -> bool:
        """Whether enough records wait to be sent."""
        return self._pending_records >= MAX_PENDING_RECORDS or self._pending_bytes >= MAX_PENDING_BYTES

    @property
    def all_reported(self) -> bool:
        """Whether every record that was put has been reported."""
        return not self._pending and not self._awaiting_report

    @property
    def all_sent(self) -> bool:
        """Whether no record waits to be sent."""
        return not self._pending

    @property
    def all_confirmed(self) -> bool:
        """Whether every record that was put has its receipt."""
        return not self._pending and not self.in_flight

    def may_send(self, finished: bool) -> bool:
        """Return whether to send a frame now. `finished`: no more records will be put, so that no frame needs to grow."""
        if not self._pending or self._sent_frames >= WINDOW_FRAMES or self._sent_bytes >= self._slow_start.size:
            return False
        if self._slow_start.probing and self._sent_frames >= UNBATCHED_FRAMES:  # the server may store nothing
            return False
        # Rejections that wait for their turn are bounded, too.
        if len(self._awaiting_report) >= WINDOW_FRAMES + MAX_PENDING_RECORDS:
            return False
        full = len(self._pending) > 1 or self._pending_records >= self._frame_messages or self.full
        return full or finished or self._sent_frames < UNBATCHED_FRAMES

    def next_frame(self) -> PendingRecords | None:
        """Return the next frame to send, as large as allowed; or None after moving a rejection to its turn."""
        first = self._pending[0]
        if first.rejection:
            self._awaiting_report.append(self._pending.popleft())
            self._pending_records -= 1
            return None
        count = self._frame_count(first)
        frame = self._pending.popleft() if count == len(first.texts) else first.split_off(count)
        self._pending_records -= count
        self._pending_bytes -= frame.size
        self.in_flight += count
        self.last_sent_number = max(self.last_sent_number, frame.number + count - 1)
        self._sent_frames += 1
        self._sent_bytes += frame.size
        self._awaiting_report.append(frame)
        return frame

    def _frame_count(self, records: PendingRecords) -> int:
        """Return how many of the records fit into a frame, at least one."""
        count = min(len(records.texts), self._frame_messages)
        size = records.size if count == len(records.texts) else utf8_size(records.texts[:count])
        max_size = min(self._limits.batch_bytes, self._slow_start.size // UNBATCHED_FRAMES)
        while size > max_size and count > 1:
            count //= 2
            size = utf8_size(records.texts[:count])
        return count

    def add_receipts(self, receipts: Sequence[Receipt]) -> None:
        """Take receipts in the order of their records. Raises IncompatibleServer, and takes none, if one cannot be true."""
        last_sequence, count = self._last_sequence, 0
        for receipt in receipts:
            count += receipt.count
            if receipt.status is ReceiptStatus.STORED:
                if receipt.sequence <= last_sequence:
                    raise contract_error(f"the sequence {receipt.sequence} after {last_sequence} in receipts", LOST_END_HINT)
                last_sequence = receipt.sequence + receipt.count - 1
        if count > self.in_flight:
            raise contract_error(f"receipts for {count} records, with {self.in_flight} in flight")
        self._last_sequence = last_sequence
        self.in_flight -= count
        for receipt in receipts:
            self._receipts.append(receipt)
            self._slow_start.add_answer()

    def next_report(self) -> DeliveryReport | None:
        """Return the next report, or None if it is not known yet. Raises IncompatibleServer for a receipt not due."""
        if not self._awaiting_report:
            return None
        first = self._awaiting_report[0]
        if first.rejection:
            self._awaiting_report.popleft()
            return DeliveryReport(first.rejection, first.room, ())
        if not self._receipts:
            return None
        receipt = self._receipts.popleft()
        if receipt.number != first.number or receipt.count > len(first.texts):
            raise contract_error(f"a receipt for number {receipt.number} instead of {first.number}")
        if receipt.count == len(first.texts):
            self._awaiting_report.popleft()
            self._sent_frames -= 1
        else:
            first = first.split_off(receipt.count)
        self._sent_bytes -= first.size
        return DeliveryReport(receipt, first.room, first.texts)

    def requeue(self) -> None:
        """After the stream broke: send again what has no receipt, at first only a little of it."""
        reportable: deque[PendingRecords] = deque()
        confirmed_count = sum(receipt.count for receipt in self._receipts)
        while self._awaiting_report and (confirmed_count or self._awaiting_report[0].rejection):
            first = self._awaiting_report[0]
            if first.rejection or confirmed_count >= len(first.texts):
                self._awaiting_report.popleft()
            else:
                first = first.split_off(confirmed_count)
            confirmed_count -= len(first.texts)
            reportable.append(first)
        to_resend, self._awaiting_report = self._awaiting_report, reportable
        for records in to_resend:
            self._pending_records += len(records.texts) or 1
            self._pending_bytes += records.size
        self._pending.extendleft(reversed(to_resend))
        sent = [records for records in reportable if not records.rejection]
        self._sent_frames, self._sent_bytes = len(sent), sum(records.size for records in sent)
        self._slow_start.restart(self.in_flight > 0)
        self.in_flight = 0

    def unreported(self) -> list[DeliveryReport]:
        """Return reports for all records that have none, in order; those of rejected records have the rejection."""
        return [
            DeliveryReport(
                records.rejection or Receipt(records.number, len(records.texts), ReceiptStatus.UNCONFIRMED),
                records.room,
                records.texts,
            )
            for records in (*self._awaiting_report, *self._pending)
        ]
