"""What is told in the end: nothing that was typed is lost without a word."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from chatctl.cli.terminal import escape, messages
from chatctl.model.records import ReceiptStatus

if TYPE_CHECKING:
    from chatctl.client import DeliveryReport


def report_unsent(reports: "Iterable[DeliveryReport]", drafts: Mapping[str, str], as_json: bool) -> bool:
    """Say what was sent and has no receipt, and what was typed and not sent ; whether all that was sent is stored."""
    undelivered = [
        report for report in reports if report.receipt.status in (ReceiptStatus.UNCONFIRMED, ReceiptStatus.REJECTED)
    ]
    for outcome in undelivered:
        error = outcome.receipt.error
        for text in outcome.texts:
            _print_text(
                f"not stored: {error}" if error else "no receipt came, so it may or may not be stored",
                outcome.room,
                text,
                as_json,
            )
        if error and not outcome.texts:  # it never was a text
            messages.notifier(as_json)(f"line {outcome.receipt.number} was not sent: {error}")
    for room, text in drafts.items():
        _print_text("typed, but not sent", room, text, as_json)
    return not undelivered


def _print_text(reason: str, room: str, text: str, as_json: bool) -> None:
    if as_json:
        messages.say_json({"notice": reason, "room": room, "text": text})
    else:
        # On a line of its own, which nothing folds: somebody may want to copy it.
        messages.say(f"{reason} (room {escape.escape_name(room)}):\n{escape.escape_text(text)}")
