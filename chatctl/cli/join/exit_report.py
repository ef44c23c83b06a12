"""The report when `join` ends: the texts that were typed or sent, and that the server has not confirmed."""

from collections.abc import Mapping
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

from chatctl.cli.exit_codes import FAILED
from chatctl.cli.terminal import escape, notices
from chatctl.model.records import ReceiptStatus
from chatctl.version import full_version

if TYPE_CHECKING:
    from chatctl.client import RoomStream

NOT_SENT, IN_DOUBT = "not sent, so it is not stored", "no receipt, so it may or may not be stored"
MAX_DETAIL = 200  # characters of an exception's message, which may contain a message of another user


def report_unsent(stream: "RoomStream", drafts: Mapping[str, str], as_json: bool) -> bool:
    """Print the texts that are not known to be stored, and the drafts by room. Returns whether every text sent is stored."""
    undelivered = [
        report
        for report in stream.undelivered()
        if report.receipt.status in (ReceiptStatus.UNCONFIRMED, ReceiptStatus.REJECTED)
    ]
    for report in undelivered:
        error = report.receipt.error
        for number, text in enumerate(report.texts, report.receipt.number):
            doubt = NOT_SENT if number > stream.last_sent_number else IN_DOUBT
            _print_text(f"not stored: {error}" if error else doubt, report.room, text, as_json)
        if error and not report.texts:  # the line was never a text
            notices.notifier(as_json)(f"line {report.receipt.number} was not sent: {error}")
    for room, text in drafts.items():
        _print_text("typed, but not sent", room, text, as_json)
    return not undelivered


def report_crash(error: BaseException) -> int:
    """Print which bug ended the full screen, and return the exit code."""
    package = Path(__file__).parents[2]
    frames = extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(package)]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*ours[-1:], *frames[-1:])]
    where = f" at {', '.join(dict.fromkeys(places))}" if places else ""
    detail = str(error).partition("\n")[0][:MAX_DETAIL]
    return notices.report_error(
        f"join ended because of a bug in chatctl {full_version()}: {type(error).__name__}"
        f"{f' ({detail})' if detail else ''}{where}: please report this sentence",
        *("", FAILED, False),
    )


def _print_text(reason: str, room: str, text: str, as_json: bool) -> None:
    if as_json:
        notices.say_json({"notice": reason, "room": room, "text": text})
    else:
        # The text starts a line of its own and is not wrapped, so that it can be copied.
        notices.say(f"{reason} (room {escape.escape_name(room)}):\n{escape.escape_text(text)}")
