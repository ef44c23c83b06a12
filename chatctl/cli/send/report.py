"""The report of `send`: receipts, rejected and unconfirmed records, and the summary."""

import shlex
import sys
from typing import TYPE_CHECKING, Any

from chatctl.cli import failures
from chatctl.cli.exit_codes import FAILED
from chatctl.cli.failures import Outcome
from chatctl.cli.send.inputs import RecordInput
from chatctl.cli.send.output_files import OutputFiles
from chatctl.cli.streams import json_lines
from chatctl.cli.streams.json_lines import Origin
from chatctl.cli.streams.rejects import RejectsFile
from chatctl.cli.streams.stdin import StdinError
from chatctl.cli.streams.stdin_input import StopPosition, replaced_text
from chatctl.cli.streams.stdout import write_or_discard
from chatctl.cli.terminal import notices
from chatctl.cli.terminal.escape import escape_json, escape_name, escape_text
from chatctl.errors import ChatError
from chatctl.model.records import ReceiptStatus

if TYPE_CHECKING:
    from chatctl.client import DeliveryReport, SendStream
    from chatctl.model.records import Receipt

STORED, DUPLICATE = ReceiptStatus.STORED, ReceiptStatus.DUPLICATE
REJECTED, UNCONFIRMED = ReceiptStatus.REJECTED, ReceiptStatus.UNCONFIRMED


class SendReport:
    """Counts the records by status, and reports each receipt as it arrives."""

    def __init__(
        self, origin: Origin, record_input: RecordInput, files: OutputFiles, server: str, as_json: bool, quiet: bool
    ) -> None:
        """`server` is empty if the command finds it again without --server."""
        self.origin = origin
        self.record_input = record_input
        self.as_json = as_json
        self.rejects = RejectsFile(files.rejects, record_input.separator) if files.rejects else None
        self._server, self._files, self._quiet = server, files, quiet
        self._fields, self._cursor_prefix = origin.fields(), ""
        self._log = record_input.log
        self._kept_unconfirmed = False  # in the file of --unconfirmed
        self.rest_was_read = False
        """Whether the rest of the input was read, as far as it was there."""
        self._counts = dict.fromkeys(ReceiptStatus, 0)
        self._rejection_notices = notices.LimitedNotices("more records were rejected: --json shows all of them")
        self._stdout_error = ""
        self._first_sequence = self._last_sequence = 0
        self._at_terminal = sys.stdout.isatty()

    def set_log(self, stream: "SendStream") -> None:
        """Note the log of the server, once there is a server."""
        self._cursor_prefix, self._log = stream.cursor_prefix, stream.log

    @property
    def keeps_unconfirmed(self) -> bool:
        """Whether there is a file for unconfirmed records, and it can be written."""
        return self._files.unconfirmed is not None and not self._files.unconfirmed.error

    @property
    def num_records(self) -> int:
        """The number of records that have a status."""
        return sum(self._counts.values())

    @property
    def confirmed(self) -> int:
        """The number of records that have a receipt."""
        return self.num_records - self._counts[UNCONFIRMED]

    def add(self, delivery: "DeliveryReport") -> None:
        """Count consecutive records of one status, and report them."""
        receipt = delivery.receipt
        self._counts[receipt.status] += receipt.count
        if receipt.sequence:
            self._first_sequence = min(self._first_sequence or receipt.sequence, receipt.sequence)
            self._last_sequence = max(self._last_sequence, receipt.sequence + receipt.count - 1)
        if self.as_json or self._files.receipts:
            lines = json_lines.receipt_lines(receipt, self._fields, delivery.texts, self._cursor_prefix).encode()
            if self._files.receipts:
                self._files.receipts.write(lines)
            # A closed or full stdout does not end the run: sending matters more.
            if self.as_json and (error := write_or_discard(self._at_stdout(lines))):
                self._stdout_error = f"cannot write the receipts: {error.strerror}"
        if receipt.status is REJECTED:
            self._add_rejection(delivery)
        elif receipt.status is DUPLICATE and self.record_input.is_single_text:
            self._say_nothing_new(receipt.sequence)
        elif receipt.status is UNCONFIRMED and self._files.unconfirmed:
            self._kept_unconfirmed = True
            records = json_lines.unconfirmed_lines(receipt.number, delivery.texts, self.origin, self._log)
            self._files.unconfirmed.write("".join(records).encode())
        if self.rejects:
            self.rejects.forget(receipt.number, receipt.count)

    def say_unfinished(self) -> None:
        """Say which files are not complete, as the process ends at once."""
        if paths := self._files.unfinished:
            notices.notifier(self.as_json)(f"ended at once: not written: {escape_text(', '.join(paths))}")

    async def drain(self) -> None:
        """Wait until the readers of output files that are pipes have taken everything."""
        if self._files.are_blocked:
            await self._files.drain()

    def _at_stdout(self, lines: bytes) -> bytes:
        return escape_json(lines.decode()).encode() if self._at_terminal else lines

    def _add_rejection(self, delivery: "DeliveryReport") -> None:
        receipt = delivery.receipt
        if self.rejects and delivery.texts:
            last = receipt.number + receipt.count - 1
            unterminated = self.record_input.is_unterminated(last)
            self.rejects.write_texts(delivery.texts, receipt.number, unterminated)
        elif self.rejects:
            self.rejects.write_next()
        if not self.as_json:
            self._say_rejection(receipt)

    def _say_rejection(self, receipt: "Receipt") -> None:
        last = receipt.number + receipt.count - 1
        what = f"record {receipt.number}" if receipt.count == 1 else f"records {receipt.number} to {last}"
        what = "text" if self.record_input.is_single_text else what
        self._rejection_notices.say(f"{what} rejected: {escape_text(receipt.error)}")

    def _say_nothing_new(self, sequence: int) -> None:
        notices.notifier(self.as_json)(
            f"nothing new was sent: record 1 of input id {self.origin.input_id!r} was stored before, "
            f"as sequence {sequence}: use another --input-id for a new message"
        )

    def finish(self, error: ChatError | OSError | None = None, signal_code: int = 0) -> int:
        """Close the files, report the error that ended the run and the summary, and return the exit code.

        `signal_code` is the exit code of a signal, or 0.
        """
        text, reason, code = _outcome(error)
        if write_errors := self._close_files():
            text, reason, code = "; ".join(filter(None, (text, *write_errors))), reason or "OUTPUT", code or FAILED
        code = signal_code or code or (FAILED if self._counts[REJECTED] else 0)
        if not self.as_json:
            self._say_end(text, bool(error or signal_code))
        elif text or signal_code or not self._quiet:
            notices.say_json_summary(self._summary(), text, reason, code)
        return code

    def _close_files(self) -> list[str]:
        """Move the files to their places, and return the errors of all output."""
        return [*filter(None, [self._stdout_error]), *self._files.close()]

    def _say_end(self, error: str, unfinished: bool) -> None:
        if error:
            notices.say(error, notices.Severity.ERROR)
        stopped = self.record_input.stop_position()
        if not (any(self._counts.values()) or stopped if error or unfinished else not self._quiet):
            return
        success = not (unfinished or error or self._counts[REJECTED] or self._counts[UNCONFIRMED])
        notices.say(self._summary_text(), notices.Severity.SUCCESS if success else notices.Severity.INFO)
        if replaced := self.record_input.num_replaced:
            notices.say(replaced_text(replaced, "record"))
        if unfinished and stopped:
            partial = f"; {stopped.unfinished} bytes of the next record were read, too" if stopped.unfinished else ""
            not_ended = ", which had not ended" if self.rest_was_read and self.record_input.total_bytes is None else ""
            notices.say(
                f"reading stopped after record {stopped.record}, at byte {stopped.byte} of the input{not_ended}{partial}"
            )
        if unfinished and (stopped or self._counts[UNCONFIRMED]):
            if hint := self._retry_hint():
                notices.say(f"to finish, {hint}: nothing is stored twice")
            if error := self._lost_text(stopped):
                notices.say(error)

    def _lost_text(self, stopped: StopPosition | None) -> str:
        """Return a sentence about input that is not kept and cannot be read again, or empty without any."""
        if self.record_input.retry_hint(self.origin.input_id) or self.record_input.unconfirmed_path:
            return ""
        lost = []
        if not self.keeps_unconfirmed and (self._counts[UNCONFIRMED] or (stopped and stopped.unfinished)):
            lost.append("what was read and has no receipt")
        elif stopped and stopped.unfinished:
            lost.append(f"the {stopped.unfinished} bytes of the next record, which is not whole,")
        if stopped and not self.rest_was_read:
            lost.append("what is still in stdin")
        if not lost:
            return ""
        hint = "" if self._files.unconfirmed else ": use --unconfirmed FILE to keep such input"
        return f"{' and '.join(lost)} may be lost{hint}"

    def _retry_hint(self) -> str:
        hint, path = self.record_input.retry_hint(self.origin.input_id), self.record_input.unconfirmed_path
        if self._kept_unconfirmed and self._files.unconfirmed and self.keeps_unconfirmed:
            path = str(self._files.unconfirmed.path)
        if not path:
            return hint
        file, server = shlex.quote(path), f" --server {shlex.quote(self._server)}" if self._server else ""
        resume = f"`chatctl send --resume {file} --unconfirmed {file}{server}`"
        return f"{hint}, or the unconfirmed records with {resume}" if hint else f"run {resume}"

    def _summary(self) -> dict[str, Any]:
        stopped = self.record_input.stop_position()
        return {
            "records": self.num_records,
            **{json_lines.STATUS_NAMES[status]: count for status, count in self._counts.items()},
            "replaced": self.record_input.num_replaced,
            "first_sequence": self._first_sequence or None,
            "last_sequence": self._last_sequence or None,
            **self.origin._asdict(),
            "stopped": stopped._asdict() if stopped else None,
        }

    def _summary_text(self) -> str:
        counts = [
            f"{self._counts[status]:,} {json_lines.STATUS_NAMES[status]}"
            for status in (STORED, DUPLICATE, REJECTED, UNCONFIRMED)
            if self._counts[status] or status is STORED
        ]
        room, user, input_id = map(escape_name, self.origin)
        first, last = self._first_sequence, self._last_sequence
        sequences = f"sequence {first} to {last}, " if last > first else f"sequence {first}, " if first else ""
        return f"{', '.join(counts)} (room {room}, user {user}, {sequences}input id {input_id})"


def _outcome(error: ChatError | OSError | None) -> Outcome:
    """Return how a run ended: by this error, or with all records sent."""
    if error is None:
        return Outcome()
    if isinstance(error, StdinError):
        return Outcome(f"cannot read stdin: {error.strerror}", "INPUT", FAILED)
    return failures.describe(error)
