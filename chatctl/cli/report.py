"""What `send` tells: a receipt for each record on stdout, rejections and the summary on stderr."""

import json
import os
import shlex
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from chatctl.cli import formats
from chatctl.errors import ChatError, TimedOut, Unavailable
from chatctl.log import Status

if TYPE_CHECKING:
    from chatctl.client import Outcome
    from chatctl.log import Receipt

SHOWN_REJECTIONS = 20
STATUS_OFFSET = 64  # exit codes 64 + N are gRPC statuses, as with grpcurl
SIGNAL_OFFSET = 128  # exit codes 128 + N are signals, as in every shell
INTERRUPTED = 130


class Report:
    """Counts what became of the records, and tells it as it comes."""

    def __init__(self, room: str, user: str, sender: str, as_json: bool, quiet: bool, single: bool) -> None:
        """`single`: the only record is a text given as argument, and not a line of an input."""
        self.room, self.user, self.sender = room, user, sender
        self.as_json = as_json
        self.cursor_prefix = ""
        self._counts = dict.fromkeys(Status, 0)
        self._quiet, self._single = quiet, single
        self._shown = 0
        self._unwritten = ""
        self._first = self._last = 0

    @property
    def done(self) -> int:
        """Records that have a receipt."""
        return sum(self._counts.values()) - self._counts[Status.UNCONFIRMED]

    def tell(self, outcome: "Outcome") -> None:
        """Count an outcome and say it where it is wanted."""
        receipt = outcome.receipt
        self._counts[receipt.status] += receipt.count
        if receipt.sequence:
            self._first = min(self._first or receipt.sequence, receipt.sequence)
            self._last = max(self._last, receipt.sequence + receipt.count - 1)
        if self.as_json:
            self._write(self._lines(outcome))
        elif receipt.status is Status.REJECTED:
            self._rejection(receipt)

    def _rejection(self, receipt: "Receipt") -> None:
        self._shown += 1
        if self._shown > SHOWN_REJECTIONS:
            if self._shown == SHOWN_REJECTIONS + 1:
                formats.say("further rejections are counted, not shown; --json tells each")
            return
        last = receipt.number + receipt.count - 1
        what = f"record {receipt.number}" if receipt.count == 1 else f"records {receipt.number} to {last}"
        were = "were" if receipt.count > 1 else "was"
        formats.say(f"{'the text' if self._single else what} {were} rejected: {formats.visible(receipt.error)}")

    def _lines(self, outcome: "Outcome") -> str:
        """A JSON object for each record."""
        receipt, room, texts = outcome
        names = f'"room":{formats.quote(room)},"user":{formats.quote(self.user)},"sender":{formats.quote(self.sender)}'
        head = f'"status":"{receipt.status.name.lower()}",'
        if receipt.sequence:
            middle = f',{names},"time":"{formats.rfc3339(receipt.time)}","cursor":"{self.cursor_prefix}'
            return "".join(
                f'{{"number":{receipt.number + i},{head}"sequence":{receipt.sequence + i}{middle}{receipt.sequence + i}",'
                f'"sha256":"{sha256(text.encode()).hexdigest()}"}}\n'
                for i, text in enumerate(texts)
            )
        error = f',"error":{json.dumps(receipt.error, ensure_ascii=False)}' if receipt.error else ""
        digests = [f',"sha256":"{sha256(text.encode()).hexdigest()}"' for text in texts] or [""]
        return "".join(f'{{"number":{receipt.number + i},{head}{names}{error}{end}}}\n' for i, end in enumerate(digests))

    def _write(self, lines: str) -> None:
        try:
            sys.stdout.buffer.write(lines.encode())
            sys.stdout.buffer.flush()
        except OSError as error:
            # What is sent is worth more than who watches: go on. That nobody reads any more is no failure, a full disk is.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                self._unwritten = f"cannot write the receipts: {error.strerror}"

    def end(self, failure: ChatError | OSError | None = None) -> int:
        """The last word, on stderr: what ended the run before its time, and the summary. The exit code comes back."""
        if isinstance(failure, TimedOut):
            failure = Unavailable(str(failure))  # giving up has one exit code, however the server went away
        if isinstance(failure, OSError):
            error, reason, code = f"cannot read stdin: {failure.strerror}", "INPUT", 1
        elif failure:
            error, reason, code = str(failure), failure.reason, STATUS_OFFSET + failure.code
        else:
            error = self._unwritten
            reason, code = "OUTPUT" if error else "", 1 if error or self._counts[Status.REJECTED] else 0
        if self.as_json and (error or not self._quiet):
            ended = {"error": error, "reason": reason, "exit_code": code} if error else {}
            formats.say_json({**ended, "summary": self._summary()})
        if not self.as_json and error:
            formats.say(error)
        if not self.as_json and (any(self._counts.values()) if error else not self._quiet):
            formats.say(self._sentence() + (self._advice() if failure else ""))
        return code

    def _advice(self) -> str:
        again = "it" if self._single else "the same input"
        return f"; to finish, send {again} again with --sender {shlex.quote(self.sender)}: nothing is stored twice"

    def _summary(self) -> dict[str, Any]:
        return {
            "records": sum(self._counts.values()),
            **{status.name.lower(): count for status, count in self._counts.items()},
            "first_sequence": self._first or None,
            "last_sequence": self._last or None,
            "room": self.room,
            "user": self.user,
            "sender": self.sender,
        }

    def _sentence(self) -> str:
        counts = [
            f"{self._counts[status]:,} {status.name.lower()}"
            for status in (Status.STORED, Status.DUPLICATE, Status.REJECTED, Status.UNCONFIRMED)
            if self._counts[status] or status is Status.STORED
        ]
        facts = [f"room {formats.visible(self.room)}", f"user {formats.visible(self.user)}"]
        if self._first:
            facts.append(f"sequence {self._first}" + (f" to {self._last}" if self._last > self._first else ""))
        facts.append(f"sender {formats.visible(self.sender)}")
        return f"{', '.join(counts)} ({', '.join(facts)})"
