"""Keeps the rest of an input that cannot be sent, for --resume."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from chatctl.cli.send.report import SendReport
from chatctl.cli.streams.ending import STALLED_SECONDS
from chatctl.cli.streams.stdin import StdinError
from chatctl.client.send_window import DeliveryReport
from chatctl.model.limits import MAX_BATCH_BYTES, Limits
from chatctl.model.records import Receipt, ReceiptStatus

# How long a writer that is alive may write nothing, and how long a pipe is read. After a signal, the process must end soon.
QUIET_SECONDS, MAX_SECONDS = 0.3, 5.0
QUIET_SECONDS_AFTER_SIGNAL, MAX_SECONDS_AFTER_SIGNAL = 0.1, 0.4


class UnsentRecords:
    """A RecordSink that reports its records as unconfirmed, so that they are in the file of --unconfirmed."""

    limits = Limits(text_bytes=MAX_BATCH_BYTES)  # of any server

    def __init__(self, report: SendReport) -> None:
        self._report = report
        self._next_number = report.num_records + 1
        self._deliveries: list[DeliveryReport] = []

    def put(self, room: str, texts: Sequence[str], number: int = 0) -> None:
        """Take texts, numbered from `number`, or on from the last one."""
        self._add(Receipt(number or self._next_number, len(texts), ReceiptStatus.UNCONFIRMED), room, texts)

    def reject(self, room: str, error: str) -> None:
        """Count a record that is not a text."""
        self._add(Receipt(self._next_number, 1, ReceiptStatus.REJECTED, error=error), room, ())

    def _add(self, receipt: Receipt, room: str, texts: Sequence[str]) -> None:
        self._deliveries.append(DeliveryReport(receipt, room, texts))
        self._next_number = receipt.number + receipt.count

    def flush(self) -> None:
        """Report the records that were taken."""
        deliveries, self._deliveries = self._deliveries, []
        for delivery in deliveries:
            self._report.add(delivery)

    async def drain(self) -> None:
        """Report the records that were taken. Raises TimeoutError if the file cannot take more."""
        self.flush()
        async with asyncio.timeout(STALLED_SECONDS):
            await self._report.drain()
        if not self._report.keeps_unconfirmed:
            raise TimeoutError


async def keep_rest(report: SendReport, after_signal: bool) -> None:
    """Read the rest of the input, as far as it is there, into the file of --unconfirmed.

    A regular file is read to its end; after a signal not at all, since it can be read again. A TEXT is counted without
    such a file, too, where no sentence of an error says that it was not sent.
    """
    record_input = report.record_input
    is_file = record_input.total_bytes is not None
    is_counted = record_input.is_single_text and (after_signal or report.as_json)
    if not (report.keeps_unconfirmed or is_counted) or (is_file and after_signal):
        return
    quiet_seconds, seconds = (
        (QUIET_SECONDS_AFTER_SIGNAL, MAX_SECONDS_AFTER_SIGNAL) if after_signal else (QUIET_SECONDS, MAX_SECONDS)
    )
    sink = UnsentRecords(report)
    report.rest_was_read = True
    try:
        with suppress(TimeoutError, StdinError):
            async with asyncio.timeout(None if is_file else seconds):
                await record_input.feed_rest(sink, report.origin.room, report.rejects, quiet_seconds)
    finally:
        sink.flush()
