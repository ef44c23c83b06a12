"""What `send` tells: receipts on stdout and in a file, rejections and the summary on stderr, what is left in files."""

import json
import os
import shlex
import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from chatctl.cli import formats
from chatctl.cli.files import OutputFile, Rejects
from chatctl.cli.leftovers import Leftovers
from chatctl.cli.sources import Source
from chatctl.errors import ChatError, TimedOut, Unavailable
from chatctl.log import Status

if TYPE_CHECKING:
    from chatctl.client import Outcome, Sending
    from chatctl.log import Receipt

SHOWN_REJECTIONS = 20
STATUS_OFFSET = 64  # exit codes 64 + N are gRPC statuses, as with grpcurl
INTERRUPTED = 130


@dataclass
class Files:
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


class Report:
    """Counts what became of the records, and tells it as it comes."""

    def __init__(
        self, server: str, room: str, user: str, sender: str, source: Source, files: Files, as_json: bool, quiet: bool
    ) -> None:
        """`server`, if it needs to be named to be found again."""
        self._server = server
        self.room, self.user, self.sender = room, user, sender
        self.source = source
        self.as_json = as_json
        self.cursor_prefix = ""
        self.rejects = Rejects(files.rejects, source.separator) if files.rejects else None
        self._files = files
        self._left = Leftovers(room, user, sender, source.log)
        self._counts = dict.fromkeys(Status, 0)
        self._quiet = quiet
        self._shown = 0
        self._unwritten = ""
        self._first = self._last = 0

    def opened(self, sending: "Sending") -> None:
        """There is a server: this is the log it keeps."""
        self.cursor_prefix, self._left.log = sending.cursor_prefix, sending.log

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
        if self.as_json or self._files.receipts:
            lines = self._lines(outcome).encode()
            if self._files.receipts:
                self._files.receipts.write(lines)
            if self.as_json:
                self._write(lines)
        if receipt.status is Status.REJECTED:
            self._rejection(outcome)
        elif receipt.status is Status.UNCONFIRMED and self._files.unconfirmed:
            self._left.runs.append((receipt.number, list(outcome.texts)))

    def tell_unsent(self) -> None:
        """There never was a server: keep what is known of the input all the same, if it is to be kept."""
        if self._files.unconfirmed:
            for number, texts in self.source.unread():
                self._left.runs.append((number, texts))
                self._counts[Status.UNCONFIRMED] += len(texts)

    def _rejection(self, outcome: "Outcome") -> None:
        receipt, _, texts = outcome
        if self.rejects and texts:
            self.rejects.texts(texts, unterminated=self.source.last(receipt.number + receipt.count - 1))
        elif self.rejects:
            self.rejects.spooled()
        if not self.as_json:
            self._show(receipt)

    def _show(self, receipt: "Receipt") -> None:
        self._shown += 1
        if self._shown > SHOWN_REJECTIONS:
            if self._shown == SHOWN_REJECTIONS + 1:
                formats.say("further rejections are counted, not shown; --json tells each")
            return
        last = receipt.number + receipt.count - 1
        what = f"record {receipt.number}" if receipt.count == 1 else f"records {receipt.number} to {last}"
        were = "were" if receipt.count > 1 else "was"
        formats.say(f"{'the text' if self.source.single else what} {were} rejected: {formats.visible(receipt.error)}")

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

    def _write(self, lines: bytes) -> None:
        try:
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()
        except OSError as error:
            # What is sent is worth more than who watches: go on. That nobody reads any more is no failure, a full disk is.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                self._unwritten = f"cannot write the receipts: {error.strerror}"

    def end(self, failure: ChatError | OSError | None = None, signal_code: int = 0) -> int:
        """The last word: the files, and on stderr what ended the run before its time, and the summary.

        The exit code comes back; `signal_code` if that is not 0.
        """
        error, reason, code = _ending(failure)
        if unwritten := self._close():
            error, reason, code = "; ".join(filter(None, (error, *unwritten))), reason or "OUTPUT", code or 1
        code = signal_code or code or int(self._counts[Status.REJECTED] > 0)
        if not self.as_json:
            self._end_text(error, bool(failure or signal_code))
        elif error or signal_code or not self._quiet:
            ended = {"error": error, "reason": reason, "exit_code": code} if error else {}
            formats.say_json({**ended, "summary": self._summary()})
        return code

    def _close(self) -> list[str]:
        """Put the files in their places; what could not be written."""
        if self._files.unconfirmed:
            for line in self._left.lines():
                self._files.unconfirmed.write(line.encode())
        return [*filter(None, [self._unwritten]), *self._files.close()]

    def _end_text(self, error: str, unfinished: bool) -> None:
        if error:
            formats.say(error, formats.Tone.BAD)
        stopped = self.source.stopped()
        if not (any(self._counts.values()) or stopped if error or unfinished else not self._quiet):
            return
        good = not (unfinished or error or self._counts[Status.REJECTED] or self._counts[Status.UNCONFIRMED])
        formats.say(self._sentence(), formats.Tone.GOOD if good else formats.Tone.PLAIN)
        if unfinished and stopped:
            rest = f"; {stopped.unfinished} bytes of the next were read, too" if stopped.unfinished else ""
            formats.say(f"reading stopped after record {stopped.record}, at byte {stopped.byte} of the input{rest}")
        if unfinished and (stopped or self._counts[Status.UNCONFIRMED]):
            formats.say(f"to finish, {self._again()}: nothing is stored twice")

    def _again(self) -> str:
        again, kept = self.source.again(self.sender), self.source.kept
        if self._left.runs and self._files.unconfirmed and not self._files.unconfirmed.error:
            kept = str(self._files.unconfirmed.path)
        if not kept:
            return again
        file, server = shlex.quote(kept), f" --server {shlex.quote(self._server)}" if self._server else ""
        resume = f"`chatctl send --resume {file} --unconfirmed {file}{server}`"
        return f"{again}, or what is unconfirmed with {resume}" if again else f"run {resume}"

    def _summary(self) -> dict[str, Any]:
        stopped = self.source.stopped()
        return {
            "records": sum(self._counts.values()),
            **{status.name.lower(): count for status, count in self._counts.items()},
            "first_sequence": self._first or None,
            "last_sequence": self._last or None,
            "room": self.room,
            "user": self.user,
            "sender": self.sender,
            "stopped": stopped._asdict() if stopped else None,
        }

    def _sentence(self) -> str:
        counts = [
            f"{self._counts[status]:,} {status.name.lower()}"
            for status in (Status.STORED, Status.DUPLICATE, Status.REJECTED, Status.UNCONFIRMED)
            if self._counts[status] or status is Status.STORED
        ]
        facts = [f"room {formats.visible_name(self.room)}", f"user {formats.visible_name(self.user)}"]
        if self._first:
            facts.append(f"sequence {self._first}" + (f" to {self._last}" if self._last > self._first else ""))
        facts.append(f"sender {formats.visible_name(self.sender)}")
        return f"{', '.join(counts)} ({', '.join(facts)})"


def _ending(failure: ChatError | OSError | None) -> tuple[str, str, int]:
    """What a failure means: a sentence, the reason and the exit code."""
    if failure is None:
        return "", "", 0
    if isinstance(failure, OSError):
        return f"cannot read stdin: {failure.strerror}", "INPUT", 1
    if isinstance(failure, TimedOut):
        failure = Unavailable(str(failure))  # giving up has one exit code, however the server went away
    return str(failure), failure.reason, STATUS_OFFSET + failure.code
