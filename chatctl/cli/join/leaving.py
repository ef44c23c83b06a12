"""What is told in the end: nothing that was typed is lost without a word."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from chatctl.cli import formats
from chatctl.log import Status

if TYPE_CHECKING:
    from chatctl.client import Outcome


def tell(outcomes: "Iterable[Outcome]", drafts: Mapping[str, str], as_json: bool) -> bool:
    """Say what was sent and has no receipt, and what was typed and not sent ; whether all that was sent is stored."""
    left = [outcome for outcome in outcomes if outcome.receipt.status in (Status.UNCONFIRMED, Status.REJECTED)]
    for outcome in left:
        why = outcome.receipt.error
        for text in outcome.texts:
            _say(
                f"not stored: {why}" if why else "no receipt came, so it may or may not be stored",
                outcome.room,
                text,
                as_json,
            )
        if why and not outcome.texts:  # it never was a text
            formats.notice(as_json)(f"line {outcome.receipt.number} was not sent: {why}")
    for room, text in drafts.items():
        _say("typed, but not sent", room, text, as_json)
    return not left


def _say(what: str, room: str, text: str, as_json: bool) -> None:
    if as_json:
        formats.say_json({"notice": what, "room": room, "text": text})
    else:
        formats.say(f"{what} (room {formats.visible_name(room)}): {formats.visible(text)}")
