"""`chatctl verify`."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from chatctl.cli.exit_codes import STATUS_OFFSET
from chatctl.cli.terminal import escape, messages
from chatctl.cli.verify import receipt_file
from chatctl.errors import ChatError, CursorOtherLog
from chatctl.model.claims import Claims, FaultKind
from chatctl.model.records import ReceiptStatus
from chatctl.net.endpoint import Endpoint

if TYPE_CHECKING:
    from chatctl.client import VerifyResult
MAX_SHOWN_LINES = 20
FAULT_TEXTS = {
    FaultKind.MISSING: "missing",
    FaultKind.OTHER_ROOM: "in another room",
    FaultKind.OTHER_USER: "by another user",
    FaultKind.OTHER_TEXT: "has another text",
}
COUNT_LABELS = {
    "verified": "verified",
    **{kind.name.lower(): words.replace("has", "with") for kind, words in FAULT_TEXTS.items()},
    "rejected": "rejected",
    "unconfirmed": "unconfirmed",
}


class VerifyReport:
    """Reads receipts, counts what became of them, and tells what is wrong as it is found."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._as_json, self._quiet = as_json, quiet
        self._counts = dict.fromkeys(COUNT_LABELS, 0)
        self._invalid_lines = 0
        self._cursor_prefix = ""  # that of the first receipt

    async def run(self, endpoint: Endpoint, seconds: float, descriptor: int) -> int:
        """Verify everything; the exit code comes back, and all is told."""
        from chatctl.client.client import ChatClient

        failure: ChatError | OSError | None = None
        notify = None if self._as_json else messages.say
        try:
            async with (
                ChatClient(endpoint, seconds, notify) as client,
                aclosing(client.verify(self._read_claims(descriptor))) as results,
            ):
                async for result in results:
                    self._add(result)
        except (ChatError, OSError) as error:
            failure = error
        return self._finish(failure)

    async def _read_claims(self, descriptor: int) -> AsyncIterator[Claims]:
        """What the receipts claim, as it comes. Raises CursorOtherLog at a receipt of another log than the first."""
        line_number = 0
        async for lines in receipt_file.read_lines(descriptor):
            claims = []
            for line in lines:
                line_number += 1
                receipt = receipt_file.parse_receipt(line_number, line)
                if isinstance(receipt, receipt_file.InvalidReceipt):
                    self._add_invalid(receipt)
                elif isinstance(receipt, ReceiptStatus):
                    self._counts[receipt.name.lower()] += 1
                elif receipt.context.cursor_prefix == (self._cursor_prefix or receipt.context.cursor_prefix):
                    self._cursor_prefix = receipt.context.cursor_prefix
                    claims.append(receipt)
                else:
                    yield Claims(self._cursor_prefix, claims)
                    raise CursorOtherLog(
                        f"line {line_number} is a receipt of the log {_log_id(receipt.context.cursor_prefix)}, those before it are of "
                        f"{_log_id(self._cursor_prefix)}: verify the receipts of each log by themselves"
                    )
            if claims:
                yield Claims(self._cursor_prefix, claims)

    def _add_invalid(self, invalid: receipt_file.InvalidReceipt) -> None:
        self._invalid_lines += 1
        if self._as_json:
            self._write(json.dumps({"line": invalid.line, "fault": "no_receipt", "error": invalid.error}))
        elif self._invalid_lines <= MAX_SHOWN_LINES:
            messages.say(f"line {invalid.line} is no receipt: {invalid.error}")
        elif self._invalid_lines == MAX_SHOWN_LINES + 1:
            messages.say("further lines that are no receipts are counted, not shown; --json tells each")

    def _add(self, result: "VerifyResult") -> None:
        """Count what was answered, and show what does not hold."""
        self._counts["verified"] += len(result.claims) - len(result.faults)
        for fault in result.faults:
            sequence, room, user, _, origin = result.claims[fault.index]
            self._counts[fault.kind.name.lower()] += 1
            if self._as_json:
                names = {"sender": origin.sender, "sequence": sequence, "room": room, "user": user}
                fields = {"line": origin.line, "number": origin.number, **names, "fault": fault.kind.name.lower()}
                self._write(json.dumps(fields, ensure_ascii=False))
            else:
                input_id, room, user = map(escape.escape_name, (origin.sender, room, user))
                facts = f"sender {input_id}, sequence {sequence}, room {room}, user {user}"
                self._write(f"record {origin.number} ({facts}): {FAULT_TEXTS[fault.kind]}")

    def _write(self, line: str) -> None:
        try:
            print(line, flush=True)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):  # who read stdout has seen enough, but the exit code is still due
                raise

    def _finish(self, failure: ChatError | OSError | None) -> int:
        """The last word on stderr: what ended the run before its time, and the summary. The exit code comes back."""
        has_faults = any(count for what, count in self._counts.items() if what != "verified")
        # Of nothing nothing can be said: a send that failed early leaves no receipts.
        code = int(has_faults or self._invalid_lines > 0 or not self._counts["verified"])
        error = reason = ""
        if isinstance(failure, OSError):
            error, reason, code = f"cannot read or write: {failure.strerror}", "INPUT_OUTPUT", 1
        elif failure:
            error, reason, code = str(failure), failure.reason, STATUS_OFFSET + failure.code
        if self._as_json:
            if error or not self._quiet:
                error_fields = {"error": error, "reason": reason, "exit_code": code} if error else {}
                messages.say_json({**error_fields, "summary": self._summary()})
        else:
            if error:
                messages.say(error, messages.Severity.ERROR)
            if any(self._counts.values()) if error else not self._quiet:
                messages.say(self._summary_text(), messages.Severity.ERROR if code else messages.Severity.SUCCESS)
        return code

    def _summary(self) -> dict[str, Any]:
        records = sum(self._counts.values())
        return {
            "records": records,
            **self._counts,
            "no_receipt": self._invalid_lines,
            "log": _log_id(self._cursor_prefix) or None,
        }

    def _summary_text(self) -> str:
        counts = [f"{n:,} {COUNT_LABELS[what]}" for what, n in self._counts.items() if n or what == "verified"]
        if self._invalid_lines:
            counts.append(f"{self._invalid_lines:,} no receipt{'s' if self._invalid_lines > 1 else ''}")
        log = f" (log {escape.escape_text(_log_id(self._cursor_prefix))})" if self._cursor_prefix else ""
        unstored = self._counts["missing"] or self._counts["unconfirmed"]
        if not self._invalid_lines and not any(self._counts.values()):
            return "there are no receipts, so nothing is verified"
        hint = "; to store what is not there, send the same input again with the same --sender" if unstored else ""
        return ", ".join(counts) + log + hint


def _log_id(cursor_prefix: str) -> str:
    """The log's id as people see it."""
    return cursor_prefix.rstrip(":")
