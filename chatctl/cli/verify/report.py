"""The report of `verify`: faults, lines without a receipt, and the summary."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from chatctl.cli import failures
from chatctl.cli.exit_codes import FAILED
from chatctl.cli.failures import Outcome
from chatctl.cli.streams import json_lines
from chatctl.cli.streams.signals import SignalHandler
from chatctl.cli.streams.stdout import write_or_discard
from chatctl.cli.terminal import notices
from chatctl.cli.terminal.escape import escape_name, escape_text
from chatctl.cli.verify import receipt_file
from chatctl.errors import ChatError, CursorOtherLog
from chatctl.model.claims import Claim, Claims, FaultKind
from chatctl.model.cursor import log_of
from chatctl.model.records import ReceiptStatus
from chatctl.net.endpoint import Endpoint

if TYPE_CHECKING:
    from chatctl.client import VerifyResult

FAULT_TEXTS = {
    FaultKind.MISSING: "missing",
    FaultKind.OTHER_ROOM: "in another room",
    FaultKind.OTHER_USER: "by another user",
    FaultKind.OTHER_TEXT: "has another text",
}
COUNT_LABELS = {
    "verified": "verified",
    **{kind.name.lower(): label.replace("has", "with") for kind, label in FAULT_TEXTS.items()},
    "rejected": "rejected",
    "unconfirmed": "unconfirmed",
}


class VerifyReport:
    """Reads receipts, counts the answers, and reports each fault as it is found. Use it once: `run`."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._as_json, self._quiet = as_json, quiet
        self._counts = dict.fromkeys(COUNT_LABELS, 0)
        self._invalid_lines = 0
        self._invalid_notices = notices.LimitedNotices("more lines are not receipts: --json shows all of them")
        self._cursor_prefix = ""  # of the first receipt

    async def run(self, endpoint: Endpoint, seconds: float, descriptor: int) -> int:
        """Verify and report everything, and return the exit code."""
        task = asyncio.ensure_future(self._verify(endpoint, seconds, descriptor))
        signals = SignalHandler(lambda: self._stop(task))
        failure: ChatError | OSError | None = None
        try:
            await task
        except (ChatError, OSError) as error:
            failure = error
        except asyncio.CancelledError:
            if not signals.exit_code:
                raise
        return signals.exit_code or self._finish(failure)

    @staticmethod
    def _stop(task: asyncio.Task[None]) -> None:
        task.cancel()

    async def _verify(self, endpoint: Endpoint, seconds: float, descriptor: int) -> None:
        from chatctl.client.client import ChatClient

        notify = None if self._as_json else notices.say
        async with (
            ChatClient(endpoint, seconds, notify) as client,
            aclosing(client.verify(self._read_claims(descriptor))) as results,
        ):
            async for result in results:
                self._add(result)

    async def _read_claims(self, descriptor: int) -> AsyncIterator[Claims]:
        """Yield the claims of the receipts as they are read. Raises CursorOtherLog at a receipt of another log."""
        line_number = 0
        async for lines in receipt_file.read_lines(descriptor):
            claims: list[Claim] = []
            for line in lines:
                line_number += 1
                receipt = receipt_file.parse_receipt(line_number, line)
                if isinstance(receipt, receipt_file.InvalidReceipt):
                    self._add_invalid(receipt)
                elif isinstance(receipt, ReceiptStatus):
                    self._counts[json_lines.STATUS_NAMES[receipt]] += 1
                elif receipt.context.cursor_prefix == (self._cursor_prefix or receipt.context.cursor_prefix):
                    self._cursor_prefix = receipt.context.cursor_prefix
                    claims.append(receipt)
                else:
                    yield Claims(self._cursor_prefix, claims)
                    raise self._other_log_error(line_number, receipt.context.cursor_prefix)
            if claims:
                yield Claims(self._cursor_prefix, claims)

    def _other_log_error(self, line_number: int, cursor_prefix: str) -> CursorOtherLog:
        return CursorOtherLog(
            f"the receipt in line {line_number} belongs to the log {log_of(cursor_prefix)}, "
            f"those before it to {log_of(self._cursor_prefix)}",
            "verify the receipts of each log separately",
        )

    def _add_invalid(self, invalid: receipt_file.InvalidReceipt) -> None:
        self._invalid_lines += 1
        if self._as_json:
            self._write(json_lines.fault_line({"line": invalid.line, "fault": "no_receipt", "error": invalid.error}))
        else:
            self._invalid_notices.say(f"line {invalid.line} is not a receipt: {invalid.error}")

    def _add(self, result: "VerifyResult") -> None:
        """Count the claims of an answer, and report its faults."""
        self._counts["verified"] += len(result.claims) - len(result.faults)
        for fault in result.faults:
            self._counts[fault.kind.name.lower()] += 1
            self._add_fault(result.claims[fault.index], fault.kind)

    def _add_fault(self, claim: Claim, kind: FaultKind) -> None:
        sequence, room, user, _, origin = claim
        if self._as_json:
            names = {"input_id": origin.input_id, "sequence": sequence, "room": room, "user": user}
            self._write(
                json_lines.fault_line({"line": origin.line, "number": origin.number, **names, "fault": kind.name.lower()})
            )
            return
        input_id, room, user = map(escape_name, (origin.input_id, room, user))
        facts = f"input id {input_id}, sequence {sequence}, room {room}, user {user}"
        self._write(f"record {origin.number} ({facts}): {FAULT_TEXTS[kind]}\n")

    def _write(self, line: str) -> None:
        if error := write_or_discard(notices.json_for(sys.stdout, line).encode()):
            raise error

    def _finish(self, failure: ChatError | OSError | None) -> int:
        """Report the error that ended the run and the summary, and return the exit code."""
        has_faults = any(count for what, count in self._counts.items() if what != "verified")
        # No receipts prove nothing: a send that failed early leaves none.
        code = FAILED if has_faults or self._invalid_lines > 0 or not self._counts["verified"] else 0
        text, reason, code = failures.describe(failure) if failure else Outcome(code=code)
        if self._as_json:
            if text or not self._quiet:
                notices.say_json_summary(self._summary(), text, reason, code)
            return code
        if text:
            notices.say(text, notices.Severity.ERROR)
        if any(self._counts.values()) if text else not self._quiet:
            notices.say(self._summary_text(), notices.Severity.ERROR if code else notices.Severity.SUCCESS)
        return code

    def _summary(self) -> dict[str, Any]:
        records = sum(self._counts.values())
        return {
            "records": records,
            **self._counts,
            "no_receipt": self._invalid_lines,
            "log": log_of(self._cursor_prefix) or None,
        }

    def _summary_text(self) -> str:
        if not self._invalid_lines and not any(self._counts.values()):
            return "no receipts, so nothing is verified"
        counts = [f"{n:,} {COUNT_LABELS[what]}" for what, n in self._counts.items() if n or what == "verified"]
        if self._invalid_lines:
            counts.append(f"{self._invalid_lines:,} not {'receipts' if self._invalid_lines > 1 else 'a receipt'}")
        log = f" (log {escape_text(log_of(self._cursor_prefix))})" if self._cursor_prefix else ""
        unstored = self._counts["missing"] or self._counts["unconfirmed"]
        hint = ": to store what is missing, send the same input again with the same --input-id" if unstored else ""
        return ", ".join(counts) + log + hint
