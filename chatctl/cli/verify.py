"""`chatctl verify`."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatctl import config
from chatctl.cli import formats, options, receipts
from chatctl.cli.report import STATUS_OFFSET
from chatctl.errors import ChatError, CursorOtherLog
from chatctl.log import Status
from chatctl.verify import Claims, FaultKind

if TYPE_CHECKING:
    from chatctl.client import Verified

STDIN = 0
SHOWN_LINES = 20
WRONG = {
    FaultKind.MISSING: "missing",
    FaultKind.OTHER_ROOM: "in another room",
    FaultKind.OTHER_USER: "by another user",
    FaultKind.OTHER_TEXT: "has another text",
}
COUNTED = {
    "verified": "verified",
    **{kind.name.lower(): words.replace("has", "with") for kind, words in WRONG.items()},
    "rejected": "rejected",
    "unconfirmed": "unconfirmed",
}

RECEIPTS_HELP = "A file of receipts as `chatctl send --json` prints them; - is stdin."
File = Annotated[str, typer.Argument(metavar="RECEIPTS", help=RECEIPTS_HELP, show_default=False)]
Json = Annotated[bool, typer.Option("--json", envvar="CHATCTL_JSON", help="A JSON object for each fault; errors too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", envvar="CHATCTL_QUIET", help="No summary.")]


def verify(
    file: File,
    server: options.Server = config.DEFAULT_SERVER,
    timeout: options.Timeout = "10s",
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Ask a server whether everything that has a receipt is stored as it says, and show what is not."""
    server, seconds = options.address(server), options.seconds("--timeout", timeout)
    try:
        descriptor = STDIN if file == "-" else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        if os.path.isdir(descriptor):
            raise IsADirectoryError(0, "it is a directory")
    except OSError as error:
        name = formats.visible(file)
        raise typer.BadParameter(f"cannot open {name}: {error.strerror}", param_hint="'RECEIPTS'") from None
    return asyncio.run(Report(as_json, quiet).main(server, seconds, descriptor))


class Report:
    """Reads receipts, counts what became of them, and tells what is wrong as it is found."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._as_json, self._quiet = as_json, quiet
        self._counts = dict.fromkeys(COUNTED, 0)
        self._no_receipts = 0
        self._cursor_prefix = ""  # that of the first receipt

    async def main(self, server: str, seconds: float, descriptor: int) -> int:
        """Verify everything; the exit code comes back, and all is told."""
        from chatctl.client import ChatClient

        failure: ChatError | OSError | None = None
        notice = None if self._as_json else formats.say
        try:
            async with (
                ChatClient(server, seconds, notice) as chat,
                aclosing(chat.verify(self._claims(descriptor))) as answers,
            ):
                async for verified in answers:
                    self._tell(verified)
        except (ChatError, OSError) as error:
            failure = error
        return self._end(failure)

    async def _claims(self, descriptor: int) -> AsyncIterator[Claims]:
        """What the receipts claim, as it comes. Raises CursorOtherLog at a receipt of another log than the first."""
        at = 0
        async for lines in receipts.lines(descriptor):
            claims = []
            for line in lines:
                at += 1
                receipt = receipts.understood(at, line)
                if isinstance(receipt, receipts.NoReceipt):
                    self._no_receipt(receipt)
                elif isinstance(receipt, Status):
                    self._counts[receipt.name.lower()] += 1
                elif receipt.about.cursor_prefix == (self._cursor_prefix or receipt.about.cursor_prefix):
                    self._cursor_prefix = receipt.about.cursor_prefix
                    claims.append(receipt)
                else:
                    yield Claims(self._cursor_prefix, claims)
                    raise CursorOtherLog(
                        f"line {at} is a receipt of the log {_log(receipt.about.cursor_prefix)}, those before it are of "
                        f"{_log(self._cursor_prefix)}: verify the receipts of each log by themselves"
                    )
            if claims:
                yield Claims(self._cursor_prefix, claims)

    def _no_receipt(self, line: receipts.NoReceipt) -> None:
        self._no_receipts += 1
        if self._as_json:
            self._write(json.dumps({"line": line.line, "fault": "no_receipt", "error": line.error}))
        elif self._no_receipts <= SHOWN_LINES:
            formats.say(f"line {line.line} is no receipt: {line.error}")
        elif self._no_receipts == SHOWN_LINES + 1:
            formats.say("further lines that are no receipts are counted, not shown; --json tells each")

    def _tell(self, verified: "Verified") -> None:
        """Count what was answered, and show what does not hold."""
        self._counts["verified"] += len(verified.claims) - len(verified.faults)
        for fault in verified.faults:
            sequence, room, user, _, record = verified.claims[fault.index]
            self._counts[fault.kind.name.lower()] += 1
            if self._as_json:
                names = {"sender": record.sender, "sequence": sequence, "room": room, "user": user}
                told = {"line": record.line, "number": record.number, **names, "fault": fault.kind.name.lower()}
                self._write(json.dumps(told, ensure_ascii=False))
            else:
                sender, room, user = map(formats.visible_name, (record.sender, room, user))
                facts = f"sender {sender}, sequence {sequence}, room {room}, user {user}"
                self._write(f"record {record.number} ({facts}): {WRONG[fault.kind]}")

    def _write(self, line: str) -> None:
        try:
            print(line, flush=True)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):  # who read stdout has seen enough, but the exit code is still due
                raise

    def _end(self, failure: ChatError | OSError | None) -> int:
        """The last word on stderr: what ended the run before its time, and the summary. The exit code comes back."""
        wrong = any(count for what, count in self._counts.items() if what != "verified")
        # Of nothing nothing can be said: a send that failed early leaves no receipts.
        code = int(wrong or self._no_receipts > 0 or not self._counts["verified"])
        error = reason = ""
        if isinstance(failure, OSError):
            error, reason, code = f"cannot read or write: {failure.strerror}", "INPUT_OUTPUT", 1
        elif failure:
            error, reason, code = str(failure), failure.reason, STATUS_OFFSET + failure.code
        if self._as_json:
            if error or not self._quiet:
                told = {"error": error, "reason": reason, "exit_code": code} if error else {}
                formats.say_json({**told, "summary": self._summary()})
        else:
            if error:
                formats.say(error, formats.Tone.BAD)
            if any(self._counts.values()) if error else not self._quiet:
                formats.say(self._sentence(), formats.Tone.BAD if code else formats.Tone.GOOD)
        return code

    def _summary(self) -> dict[str, Any]:
        records = sum(self._counts.values())
        return {
            "records": records,
            **self._counts,
            "no_receipt": self._no_receipts,
            "log": _log(self._cursor_prefix) or None,
        }

    def _sentence(self) -> str:
        counts = [f"{n:,} {COUNTED[what]}" for what, n in self._counts.items() if n or what == "verified"]
        if self._no_receipts:
            counts.append(f"{self._no_receipts:,} no receipt{'s' if self._no_receipts > 1 else ''}")
        log = f" (log {formats.visible(_log(self._cursor_prefix))})" if self._cursor_prefix else ""
        lost = self._counts["missing"] or self._counts["unconfirmed"]
        if not self._no_receipts and not any(self._counts.values()):
            return "there are no receipts, so nothing is verified"
        advice = "; to store what is not there, send the same input again with the same --sender" if lost else ""
        return ", ".join(counts) + log + advice


def _log(cursor_prefix: str) -> str:
    """The log's id as people see it."""
    return cursor_prefix.rstrip(":")
