"""Cursors: positions in one log.

Only this module knows their format, and for speed `cli/streams/json_lines.py`: it appends sequences to a prefix.
"""

from typing import NamedTuple

from chatctl.errors import CursorMalformed

SEPARATOR = ":"
MAX_DIGITS = 19  # of a sequence, which is at most 2^63 - 1
SHOWN_CHARACTERS = 80  # of a cursor that is quoted in an error


class Cursor(NamedTuple):
    """A position in the log `log`: right after the message with `sequence`. Sequence 0 is the start."""

    log: str
    sequence: int


def cursor_prefix(log: str) -> str:
    """Return the prefix of all cursors of a log."""
    return f"{log}{SEPARATOR}"


def cursor_text(prefix: str, sequence: int) -> str:
    """Return the cursor of a sequence from the log's prefix."""
    return f"{prefix}{sequence}"


def parse_cursor(text: str) -> Cursor:
    """Parse a cursor. Raises CursorMalformed."""
    log, _, digits = text.partition(SEPARATOR)
    if not (log and digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS):
        raise CursorMalformed(f"invalid cursor {text[:SHOWN_CHARACTERS]!r}", "use one from a page or receipt, unchanged")
    return Cursor(log, int(digits))


def sequence_after(prefix: str, text: str) -> int | None:
    """Return the sequence of a cursor with this prefix, or None for what only `parse_cursor` can judge. It is fast."""
    digits = text[len(prefix) :]
    if not (text.startswith(prefix) and digits.isdigit() and digits.isascii() and len(digits) < MAX_DIGITS):
        return None
    return int(digits)


def parse_cursor_prefix(prefix: str) -> str:
    """Return the id of the log whose cursors have this prefix. Raises CursorMalformed."""
    log, separator, rest = prefix.partition(SEPARATOR)
    if not (log and separator) or rest:
        raise CursorMalformed(
            f"invalid cursor prefix {prefix[:SHOWN_CHARACTERS]!r}", "use a receipt's cursor without its sequence"
        )
    return log


def log_of(prefix: str) -> str:
    """Return the id of the log whose cursors have this prefix, without a check."""
    return prefix.removesuffix(SEPARATOR)


def prefix_of(cursor: str) -> str:
    """Return the prefix of a cursor from a server, or an empty string if it has none."""
    log, separator, _ = cursor.rpartition(SEPARATOR)
    return log + separator
