"""How things are written for programs and for terminals, without Rich."""

import unicodedata
from functools import lru_cache

# What could move the cursor, hide text or turn it round: control characters, bidirectional overrides, line separators.
# Format characters that only join (in emoji and in many scripts) stay.
_DANGEROUS = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029, 0xFEFF}
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _DANGEROUS}
_ESCAPES |= {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}
_LINE_ESCAPES = {code: escape for code, escape in _ESCAPES.items() if chr(code) not in "\n\t"}


def escape_text(text: str) -> str:
    """Other people's text on one line of a terminal: whatever is not plainly visible is escaped."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def escape_lines(text: str) -> str:
    """The same, with its line ends and tabs."""
    return text if text.isprintable() else text.translate(_LINE_ESCAPES)


# Letters and marks that show nothing, or nothing of their own: fillers, variation selectors, a blank of Braille.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
_INVISIBLE |= set(range(0xE0100, 0xE01F0))


@lru_cache(1024)
def escape_name(name: str) -> str:
    """The name of a room or a user on one line: whatever does not show is escaped, so that none looks like another."""
    composed = unicodedata.normalize("NFC", name) == name  # if not, another name consists of the same pictures
    escaped, marks = "", 0
    for character in name:
        marks = marks + 1 if unicodedata.combining(character) else 0
        clear = character.isascii() or (composed and marks < 3 and ord(character) not in _INVISIBLE)
        escaped += character if clear and character.isprintable() else character.encode("unicode_escape").decode()
    start, end = len(escaped) - len(escaped.lstrip(" ")), len(escaped.rstrip(" "))
    return r"\x20" * start + escaped[start:end] + r"\x20" * (len(escaped) - end) if end else r"\x20" * start
