"""Checks of what a server sends, against the contract. A client trusts no server: it may be hostile, broken or too new.

A response that breaks the contract raises IncompatibleServer, and nothing of it is used.
"""

import re
from typing import Any

from chatctl.errors import CursorMalformed, IncompatibleServer
from chatctl.model.claims import MAX_SEQUENCE
from chatctl.model.cursor import Cursor, cursor_prefix, parse_cursor
from chatctl.model.limits import MAX_NAME_BYTES, name_error
from chatctl.model.records import Receipt, ReceiptStatus

HINT = "check that --server is a chatctl server, or upgrade this chatctl"
SHOWN_CHARACTERS = 40  # of a text that is quoted in an error
MAX_TEXT_CHARACTERS = 1000  # of a sentence for people
_LOG = re.compile(r"[!-9;-~]{1,128}")  # printable ASCII without a colon, which ends it in a cursor
_WORD = re.compile(r"[!-~]{0,128}")


def contract_error(what: str, hint: str = HINT) -> IncompatibleServer:
    """Return the error for a response that breaks the contract. `what` is in it."""
    return IncompatibleServer(f"the server sent {what}", hint)


def shown(text: str) -> str:
    """Return a text of a server for an error: quoted, short and printable."""
    return repr(text[:SHOWN_CHARACTERS])


def clean_sentence(text: str) -> str:
    """Return a sentence of a server as one printable line of bounded length. It may not pass for several of ours."""
    if len(text) > MAX_TEXT_CHARACTERS:
        text = text[: MAX_TEXT_CHARACTERS - 1] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def check_name(what: str, name: str) -> None:
    """Raise IncompatibleServer unless `name` is valid for a room, user or input id."""
    if name_error(what, name, MAX_NAME_BYTES):
        raise contract_error(f"an invalid {what}: {shown(name)}")


def check_log(log: str, prefix: str) -> None:
    """Raise IncompatibleServer unless this is the id of a log, and the prefix that of its cursors."""
    if not _LOG.fullmatch(log):
        raise contract_error(f"an invalid log id: {shown(log)}")
    if prefix != cursor_prefix(log):
        raise contract_error(f"an invalid cursor prefix: {shown(prefix)}")


def check_cursor(cursor: str, prefix: str) -> Cursor:
    """Return a cursor with this prefix. Raises IncompatibleServer."""
    try:
        parsed = parse_cursor(cursor)
    except CursorMalformed:
        raise contract_error(f"an invalid cursor: {shown(cursor)}") from None
    check_log(parsed.log, prefix)
    check_range("sequence in a cursor", parsed.sequence, 0, MAX_SEQUENCE)
    return parsed


def check_word(what: str, word: str) -> None:
    """Raise IncompatibleServer unless this is short, without blanks and ASCII, such as a version. It may be empty."""
    if not _WORD.fullmatch(word):
        raise contract_error(f"an invalid {what}: {shown(word)}")


def check_range(what: str, number: float, low: float, high: float) -> None:
    """Raise IncompatibleServer unless low <= number <= high."""
    if not low <= number <= high:
        raise contract_error(f"an invalid {what}: {number}")


def check_count(what: str, items: Any, limit: int) -> None:
    """Raise IncompatibleServer if there are more than `limit` items. Call it before they are converted."""
    if len(items) > limit:
        raise contract_error(f"too many {what}: {len(items)} in one response")


def check_welcome(welcome: Any, input_id: str) -> None:
    """Raise IncompatibleServer unless this may be the welcome of a stream. `input_id` is the one asked for, or empty."""
    check_name("input id", welcome.input_id)
    if input_id and welcome.input_id != input_id:
        raise contract_error(f"the terms of another input id: {shown(welcome.input_id)}")
    check_log(welcome.log, welcome.cursor_prefix)


def check_not_welcome(response: Any) -> None:
    """Raise IncompatibleServer for a response after the first one that is a welcome."""
    if response.HasField("welcome"):
        raise contract_error("a second welcome")


def has_content(response: Any) -> bool:
    """Return whether a response says something besides a welcome."""
    return bool(response.receipts or response.runs or response.cursor or response.present)


def check_receipt(receipt: Receipt) -> None:
    """Raise IncompatibleServer for values that no receipt has."""
    if receipt.count < 1:
        raise contract_error(f"a receipt for {receipt.count} records")
    if receipt.status is ReceiptStatus.REJECTED:
        if receipt.sequence:
            raise contract_error(f"a sequence for rejected records: {receipt.sequence}")
    elif not 1 <= receipt.sequence <= MAX_SEQUENCE + 1 - receipt.count:
        raise contract_error(f"an invalid sequence in a receipt: {receipt.sequence}")
