"""The window: records between their input and their receipts. No I/O, and bounded if whoever puts looks at `full`."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chatctl.errors import UnexpectedStatus
from chatctl.model.limits import Limits, utf8_size
from chatctl.model.records import Receipt, ReceiptStatus

FRAME_MESSAGES = 500  # a frame costs 0.2 ms whatever it holds; more than 500 messages in one gain nothing
WINDOW_FRAMES, WINDOW_BYTES = 256, 16 * 1024 * 1024  # without receipts; 256 frames keep a far server busy
UNBATCHED_FRAMES = 2  # while fewer are without receipts a frame goes at once; beyond, it may grow until a receipt comes
MAX_PENDING_RECORDS, MAX_PENDING_BYTES = (
    4 * FRAME_MESSAGES,
    1024 * 1024,
)  # taken but not yet sent; beyond, the window is `full`


class DeliveryReport(NamedTuple):
    """What became of some consecutive records: the receipt, their room and their texts (none, of what never was a text)."""

    receipt: Receipt
    room: str
    texts: Sequence[str]


@dataclass(slots=True)
class PendingRecords:
    """Consecutive records for one room; or one with a `rejection`, which is not sent but waits for its turn."""

    room: str
    number: int
    texts: list[str]
    rejection: Receipt | None = None
    size: int = 0


class SendWindow:
    """Takes records, gives them out as frames, takes receipts, and gives out what became of each record, in order."""

    def __init__(self) -> None:
        self._limits = Limits()
        self._frame_messages = FRAME_MESSAGES
        self._next_number = 1  # number of the next record put
        self._pending: deque[PendingRecords] = deque()
        self._pending_records = 0
        self._pending_bytes = 0
        self._awaiting_report: deque[PendingRecords] = (
            deque()
        )  # whose outcome is not told: under way, or rejected and waiting for their turn
        self._sent_frames = self._sent_bytes = 0  # what of it was sent
        self._receipts: deque[Receipt] = deque()  # come, and not yet told
        self._probing = False  # after a broken stream: whether the server takes anything is to be seen
        self.in_flight = 0
        """Records sent on the stream whose receipts have not come."""

    def set_limits(self, limits: Limits) -> None:
        """Make frames within these limits from here on."""
        self._limits = limits
        self._frame_messages = max(1, min(FRAME_MESSAGES, limits.batch_messages))

    def put(self, room: str, texts: Sequence[str], number: int = 0) -> None:
        """Take texts to send, numbered from `number`, or on from the last. Raises UnicodeEncodeError: then none is taken."""
        size = utf8_size(texts)  # raises UnicodeEncodeError
        if not texts:
            return
        last = self._pending[-1] if self._pending else None
        if number and number != self._next_number:
            if number < self._next_number:
                raise ValueError(f"number {number} is put after number {self._next_number - 1}: numbers must increase")
            self._next_number, last = number, None
        if last and last.room == room and not last.rejection:
            last.texts += texts
        else:
            self._pending.append(PendingRecords(room, self._next_number, list(texts)))
        self._pending_bytes += size
        self._count_pending(len(texts))

    def reject(self, room: str, error: str) -> None:
        """Count a record that cannot be sent; its rejection comes among the outcomes, in its turn."""
        rejection = Receipt(self._next_number, 1, ReceiptStatus.REJECTED, error=error)
        self._pending.append(PendingRecords(room, self._next_number, [], rejection))
        self._count_pending(1)

    def _count_pending(self, records: int) -> None:
        self._next_number += records
        self._pending_records += records

    @property
    def full(self) -> bool:
        """Whether much of what was put is still to be sent."""
        return self._pending_records >= MAX_PENDING_RECORDS or self._pending_bytes >= MAX_PENDING_BYTES

    @property
    def all_reported(self) -> bool:
        """Whether the outcome of everything that was put has been told."""
        return not self._pending and not self._awaiting_report

    @property
    def all_sent(self) -> bool:
        """Whether nothing is left to be sent."""
        return not self._pending

    @property
    def all_confirmed(self) -> bool:
        """Whether everything that was put has its receipt."""
        return not self._pending and not self.in_flight

    def may_send(self, finished: bool) -> bool:
        """Whether a frame may go now. `finished`: nothing more will be put, so that no frame needs to grow."""
        if not self._pending or self._sent_frames >= WINDOW_FRAMES or self._sent_bytes >= WINDOW_BYTES:
            return False
        if self._probing and self._sent_frames >= UNBATCHED_FRAMES:
            return False
        if (
            len(self._awaiting_report) >= WINDOW_FRAMES + MAX_PENDING_RECORDS
        ):  # rejections, which wait for their turn, are bounded too
            return False
        full = len(self._pending) > 1 or self._pending_records >= self._frame_messages or self.full
        return full or finished or self._sent_frames < UNBATCHED_FRAMES

    def next_frame(self) -> PendingRecords | None:
        """The next frame to send, as much as it may hold; None if a rejection stood there, which is now in its turn."""
        first = self._pending[0]
        if first.rejection:
            self._awaiting_report.append(self._pending.popleft())
            self._pending_records -= 1
            return None
        texts = first.texts[: self._frame_messages]
        while (size := utf8_size(texts)) > self._limits.batch_bytes and len(texts) > 1:
            texts = texts[: len(texts) // 2]
        frame = PendingRecords(first.room, first.number, texts, size=size)
        if len(texts) == len(first.texts):
            self._pending.popleft()
        else:
            del first.texts[: len(texts)]
            first.number += len(texts)
        self._pending_records -= len(texts)
        self._pending_bytes -= size
        self.in_flight += len(texts)
        self._sent_frames += 1
        self._sent_bytes += size
        self._awaiting_report.append(frame)
        return frame

    def add_receipts(self, receipts: Iterable[Receipt]) -> None:
        """Take receipts, as they come."""
        for receipt in receipts:
            self._receipts.append(receipt)
            self.in_flight -= receipt.count
            self._probing = False

    def next_report(self) -> DeliveryReport | None:
        """The next outcome, if it is known. Raises UnexpectedStatus for a receipt that was not due."""
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
            raise UnexpectedStatus(f"the server sent a receipt for number {receipt.number}, due was {first.number}", 13)
        texts = first.texts[: receipt.count]
        if receipt.count == len(first.texts):
            self._awaiting_report.popleft()
            self._sent_frames -= 1
            self._sent_bytes -= first.size
        else:
            del first.texts[: receipt.count]
            first.number += receipt.count
        return DeliveryReport(receipt, first.room, texts)

    def requeue(self) -> None:
        """The stream broke: what has no receipt is to be sent again, at first little of it."""
        reportable: deque[PendingRecords] = deque()
        confirmed_count = sum(receipt.count for receipt in self._receipts)
        while self._awaiting_report and (confirmed_count or self._awaiting_report[0].rejection):
            first = self._awaiting_report.popleft()
            if confirmed_count < len(first.texts):
                remainder = PendingRecords(first.room, first.number + confirmed_count, first.texts[confirmed_count:])
                self._awaiting_report.appendleft(remainder)
                del first.texts[confirmed_count:]
            confirmed_count -= len(first.texts)
            reportable.append(first)
        to_resend, self._awaiting_report = self._awaiting_report, reportable
        for records in to_resend:
            self._pending_records += len(records.texts) or 1
            self._pending_bytes += utf8_size(records.texts)
        self._pending.extendleft(reversed(to_resend))
        sent = [records for records in reportable if not records.rejection]
        self._sent_frames, self._sent_bytes = len(sent), sum(records.size for records in sent)
        self.in_flight = 0
        self._probing = True

    def unreported(self) -> list[DeliveryReport]:
        """All records put that are not settled, in order; the rejected ones among them with their rejection."""
        return [
            DeliveryReport(
                records.rejection or Receipt(records.number, len(records.texts), ReceiptStatus.UNCONFIRMED),
                records.room,
                records.texts,
            )
            for records in (*self._awaiting_report, *self._pending)
        ]
