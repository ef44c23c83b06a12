"""What `send` tells: receipts on stdout and in a file, rejections and the summary on stderr, what is left in files."""

import json
import os
import shlex
import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from chatctl.cli.send.inputs import RecordInput
from chatctl.cli.send.unconfirmed import UnconfirmedRecords
from chatctl.cli.streams import json_lines
from chatctl.cli.streams.files import OutputFile
from chatctl.cli.streams.rejects import RejectsFile
from chatctl.cli.terminal import escape, messages, times
from chatctl.errors import ChatError, TimedOut, Unavailable
from chatctl.model.records import ReceiptStatus

if TYPE_CHECKING:
    from chatctl.client import DeliveryReport, SendStream
    from chatctl.model.records import Receipt
from chatctl.cli.exit_codes import STATUS_OFFSET

MAX_SHOWN_REJECTIONS = 20


@dataclass
class OutputFiles:
    """Where else things are told, if asked for."""

    receipts: OutputFile | None = None
    rejects: OutputFile | None = None
    unconfirmed: OutputFile | None = None

    def _all(self) -> list[OutputFile]:
        return [file for file in (self.receipts, self.rejects, self.unconfirmed) if file]

    def close(self) -> list[str]:
        """Put them in their places; what went wrong."""
        for file in self._all():
            file.close()
        return [file.error for file in self._all() if file.error]

    def discard(self) -> None:
        """Leave the places of those that were not closed as they are."""
        for file in self._all():
            file.discard()


class SendReport:
    """Counts what became of the records, and tells it as it comes."""

    def __init__(
        self,
        server: str,
        room: str,
        user: str,
        input_id: str,
        record_input: RecordInput,
        files: OutputFiles,
        as_json: bool,
        quiet: bool,
    ) -> None:
        """`server`, if it needs to be named to be found again."""
        self._server = server
        self.room, self.user, self.input_id = room, user, input_id
        self.record_input = record_input
        self.as_json = as_json
        self.cursor_prefix = ""
        self.rejects = RejectsFile(files.rejects, record_input.separator) if files.rejects else None
        self._files = files
        self._unconfirmed = UnconfirmedRecords(room, user, input_id, record_input.log)
        self._counts = dict.fromkeys(ReceiptStatus, 0)
        self._quiet = quiet
        self._rejections_shown = 0
        self._stdout_error = ""
        self._first_sequence = self._last_sequence = 0

    def set_log(self, stream: "SendStream") -> None:
        """There is a server: this is the log it keeps."""
        self.cursor_prefix, self._unconfirmed.log = stream.cursor_prefix, stream.log

    @property
    def confirmed(self) -> int:
        """Records that have a receipt."""
        return sum(self._counts.values()) - self._counts[ReceiptStatus.UNCONFIRMED]

    def add(self, delivery: "DeliveryReport") -> None:
        """Count an outcome and say it where it is wanted."""
        receipt = delivery.receipt
        self._counts[receipt.status] += receipt.count
        if receipt.sequence:
            self._first_sequence = min(self._first_sequence or receipt.sequence, receipt.sequence)
            self._last_sequence = max(self._last_sequence, receipt.sequence + receipt.count - 1)
        if self.as_json or self._files.receipts:
            lines = self._json_lines(delivery).encode()
            if self._files.receipts:
                self._files.receipts.write(lines)
            if self.as_json:
                self._write_stdout(lines)
        if receipt.status is ReceiptStatus.REJECTED:
            self._add_rejection(delivery)
        elif receipt.status is ReceiptStatus.UNCONFIRMED and self._files.unconfirmed:
            self._unconfirmed.runs.append((receipt.number, list(delivery.texts)))

    def add_unsent(self) -> None:
        """There never was a server: keep what is known of the input all the same, if it is to be kept."""
        if self._files.unconfirmed:
            for number, texts in self.record_input.unread_records():
                self._unconfirmed.runs.append((number, texts))
                self._counts[ReceiptStatus.UNCONFIRMED] += len(texts)

    def _add_rejection(self, delivery: "DeliveryReport") -> None:
        receipt, _, texts = delivery
        if self.rejects and texts:
            self.rejects.write_texts(
                texts, unterminated=self.record_input.is_unterminated(receipt.number + receipt.count - 1)
            )
        elif self.rejects:
            self.rejects.write_next()
        if not self.as_json:
            self._say_rejection(receipt)

    def _say_rejection(self, receipt: "Receipt") -> None:
        self._rejections_shown += 1
        if self._rejections_shown > MAX_SHOWN_REJECTIONS:
            if self._rejections_shown == MAX_SHOWN_REJECTIONS + 1:
                messages.say("further rejections are counted, not shown; --json tells each")
            return
        last = receipt.number + receipt.count - 1
        what = f"record {receipt.number}" if receipt.count == 1 else f"records {receipt.number} to {last}"
        were = "were" if receipt.count > 1 else "was"
        messages.say(
            f"{'the text' if self.record_input.is_single_text else what} {were} rejected: {escape.escape_text(receipt.error)}"
        )

    def _json_lines(self, delivery: "DeliveryReport") -> str:
        """A JSON object for each record."""
        receipt, room, texts = delivery
        names = f'"room":{json_lines.json_string(room)},"user":{json_lines.json_string(self.user)},"sender":{json_lines.json_string(self.input_id)}'
        head = f'"status":"{receipt.status.name.lower()}",'
        if receipt.sequence:
            middle = f',{names},"time":"{times.rfc3339(receipt.time)}","cursor":"{self.cursor_prefix}'
            return "".join(
                f'{{"number":{receipt.number + i},{head}"sequence":{receipt.sequence + i}{middle}{receipt.sequence + i}",'
                f'"sha256":"{sha256(text.encode()).hexdigest()}"}}\n'
                for i, text in enumerate(texts)
            )
        error = f',"error":{json.dumps(receipt.error, ensure_ascii=False)}' if receipt.error else ""
        digests = [f',"sha256":"{sha256(text.encode()).hexdigest()}"' for text in texts] or [""]
        return "".join(f'{{"number":{receipt.number + i},{head}{names}{error}{end}}}\n' for i, end in enumerate(digests))

    def _write_stdout(self, lines: bytes) -> None:
        try:
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()
        except OSError as error:
            # What is sent is worth more than who watches: go on. That nobody reads any more is no failure, a full disk is.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                self._stdout_error = f"cannot write the receipts: {error.strerror}"

    def finish(self, failure: ChatError | OSError | None = None, signal_code: int = 0) -> int:
        """The last word: the files, and on stderr what ended the run before its time, and the summary.

        The exit code comes back; `signal_code` if that is not 0.
        """
        error, reason, code = _describe_failure(failure)
        if write_errors := self._close_files():
            error, reason, code = "; ".join(filter(None, (error, *write_errors))), reason or "OUTPUT", code or 1
        code = signal_code or code or int(self._counts[ReceiptStatus.REJECTED] > 0)
        if not self.as_json:
            self._say_end(error, bool(failure or signal_code))
        elif error or signal_code or not self._quiet:
            error_fields = {"error": error, "reason": reason, "exit_code": code} if error else {}
            messages.say_json({**error_fields, "summary": self._summary()})
        return code

    def _close_files(self) -> list[str]:
        """Put the files in their places; what could not be written."""
        if self._files.unconfirmed:
            for line in self._unconfirmed.lines():
                self._files.unconfirmed.write(line.encode())
        return [*filter(None, [self._stdout_error]), *self._files.close()]

    def _say_end(self, error: str, unfinished: bool) -> None:
        if error:
            messages.say(error, messages.Severity.ERROR)
        stopped = self.record_input.stop_position()
        if not (any(self._counts.values()) or stopped if error or unfinished else not self._quiet):
            return
        success = not (
            unfinished or error or self._counts[ReceiptStatus.REJECTED] or self._counts[ReceiptStatus.UNCONFIRMED]
        )
        messages.say(self._summary_text(), messages.Severity.SUCCESS if success else messages.Severity.INFO)
        if unfinished and stopped:
            partial_text = f"; {stopped.unfinished} bytes of the next were read, too" if stopped.unfinished else ""
            messages.say(f"reading stopped after record {stopped.record}, at byte {stopped.byte} of the input{partial_text}")
        if unfinished and (stopped or self._counts[ReceiptStatus.UNCONFIRMED]):
            messages.say(f"to finish, {self._retry_hint()}: nothing is stored twice")

    def _retry_hint(self) -> str:
        hint, path = self.record_input.retry_hint(self.input_id), self.record_input.unconfirmed_path
        if self._unconfirmed.runs and self._files.unconfirmed and not self._files.unconfirmed.error:
            path = str(self._files.unconfirmed.path)
        if not path:
            return hint
        file, server = shlex.quote(path), f" --server {shlex.quote(self._server)}" if self._server else ""
        resume = f"`chatctl send --resume {file} --unconfirmed {file}{server}`"
        return f"{hint}, or what is unconfirmed with {resume}" if hint else f"run {resume}"

    def _summary(self) -> dict[str, Any]:
        stopped = self.record_input.stop_position()
        return {
            "records": sum(self._counts.values()),
            **{status.name.lower(): count for status, count in self._counts.items()},
            "first_sequence": self._first_sequence or None,
            "last_sequence": self._last_sequence or None,
            "room": self.room,
            "user": self.user,
            "sender": self.input_id,
            "stopped": stopped._asdict() if stopped else None,
        }

    def _summary_text(self) -> str:
        counts = [
            f"{self._counts[status]:,} {status.name.lower()}"
            for status in (ReceiptStatus.STORED, ReceiptStatus.DUPLICATE, ReceiptStatus.REJECTED, ReceiptStatus.UNCONFIRMED)
            if self._counts[status] or status is ReceiptStatus.STORED
        ]
        facts = [f"room {escape.escape_name(self.room)}", f"user {escape.escape_name(self.user)}"]
        if self._first_sequence:
            facts.append(
                f"sequence {self._first_sequence}"
                + (f" to {self._last_sequence}" if self._last_sequence > self._first_sequence else "")
            )
        facts.append(f"sender {escape.escape_name(self.input_id)}")
        return f"{', '.join(counts)} ({', '.join(facts)})"


def _describe_failure(failure: ChatError | OSError | None) -> tuple[str, str, int]:
    """What a failure means: a sentence, the reason and the exit code."""
    if failure is None:
        return "", "", 0
    if isinstance(failure, OSError):
        return f"cannot read stdin: {failure.strerror}", "INPUT", 1
    if isinstance(failure, TimedOut):
        failure = Unavailable(str(failure))  # giving up has one exit code, however the server went away
    return str(failure), failure.reason, STATUS_OFFSET + failure.code
